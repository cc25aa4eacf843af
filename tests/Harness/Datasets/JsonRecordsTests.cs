using System.Text;
using Harness.Common;
using Harness.Datasets;
using Harness.Datasets.Files;

namespace Harness.Tests.Datasets;

[TestFixture]
public sealed class JsonRecordsTests
{
    private ScratchDirectory _scratch = null!;

    [SetUp]
    public void SetUp() => _scratch = new ScratchDirectory();

    [TearDown]
    public void TearDown() => _scratch.Dispose();

    [Test]
    public void RecordsLongerThanTheBufferKeepTheirTextAndLines([Values(true, false)] bool array)
    {
        // 600 kB and more a record: several times what is read at once, with record ends at all places in it.
        var texts = Enumerable.Range(0, 7).Select(i => new string((char)('a' + i), 600_000 + 37_777 * i)).ToList();
        var lines = texts.Select(t => $"{{\"t\": \"{t}\"}}");
        var path = _scratch.File("big.json", array ? $"[\n{string.Join(",\n", lines)}\n]\n" : string.Join("\n", lines));
        var read = DatasetRecords.Read(path).Select(r => (r.Place.Index, r.Number, Text: r.Required("t"))).ToList();
        Assert.That(read.Select(r => r.Text), Is.EqualTo(texts));
        Assert.That(read.Select(r => r.Index), Is.EqualTo(Enumerable.Range(array ? 2 : 1, 7).Select(i => (long)i)));
        Assert.That(read.Select(r => r.Number), Is.EqualTo(Enumerable.Range(0, 7)));
    }

    [Test]
    public void ByteOrderMarkBlankLinesAndCarriageReturnsDoNotCount()
    {
        var path = _scratch["marked.jsonl"];
        File.WriteAllText(path, "{\"t\": \"a\"}\r\n\r\n{\"t\": \"b\"}\r\n", new UTF8Encoding(encoderShouldEmitUTF8Identifier: true));
        Assert.That(DatasetRecords.Read(path).Select(r => (r.Required("t"), r.Source)),
            Is.EqualTo(new[] { ("a", "marked.jsonl:1"), ("b", "marked.jsonl:3") }));
    }

    [TestCase("{\"t\": \"a\"}\n{\"t\": \"b\"\n{\"t\": \"c\"}\n", 2, 1, TestName = "a brace is missing")]
    [TestCase("{\"t\": \"a\"}\n\n{\"t\": \"b}\n{\"t\": \"c\"}\n", 3, 1, TestName = "a quote is missing")]
    [TestCase("{\"t\": \"a\"}\n{\"t\": \"b\"}\n{\"t\": \"c", 3, 2, TestName = "the file is cut off")]
    public void InJsonLinesTheLineIsTheOneThatIsWrong(string content, int line, int record)
    {
        var path = _scratch.File("lines.jsonl", content);
        Assert.That(() => DatasetRecords.Read(path).ToList(), Throws.TypeOf<UserErrorException>()
            .With.Message.StartWith($"{path}:{line}: record {record} (counted from 0) is not valid JSON"));
    }

    [Test]
    public void BrokenUtf8IsNamed()
    {
        var path = _scratch["bytes.jsonl"];
        File.WriteAllBytes(path, [.. "{\"t\": \"a\"}\n{\"t\": \""u8, 0xC3, 0x28, .. "\"}\n"u8]);
        Assert.That(() => DatasetRecords.Read(path).Select(r => r.Required("t")).ToList(), Throws.TypeOf<UserErrorException>()
            .With.Message.StartWith($"{path}:2: record 1 "));
    }

    /// <summary>Half of a surrogate pair as a key: of a record that is asked for another key, too, or told by its keys.</summary>
    [TestCase("""{"prompt": "a", "\ud800": 1}""")]
    [TestCase("""{"conversations": [{"\udc00": "human", "value": "a"}]}""")]
    public void AKeyThatIsNoTextIsNamed(string record)
    {
        var path = _scratch.File("keys.jsonl", record);
        var kind = record.Contains("prompt") ? JsonLinesPrompts.Name : ShareGptPrompts.Name;
        Assert.That(() => DatasetCatalog.Load(kind, path, 0, null, null), Throws.TypeOf<UserErrorException>()
            .With.Message.EqualTo($"{path}:1: record 0 (counted from 0) has a key that is not valid Unicode; correct or remove it"));
    }

    [Test]
    public void AnEmptyFileHasNoRecords([Values("", "\n", "[]", " [ ]\n")] string content) =>
        Assert.That(DatasetRecords.Read(_scratch.File("empty.json", content)), Is.Empty);
}
