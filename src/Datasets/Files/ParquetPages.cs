using Harness.Common;

namespace Harness.Datasets.Files;

/// <summary>
/// The pages of a column in one group of rows, checked before they are unpacked: their sizes against the file's and against what archives
/// of text come to, their packing and encoding against what is read rightly.
/// </summary>
internal sealed class ParquetPages
{
    private const int HeaderBytes = 1 << 12, MostHeaderBytes = 1 << 24;
    private const int DataPage = 0, DictionaryPage = 2, DataPage2 = 3;      // PageType
    private const int None = 0, Snappy = 1, Gzip = 2, Zstd = 6;             // CompressionCodec

    /// <summary>Unpacked bytes that no archive is too small for, and for each of its bytes.</summary>
    private const long FreeBytes = 16L << 20, BytesPerByte = 1_000;

    private static readonly string[] s_codecs = ["", "SNAPPY", "GZIP", "LZO", "BROTLI", "LZ4", "ZSTD", "LZ4_RAW"];

    private static readonly string[] s_encodings =
        ["PLAIN", "", "PLAIN_DICTIONARY", "RLE", "BIT_PACKED", "DELTA_BINARY_PACKED", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY",
            "RLE_DICTIONARY", "BYTE_STREAM_SPLIT"];

    private readonly ParquetFile _file;
    private readonly string _column;
    private readonly long _codec;

    /// <summary>Entries of the column, nulls and empty lists among them.</summary>
    public long Values { get; }

    public long UnpackedBytes { get; private set; }

    /// <summary>Where the last page ends.</summary>
    public long End { get; private set; }

    /// <exception cref="UserErrorException">They are damaged, or of a form that is not read; the column is named.</exception>
    public ParquetPages(ParquetFile file, ThriftStruct group, ParquetNode leaf)
    {
        (_file, _column) = (file, leaf.Path);
        var chunk = group.Structs(1).ElementAtOrDefault(leaf.Leaf);
        if (chunk?.Has(8) == true) throw Refuse("is encrypted; write it without encryption");
        if (chunk?.Text(1).Length > 0) throw Refuse("lies in another file; write the table as one file");
        if (chunk?.Struct(3) is not { } column || string.Join('.', column.Texts(3)) != leaf.Path)
            throw Refuse("is not where the schema says; fetch the file again");
        (_codec, Values) = (column.Number(4) ?? -1, column.Number(5) ?? -1);
        if (_codec is not (None or Snappy or Gzip or Zstd))
            throw Refuse($"is packed by {s_codecs.ElementAtOrDefault((int)_codec) ?? "an unknown codec"}; write it with zstd, snappy or "
                + "gzip");
        if (Values is < 0 or > int.MaxValue) throw Refuse($"has {Values} values in one group of rows; write it in smaller groups");
        if (Values == 0) return;
        // Of dictionary, data and index, as Parquet.Net takes it.
        var begin = new[] { column.Number(11), column.Number(9), column.Number(10) }.Where(at => at is not (null or 0)).Min();
        if (begin is not > 0 || begin >= file.Bytes) throw Damaged("its pages would not be in the file");
        Walk(begin.Value);
    }

    /// <summary>From page to page, as the reader will go.</summary>
    private void Walk(long at)
    {
        var begin = at;
        for (var values = 0L; values < Values;)
        {
            var (page, header) = Header(at);
            var (packed, unpacked) = (page.Number(3) ?? -1, page.Number(2) ?? -1);
            var body = at + header;
            if (packed < 0 || unpacked < 0 || packed > _file.Bytes - body) throw Damaged("a page is larger than the file");
            at = body + packed;
            UnpackedBytes += Math.Max(unpacked, Claimed(page, body, (int)packed, unpacked));
            if (UnpackedBytes > FreeBytes + BytesPerByte * (at - begin))
                throw Refuse($"would unpack to more than {BytesPerByte} times its size, which no text does; fetch the file again");
            switch (page.Number(1))
            {
                case DictionaryPage:
                    if (page.Struct(7)?.Number(1) is not (>= 0 and var words) || words > unpacked) throw Damaged("its dictionary");
                    break;
                case DataPage:
                    values += Counted(page.Struct(5), encoding: 2);
                    break;
                case DataPage2:
                    if (page.Struct(8) is { } lists && (lists.Number(6) ?? 0) > 0)
                        throw Refuse("is a list in data pages of version 2, which are not read; write them with version 1");
                    values += Counted(page.Struct(8), encoding: 4);
                    break;
                default:
                    throw Refuse($"has a page of type {page.Number(1)}, which is not read; write the table anew");
            }
            if (values > Values) throw Damaged("its pages hold more values than its footer says");
        }
        End = at;
    }

