using System.IO.Compression;
using System.Text;
using Harness.Common;

namespace Harness.Tests.Tensors;

/// <summary>What stands in the place of weights, data and tokenizers after downloads that went wrong.</summary>
internal sealed class ForeignFileTests
{
    /// <summary>Magic numbers as the formats' own documents give them.</summary>
    private static readonly TestCaseData[] s_magic =
    [
        Case("a Git LFS pointer", "git lfs pull", "version https://git-lfs.github.com/spec/v1\noid sha256:37f0\nsize 1044984\n"u8),
        Case("zstd-compressed", "unzstd", [0x28, 0xB5, 0x2F, 0xFD, 0x04, 0x58]),                    // RFC 8878, 3.1.1
        Case("xz-compressed", "unxz", [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00, 0x00, 0x04]),            // xz-file-format 2.1.1.1
        Case("bzip2-compressed", "bunzip2", "BZh91AY&SY"u8),
        Case("a zip archive", "unpack it", "PK\u0003\u0004\u0014\0"u8),                             // APPNOTE 4.3.7
        Case("a Parquet table", "to_json", "PAR1\u0015\0"u8),                                       // parquet-format
        Case("an Arrow table", "to_json", "ARROW1\0\0"u8),
        Case("a GGUF file", "safetensors", "GGUF\u0003\0\0\0"u8),
        Case("a Python pickle", "convert", [0x80, 0x02, 0x8A]),
        Case("a web page", "fetch the file again", "\n<!DOCTYPE HTML>\n<html>"u8),
        Case("a web page", "fetch the file again", "<html><body>404: Not Found"u8),
        Case("XML", "fetch the file again", "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code>"u8),
        Case("UTF-16", "iconv", Encoding.Unicode.GetPreamble().Concat(Encoding.Unicode.GetBytes("{\"a\": 1}")).ToArray()),
        Case("UTF-16", "iconv", Encoding.BigEndianUnicode.GetPreamble().Concat(Encoding.BigEndianUnicode.GetBytes("{\"a\": 1}")).ToArray()),
        Case("UTF-16", "iconv", Encoding.Unicode.GetBytes("[1]")),
        Case("UTF-16", "iconv", Encoding.BigEndianUnicode.GetBytes("{\"a\": 1}")),
        Case("UTF-32", "iconv", Encoding.UTF32.GetPreamble().Concat(Encoding.UTF32.GetBytes("{}")).ToArray()),
    ];

    [TestCaseSource(nameof(s_magic))]
    public void AForeignFileIsCalledByItsNameWithTheRemedy(string name, string remedy, byte[] content)
    {
        using var scratch = new ScratchDirectory();
        var file = scratch["x.bin"];
        File.WriteAllBytes(file, content);
        Assert.That(() => InputFile.Read(file), Throws.TypeOf<UserErrorException>()
            .With.Message.StartsWith($"{file} is {name}").And.Message.Contains(remedy).And.Message.Not.Contains("\n"));
    }

    [Test]
    public void WhatGzipWritesIsGzip()
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true)) gzip.Write("{\"prompt\": \"a\"}"u8);
        Assert.That(ForeignFile.Describe(packed.ToArray())?.Name, Is.EqualTo("gzip-compressed"));
    }

    [TestCase("{\"prompt\": \"<html>\"}\n")]
    [TestCase("[1]")]
    [TestCase("\uFEFF{}")]
    [TestCase("")]
    [TestCase("BZhang")]
    public void JsonIsNone(string content) => Assert.That(ForeignFile.Describe(Encoding.UTF8.GetBytes(content)), Is.Null);

    [Test]
    public void AnEmptyFileIsSaidSo()
    {
        using var scratch = new ScratchDirectory();
        var file = scratch.File("x.json", "");
        Assert.That(() => InputFile.Read(file),
            Throws.TypeOf<UserErrorException>().With.Message.EqualTo($"{file} is empty; fetch it again"));
    }

    private static TestCaseData Case(string name, string remedy, ReadOnlySpan<byte> content) =>
        new TestCaseData(name, remedy, content.ToArray())
            .SetArgDisplayNames(name, Convert.ToHexString(content[..Math.Min(8, content.Length)]));

    /// <summary>json.dumps of Python 3 writes these words for float('inf') and float('nan'); within a text they are text.</summary>
    [TestCase("{\"a\": Infinity, \"b\": [-Infinity,NaN]}", "{\"a\": \"Infinity\", \"b\": [\"-Infinity\",\"NaN\"]}")]
    [TestCase("{\"NaN\": \"Infinity \\\" NaN\\\\\", \"c\": NaN}", "{\"NaN\": \"Infinity \\\" NaN\\\\\", \"c\": \"NaN\"}")]
    [TestCase("\uFEFF{\"NaN\": 1.5}", "{\"NaN\": 1.5}")]
    public void JsonOfPythonIsRead(string written, string read)
    {
        using var json = InputFile.ParseJson(Encoding.UTF8.GetBytes(written));
        Assert.That(json.RootElement.GetRawText(), Is.EqualTo(read));
    }

    [TestCase("{\"a\": Nan}")]
    [TestCase("{\"a\": NaN")]
    [TestCase("\"NaN\\")]
    public void OtherWordsAreNoJson(string written) =>
        Assert.That(() => InputFile.ParseJson(Encoding.UTF8.GetBytes(written)), Throws.InstanceOf<System.Text.Json.JsonException>());
}
