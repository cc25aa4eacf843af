using Harness.Common;
using Harness.Datasets;
using Harness.Datasets.Files;
using Harness.Fuzz;
using Parquet;
using Parquet.Schema;

namespace Harness.Tests.Datasets;

[TestFixture]
public sealed class ParquetRecordsTests
{
    private ScratchDirectory _scratch = null!;

    [SetUp]
    public void SetUp() => _scratch = new ScratchDirectory();

    [TearDown]
    public void TearDown() => _scratch.Dispose();

    [Test]
    public void ATableOfAnotherWriterIsReadAsItsRowsAre()
    {
        var path = Written("gsm.parquet", ParquetSeeds.Gsm);
        var rows = DatasetRecords.Read(path).Select(row => (row.Value.GetProperty("id").GetInt32(), row.Required("question"),
            row.Required("answer"), string.Join(',', ((string[])["category", "score", "checked", "made"]).Select(column =>
                row.Value.GetProperty(column).GetRawText())))).ToList();
        Assert.That(DatasetRecords.Read(path).Select(row => (row.Source, row.Number)),
            Is.EqualTo(Enumerable.Range(0, 3).Select(i => ($"gsm.parquet:row {i}", i))));
        Assert.That(rows, Is.EqualTo(new[]
        {
            (0, "How many?", "Two and two is <<2+2=4>>4. #### 4", "\"math\",1.5,true,{}"),
            (1, "Wie viele Äpfel 🍎?", "Drei.\n#### 3", "null,null,null,{}"),
            (2, "How many?", "#### 1,000", "\"math\",\"NaN\",false,{}"),
        }));
        var loaded = DatasetCatalog.Load(null, path, 0, null, null);
        Assert.That(loaded.Prompts.Select(p => (p.Dataset, p.Question, p.ReferenceAnswer, p.Id)), Is.EqualTo(new[]
        {
            ("gsm8k", "How many?", "4", "0"), ("gsm8k", "Wie viele Äpfel 🍎?", "3", "1"), ("gsm8k", "How many?", "1,000", "2"),
        }));
        Assert.That(loaded.Notes.Single(),
            Is.EqualTo($"{path}: no prompt is made of \"category\", \"checked\", \"made\", \"score\""));
    }

    [Test]
    public void ListsOfTurnsAreRead()
    {
        var path = Written("turns.parquet", ParquetSeeds.Conversations);
        Assert.That(DatasetRecords.Read(path).Select(row => row.Value.GetRawText()), Is.EqualTo(new[]
        {
            """{"id":"a","conversations":[{"from":"human","value":"Hi?"},{"from":"gpt","value":"Hello"}]}""",
            """{"id":"b","conversations":[]}""",
            """{"id":"c","conversations":null}""",
            """{"id":"d","conversations":[{"from":"gpt","value":null},{"from":"human","value":"Und?"},{"from":"gpt","value":"Ja"}]}""",
        }));
        Assert.That(() => DatasetCatalog.Load(null, path, 0, null, null), Throws.TypeOf<UserErrorException>()
            .With.Message.StartWith($"{path}:row 2 (counted from 0) has no list of \"conversations\""));
        Assert.That(DatasetCatalog.Load(null, path, 0, 1, null).Prompts.Single().ReferenceOutput, Is.EqualTo("Hello"));
    }

    /// <summary>Nulls, empty texts, texts beyond ASCII, and groups of rows, in each packing that is read.</summary>
    [Test]
    public void EveryPackingGivesTheSameTexts(
        [Values(CompressionMethod.None, CompressionMethod.Snappy, CompressionMethod.Gzip,
            CompressionMethod.Zstd)] CompressionMethod packing)
    {
        string?[] texts = ["", null, "é漢字🍎", new string('x', 300_000), "a", null, "\"\\\u0001"];
        var path = _scratch["texts.parquet"];
        Write(path, packing, [new DataField<string>("text"), new DataField<long>("n")], async (group, fields, part) =>
        {
            await group.WriteAsync(fields[0], part == 0 ? texts[..4] : texts[4..]);
            await group.WriteAsync<long>(fields[1], part == 0 ? new long[] { long.MinValue, 0, 1, long.MaxValue } : [5, 6, 7]);
        }, groups: 2);
        var rows = DatasetRecords.Read(path).Select(row => (row.Number, row.Optional("text"), row.OptionalScalar("n"))).ToList();
        Assert.That(rows.Select(row => row.Item2), Is.EqualTo(texts));
        Assert.That(rows.Select(row => row.Number), Is.EqualTo(Enumerable.Range(0, 7)));
        Assert.That(rows.Select(row => row.Item3),
            Is.EqualTo(new[] { "-9223372036854775808", "0", "1", "9223372036854775807", "5", "6", "7" }));
    }

    /// <summary>Parquet.Net would put U+FFFD in the place of it, and the prompt would be another one.</summary>
    [Test]
    public void TextThatIsNotUnicodeIsNamedByRowAndColumn()
    {
        var path = _scratch["bytes.parquet"];
        Write(path, CompressionMethod.None, [new DataField<byte[]>("prompt")], async (group, fields, _) =>
            await group.WriteAsync(fields[0], new byte[][] { "a"u8.ToArray(), [0xC3, 0x28] }), groups: 1);
        Assert.That(() => DatasetCatalog.Load(null, path, 0, null, null), Throws.TypeOf<UserErrorException>().With.Message.EqualTo(
            $"{path}:row 1 (counted from 0) has text in \"prompt\" that is not valid Unicode; correct or remove it"));
    }