    private (ThriftStruct Header, int Bytes) Header(long at)
    {
        for (var size = HeaderBytes; ; size *= 16)
        {
            var bytes = new byte[(int)Math.Clamp(_file.Bytes - at, 0, size)];
            var read = _file.Read(bytes, at);
            try
            {
                return (ThriftStruct.Parse("PageHeader", bytes.AsSpan(0, read), out var length), length);
            }
            catch (InvalidDataException e)
            {
                if (read < size || size >= MostHeaderBytes) throw Damaged($"a page's header: {e.Message}", e);
            }
        }
    }

    private long Counted(ThriftStruct? data, int encoding)
    {
        if (data?.Number(1) is not (>= 0 and var count)) throw Damaged("a page's header");
        var name = data.Number(encoding) is >= 0 and < 10 and var known ? s_encodings[known] : "an unknown way";
        return name is "PLAIN" or "PLAIN_DICTIONARY" or "RLE" or "RLE_DICTIONARY" or "BYTE_STREAM_SPLIT" ? count
            : throw Refuse($"is encoded by {name}; write it with plain or dictionary encoding");
    }

    /// <summary>What the packed bytes say of their own size, which is what is allocated.</summary>
    private long Claimed(ThriftStruct page, long body, int packed, long unpacked)
    {
        if (page.Struct(8) is { } data)
        {
            var levels = (data.Number(5) ?? 0) + (data.Number(6) ?? 0);
            if (data.Number(5) is < 0 || levels < 0 || levels > packed || levels > unpacked) throw Damaged("a page's levels");
            (body, packed, unpacked) = (body + levels, packed - (int)levels, unpacked - levels);
            if (data.Number(7) == 0) return MustBe(packed, unpacked);
        }
        return _codec switch
        {
            None => MustBe(packed, unpacked),
            Snappy => MustBe(Varint(Read(body, Math.Min(packed, 5))), unpacked),
            Zstd => ZstdSize(Read(body, packed)),
            _ => unpacked,
        };
    }

    private byte[] Read(long at, int count)
    {
        var bytes = new byte[count];
        return _file.Read(bytes, at) == count ? bytes : throw Damaged("the file is cut off");
    }

    private long MustBe(long bytes, long unpacked) =>
        bytes == unpacked ? bytes : throw Damaged("the sizes of a page are not those of its data");

    private static long Varint(ReadOnlySpan<byte> bytes)
    {
        var value = 0L;
        for (var i = 0; i < Math.Min(5, bytes.Length); i++)
        {
            value |= (long)(bytes[i] & 0x7F) << (7 * i);
            if (bytes[i] < 0x80) return value;
        }
        return -1;
    }

    private long ZstdSize(byte[] packed)
    {
        try
        {
            return (long)Math.Min(ZstdSharp.Decompressor.GetDecompressedSize(packed), int.MaxValue);
        }
        catch (ZstdSharp.ZstdException e)
        {
            throw Refuse("is packed by zstd without saying its size; write it with another library, or with snappy", e);
        }
    }

    private UserErrorException Damaged(string what, Exception? cause = null) => Refuse($"is damaged ({what}); fetch the file again", cause);

    private UserErrorException Refuse(string why, Exception? cause = null) => _file.Refuse($"its column \"{_column}\" {why}", cause);
}
