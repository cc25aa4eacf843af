using System.IO.Compression;
using System.Text;
using Harness.Common;
using Harness.Datasets;
using Harness.Datasets.Files;

namespace Harness.Tests.Datasets;

/// <summary>JSON lines as gzip and zstd pack them, told by the first bytes.</summary>
[TestFixture]
public sealed class PackedFilesTests
{
    private ScratchDirectory _scratch = null!;

    [SetUp]
    public void SetUp() => _scratch = new ScratchDirectory();

    [TearDown]
    public void TearDown() => _scratch.Dispose();

    public enum Packing { Gzip, Zstd }

    [Test]
    public void MembersBehindOneAnotherAreOneFile([Values] Packing packing, [Values("lines.jsonl.gz", "lines.jsonl")] string name)
    {
        var path = _scratch[name];
        File.WriteAllBytes(path, [.. Pack(packing, Lines(0, 700)), .. Pack(packing, ""), .. Pack(packing, Lines(700, 1200))]);
        var records = DatasetRecords.Read(path).Select(record => (record.Required("prompt"), record.Place.Index, record.Number)).ToList();
        Assert.That(records, Is.EqualTo(Enumerable.Range(0, 1200).Select(i => (Prompt(i), (long)i + 1, i))));
        Assert.That(DatasetCatalog.Load(null, path, 0, limit: 2, seed: null).Prompts, Has.Count.EqualTo(2));
    }

    /// <summary>
    /// Also where a line ends: the framework's reader takes what there is for all of it, and a run would be on a part of its prompts.
    /// </summary>
    [Test]
    public void AnArchiveThatIsCutOffIsRefused([Values] Packing packing)
    {
        byte[] whole = [.. Pack(packing, Lines(0, 30)), .. Pack(packing, Lines(30, 60))];
        var path = _scratch["cut.jsonl"];
        var end = Pack(packing, Lines(0, 30)).Length;
        for (var length = 6; length < whole.Length; length++)
        {
            if (length == end) continue;        // one whole archive
            File.WriteAllBytes(path, whole[..length]);
            Assert.That(() => DatasetRecords.Read(path).Count(), Throws.TypeOf<UserErrorException>()
                .With.Message.StartWith($"{path} cannot be unpacked: ").And.Message.EndsWith("; fetch it again"), $"{length} bytes");
        }
    }

    [Test]
    public void WhatStandsBehindTheEndIsNotPassedOver([Values] Packing packing)
    {
        var path = _scratch["more.jsonl"];
        File.WriteAllBytes(path, [.. Pack(packing, Lines(0, 3)), .. Encoding.UTF8.GetBytes(Lines(3, 6))]);
        Assert.That(() => DatasetRecords.Read(path).Count(), Throws.TypeOf<UserErrorException>()
            .With.Message.StartWith($"{path} cannot be unpacked: ").And.Message.Contains("behind its end"));
    }

    [Test]
    public void ADamagedArchiveIsRefused()
    {
        var path = _scratch["damaged.jsonl"];
        var bytes = Pack(Packing.Gzip, Lines(0, 300));
        bytes[^6] ^= 1;         // the checksum
        File.WriteAllBytes(path, bytes);
        Assert.That(() => DatasetRecords.Read(path).Count(), Throws.TypeOf<UserErrorException>()
            .With.Message.EqualTo($"{path} cannot be unpacked: it is damaged or cut off (gzip); fetch it again"));
    }

    /// <summary>100 MB of one record are 100 kB of gzip, and 10 kB of zstd.</summary>
    [Test]
    public void ARecordWithoutEndIsRefusedBeforeItFillsTheMemory([Values] Packing packing)
    {
        var path = _scratch["bomb.jsonl"];
        using (var file = File.Create(path))
        using (Stream packed = packing == Packing.Gzip ? new GZipStream(file, CompressionLevel.Fastest)
            : new ZstdSharp.CompressionStream(file, 1))
        {
            packed.Write("{\"prompt\": \"p\"}\n{\"prompt\": \""u8);
            for (var i = 0; i < 100; i++) packed.Write(Encoding.ASCII.GetBytes(new string('a', 1_000_000)));
        }
        Assert.That(() => DatasetRecords.Read(path).Count(), Throws.TypeOf<UserErrorException>()
            .With.Message.EqualTo($"{path}:2: record 1 (counted from 0) is larger than 32 MiB, which is no prompt; correct or remove it"));
    }

    [Test]
    public void WhatIsPackedAndNoJsonIsCalledByItsName()
    {
        var path = _scratch["twice.jsonl.gz"];
        File.WriteAllBytes(path, Pack(Packing.Gzip, "<!doctype html><html></html>"));
        Assert.That(() => DatasetRecords.Read(path).Count(), Throws.TypeOf<UserErrorException>().With.Message.Contains("web page"));
    }

    private static string Prompt(int i) => $"Is {i * 7919} prime? é{new string('x', i % 13)}";

    private static string Lines(int from, int to) =>
        string.Concat(Enumerable.Range(from, to - from).Select(i => $"{{\"prompt\": \"{Prompt(i)}\"}}\n"));

    private static byte[] Pack(Packing packing, string text)
    {
        if (packing == Packing.Zstd)
        {
            using var compressor = new ZstdSharp.Compressor();
            return compressor.Wrap(Encoding.UTF8.GetBytes(text)).ToArray();
        }
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Optimal, leaveOpen: true)) gzip.Write(Encoding.UTF8.GetBytes(text));
        return packed.ToArray();
    }
}