    [TestCase(CompressionMethod.Brotli, "BROTLI")]
    [TestCase(CompressionMethod.Lz4Raw, "LZ4_RAW")]
    public void WhatIsPackedOtherwiseIsRefusedByTheColumnsName(CompressionMethod packing, string name)
    {
        var path = _scratch["packed.parquet"];
        Write(path, packing, [new DataField<string>("prompt")], async (group, fields, _) =>
            await group.WriteAsync(fields[0], new[] { "a" }), groups: 1);
        Refused(path, $"its column \"prompt\" is packed by {name}; write it with zstd, snappy or gzip");
    }

    /// <summary>A table that is cut off anywhere has no footer where one is looked for.</summary>
    [Test]
    public void APartOfATableIsRefused()
    {
        var whole = ParquetSeeds.Bytes(ParquetSeeds.Gsm);
        var path = _scratch["part.parquet"];
        for (var length = 4; length < whole.Length; length += 7)
        {
            File.WriteAllBytes(path, whole[..length]);
            Refused(path, "it does not end as a Parquet file does");
        }
    }

    /// <summary>A footer that says it is larger than the file, and rows that the file cannot hold.</summary>
    [Test]
    public void WhatAFewBytesOnlyClaimIsNotAllocated()
    {
        var path = _scratch["claims.parquet"];
        var bytes = ParquetSeeds.Bytes(ParquetSeeds.Gsm);
        BitConverter.GetBytes(int.MaxValue).CopyTo(bytes, bytes.Length - 8);
        File.WriteAllBytes(path, bytes);
        Refused(path, $"its footer would be of {int.MaxValue} bytes, and the file is of {bytes.Length}");

        // The first page 4 bytes before the file: a zigzag of -4 in the place of 4's.
        bytes = ParquetSeeds.Bytes(ParquetSeeds.Gsm);
        bytes[bytes.AsSpan().IndexOf((ReadOnlySpan<byte>)[0x26, 0x08, 0x3C]) + 1] = 0x07;
        File.WriteAllBytes(path, bytes);
        Assert.That(() => DatasetRecords.Read(path).Count(), Throws.TypeOf<UserErrorException>()
            .With.Message.Contains("its column \"id\" is damaged (its pages would not be in the file)"));

        // Ten million nulls are two bytes of a page.
        Write(path, CompressionMethod.Snappy, [new DataField<string>("prompt")], async (group, fields, _) =>
            await group.WriteAsync(fields[0], new string?[10_000_000]), groups: 1);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Refused(path, "has 10000000 values");
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(8 << 20));
    }

    [Test]
    public void Gsm8kIsTheSameFromParquetAsFromJsonLines()
    {
        var json = SharedData.Path("data", "gsm8k");
        foreach (var split in new[] { "test", "train" })
        {
            var rows = DatasetRecords.Read(Path.Combine(json, $"{split}.jsonl"))
                .Select(row => (Question: row.Required("question"), Answer: row.Required("answer"))).ToList();
            Directory.CreateDirectory(_scratch["gsm8k", "main"]);
            Write(_scratch["gsm8k", "main", $"{split}-00000-of-00001.parquet"], CompressionMethod.Snappy,
                [new DataField<string>("question"), new DataField<string>("answer")], async (group, fields, _) =>
                {
                    await group.WriteAsync(fields[0], rows.ConvertAll(row => row.Question));
                    await group.WriteAsync(fields[1], rows.ConvertAll(row => row.Answer));
                }, groups: 1);
        }
        var (ofJson, ofParquet) = (Prompts(json), Prompts(_scratch["gsm8k"]));
        Assert.That(ofParquet, Has.Count.EqualTo(1319));
        Assert.That(ofParquet, Is.EqualTo(ofJson));

        static List<Prompt> Prompts(string path) =>
            [.. DatasetCatalog.Load("gsm8k", path, shots: 3, limit: null, seed: 7).Prompts.Select(prompt => prompt with { Source = "" })];
    }

    private static void Refused(string path, string why) =>
        Assert.That(() => DatasetCatalog.Load("jsonl", path, 0, null, null), Throws.TypeOf<UserErrorException>()
            .With.Message.StartWith($"{path} cannot be read: ").And.Message.Contains(why).And.Message.Not.Contains("\n"));

    private string Written(string name, string base64)
    {
        File.WriteAllBytes(_scratch[name], ParquetSeeds.Bytes(base64));
        return _scratch[name];
    }

    internal static void Write(string path, CompressionMethod packing, DataField[] fields,
        Func<ParquetRowGroupWriter, DataField[], int, Task> write, int groups)
    {
        Write().GetAwaiter().GetResult();

        async Task Write()
        {
            await using var file = File.Create(path);
            await using var writer = await ParquetWriter.CreateAsync(
                new ParquetSchema(fields), file, new ParquetOptions { CompressionMethod = packing });
            for (var group = 0; group < groups; group++)
            {
                using var rows = writer.CreateRowGroup();
                await write(rows, fields, group);
            }
        }
    }
}
