using System.Globalization;
using Harness.Models.Llama.Tokenizers;

namespace Harness.Tests.Models.Llama.Tokenizers;

[Parallelizable]
internal sealed class ComposedFormTests
{
    /// <summary>Sequences of bases and marks, composed by another implementation (the file's head names it).</summary>
    [Test]
    public void TextsComposeAsElsewhere()
    {
        var lines = File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "Fixtures", "unicode", "nfc.txt")).Skip(1).ToList();
        Assert.That(lines, Is.Not.Empty);
        foreach (var line in lines)
        {
            var (text, composed) = (Text(line.Split(';')[0]), Text(line.Split(';')[1]));
            Assert.That(ComposedForm.Of(text), Is.EqualTo(composed), line);
            Assert.That(ComposedForm.Of(composed), Is.EqualTo(composed), line);
        }
    }

    [TestCase("plain ASCII, and ÄÖÜ as they are")]
    [TestCase("漢字かな交じり文 한국어 Ελληνικά русский")]
    [TestCase("")]
    [TestCase("\ud800 and \udc00 alone")]
    public void ComposedTextsStay(string text) => Assert.That(ComposedForm.Of(text), Is.EqualTo(text));

    private static string Text(string codePoints) => string.Concat(codePoints.Split(' ').Select(word =>
        char.ConvertFromUtf32(int.Parse(word, NumberStyles.HexNumber, CultureInfo.InvariantCulture))));
}
