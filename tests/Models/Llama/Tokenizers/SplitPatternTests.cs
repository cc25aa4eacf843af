using System.Text.Json;
using Harness.Models.Llama.Tokenizers;

namespace Harness.Tests.Models.Llama.Tokenizers;

/// <summary>Against the patterns themselves, run by an engine that works on code points (Python's regex).</summary>
[TestFixture]
public class SplitPatternTests
{
    [TestCase("split-patterns.json", "llama3")]
    [TestCase("split-patterns.json", "single")]
    [TestCase("split-patterns.json", "gpt2")]
    [TestCase("split-tekken.json", "tekken")]
    public void PiecesAreThoseOfTheRegularExpression(string file, string name)
    {
        var fixture = TokenizerFixtures.Json(file)[name]!;
        var splitter = SplitPatterns.ForPattern((string)fixture["pattern"]!);
        Assert.That(splitter, Is.Not.Null);
        foreach (var pieces in fixture["texts"].Deserialize<string[][]>()!)
            Assert.That(Pieces(splitter!, string.Concat(pieces)), Is.EqualTo(pieces));
    }

    // Letters and digits beyond U+FFFF: .NET's Regex would see two symbols in each.
    [TestCase("𝐀𝐁c 𝟘𝟙2", "𝐀𝐁c| |𝟘𝟙2")]
    [TestCase("x𠀀中 𠀀", "x𠀀中| 𠀀")]
    [TestCase("🚀🚀a", "🚀🚀|a")]
    [TestCase("12345678", "123|456|78")]
    [TestCase("I'LL it'ſ o'x", "I|'LL| it|'ſ| o|'x")]
    [TestCase("a \r\n \n b", "a| \r\n \n| b")]
    [TestCase("a  \t", "a|  \t")]
    public void Llama3(string text, string pieces) =>
        Assert.That(string.Join('|', Pieces(SplitPatterns.ForPattern(SplitPatterns.Llama3)!, text)), Is.EqualTo(pieces));

    [TestCase("camelCase HTTPServer", "camel|Case| HTTPServer")]
    [TestCase("ABCdef中文Xy", "ABCdef中文|Xy")]
    [TestCase("don't 1234", "don|'t| |1|2|3|4")]
    [TestCase("// x!\n//y", "//| x|!\n//|y")]
    [TestCase("a\u0301B\u0301c", "a\u0301|B\u0301c")]
    public void Tekken(string text, string pieces) =>
        Assert.That(string.Join('|', Pieces(SplitPatterns.ForPattern(SplitPatterns.Tekken)!, text)), Is.EqualTo(pieces));

    [Test] // not a test case, since attributes cannot hold one
    public void ALoneSurrogateIsASymbol() =>
        Assert.That(Pieces(SplitPatterns.ForPattern(SplitPatterns.Gpt2)!, "a\uD800 \uDC00b"),
            Is.EqualTo(new[] { "a", "\uD800", " \uDC00", "b" }));

    [TestCase("ab12½c", "ab|1|2|½|c")]
    [TestCase("𝟘x", "𝟘|x")]
    public void IndividualDigits(string text, string pieces) =>
        Assert.That(string.Join('|', Pieces(SplitPatterns.IndividualDigits, text)), Is.EqualTo(pieces));

    [TestCase("ab12½c", "ab|12½|c")]
    public void ContiguousDigits(string text, string pieces) =>
        Assert.That(string.Join('|', Pieces(SplitPatterns.ContiguousDigits, text)), Is.EqualTo(pieces));

    [Test]
    public void NoOtherPatternIsGuessed() => Assert.That(SplitPatterns.ForPattern(@"\p{L}+|\s+"), Is.Null);

    private static List<string> Pieces(FirstPiece splitter, string text)
    {
        var pieces = new List<string>();
        for (var at = 0; at < text.Length; at += pieces[^1].Length) pieces.Add(text.Substring(at, splitter(text.AsSpan(at))));
        return pieces;
    }
}
