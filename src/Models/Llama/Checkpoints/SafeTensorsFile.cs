using System.Buffers.Binary;
using System.Text.Json;
using Harness.Common;
using Harness.Tensors;
using Microsoft.Win32.SafeHandles;

namespace Harness.Models.Llama.Checkpoints;

/// <summary>
/// One <c>*.safetensors</c> file: 8 bytes of header length (little-endian), a JSON header that gives each tensor's dtype, shape and byte
/// range, then the data (format: github.com/huggingface/safetensors). It is read, not mapped: whoever touches a page of a mapping whose
/// file has been cut meanwhile is ended by the system (SIGBUS), and one that is overwritten would change the weights of a run that goes on.
/// </summary>
internal sealed class SafeTensorsFile : IDisposable
{
    private const long LongestHeader = 100_000_000;     // the limit of the reference implementation

    private readonly SafeFileHandle _file;
    private readonly (long Bytes, DateTime WrittenUtc) _asOpened;
    private readonly Dictionary<string, Entry> _entries = [];

    public string Path { get; }
    public IEnumerable<string> Names => _entries.Keys;
    public long Bytes => _asOpened.Bytes;

    /// <summary>Where the tensors' data begin.</summary>
    public long DataStart { get; }

    /// <summary>Of every tensor, in the order of the data: its first byte behind <see cref="DataStart"/>, and how many.</summary>
    public IEnumerable<(long Begin, long Length)> Ranges =>
        _entries.Values.Select(entry => (entry.Begin, entry.End - entry.Begin)).Order();

    public readonly record struct Entry(string DType, long[] Shape, long Begin, long End);

    public SafeTensorsFile(string path)
    {
        Path = path;
        _file = RegularFile.Open(path);
        try
        {
            _asOpened = State();
            DataStart = ReadHeader();
        }
        catch (IOException e)
        {
            _file.Dispose();
            throw Unreadable(e);
        }
        catch
        {
            _file.Dispose();
            throw;
        }
    }

    /// <summary>The tensor's first byte in the file.</summary>
    /// <exception cref="UserErrorException">Its dtype is not supported, or its shape is not [rows, columns] (one row:
    /// [columns]).</exception>
    public (long Position, DType DType) Find(string name, int rows, int columns)
    {
        var entry = _entries[name];
        var dtype = entry.DType switch
        {
            "F32" => DType.F32,
            "BF16" => DType.BF16,
            "F16" => DType.F16,
            _ => throw new UserErrorException($"{Path}: tensor {name} has dtype {entry.DType}; F32, BF16 and F16 are supported"),
        };
        var isVector = entry.Shape.Length == 1 && (rows == 1 || columns == 1);
        var expected = isVector ? [Math.Max(rows, columns)] : new long[] { rows, columns };
        if (!entry.Shape.SequenceEqual(expected))
            throw new UserErrorException($"{Path}: tensor {name} is [{string.Join(", ", entry.Shape)}], but config.json makes it "
                + $"[{string.Join(", ", expected)}]");
        return (DataStart + entry.Begin, dtype);
    }

    /// <summary>Fills the destination from this place of the file. Safe to call from several threads.</summary>
    /// <exception cref="UserErrorException">The file ends before, or cannot be read.</exception>
    public void Read(long position, Span<byte> destination)
    {
        while (destination.Length > 0)
        {
            var read = ReadSome(position, destination);
            if (read == 0) throw Changed(State());
            position += read;
            destination = destination[read..];
        }
    }

    /// <summary>What is there of the destination's length; 0 bytes at the file's end.</summary>
    /// <exception cref="UserErrorException">The file cannot be read.</exception>
    public int ReadSome(long position, Span<byte> destination)
    {
        try { return RandomAccess.Read(_file, destination, position); }
        catch (IOException e) { throw Unreadable(e); }
    }

    /// <summary>
    /// After something was read: that it belongs to the file whose header was. One that was replaced (renamed over) stays open as it was.
    /// </summary>
    /// <exception cref="UserErrorException">The file has another length, or was written to, since it was opened.</exception>
    public void MustBeAsOpened()
    {
        if (State() is var now && now != _asOpened) throw Changed(now);
    }

    public void Dispose() => _file.Dispose();

    private (long Bytes, DateTime WrittenUtc) State() => (RandomAccess.GetLength(_file), File.GetLastWriteTimeUtc(_file));

    private UserErrorException Changed((long Bytes, DateTime WrittenUtc) now) =>
        new($"{Path} has changed while it was read: {Text(_asOpened)} became {Text(now)}; wait until nothing writes to it, and start "
            + "again");

    private static string Text((long Bytes, DateTime WrittenUtc) state) =>
        FormattableString.Invariant($"{state.Bytes} bytes of {state.WrittenUtc:yyyy-MM-ddTHH:mm:ss.fffZ}");

    private UserErrorException Unreadable(IOException e) => new($"cannot read {Path}: {e.Message}", e);

    /// <summary>Fills the table and returns where the data begin.</summary>
    private long ReadHeader()
    {
        Span<byte> head = stackalloc byte[ForeignFile.HeadBytes];
        head = head[..ReadSome(0, head)];
        if (Bytes == 0) throw new UserErrorException($"{Path} is empty; fetch it again");
        var length = head.Length < 8 ? -1 : BinaryPrimitives.ReadInt64LittleEndian(head);
        // A header of 35,615 bytes begins like a gzip file: only a length that cannot be one is looked at for what else it is.
        if (length is <= 0 or > LongestHeader || 8 + length > Bytes) ForeignFile.Refuse(Path, head);
        if (head.Length < 8) throw Damaged(Path, "it ends within its first 8 bytes");
        if (length is <= 0 or > LongestHeader) throw Damaged(Path, $"its header claims {length} bytes");
        if (8 + length > Bytes) throw Damaged(Path, $"its header of {length} bytes does not fit its {Bytes} bytes");
        var header = new byte[length];
        Read(8, header);
        try
        {
            ReadEntries(header);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException
            or IndexOutOfRangeException or ArgumentException or OverflowException)
        {
            throw Damaged(Path, "its header is not a safetensors header");
        }
        return 8 + length;
    }

    private void ReadEntries(byte[] header)
    {
        using var json = JsonDocument.Parse(header);
        foreach (var tensor in json.RootElement.EnumerateObject())
        {
            if (tensor.Name == "__metadata__")
            {
                CheckMetadata(Path, tensor.Value);
                continue;
            }
            var range = tensor.Value.GetProperty("data_offsets");
            var entry = new Entry(
                tensor.Value.GetProperty("dtype").GetString() ?? throw new FormatException("a dtype is a word"),
                [.. tensor.Value.GetProperty("shape").EnumerateArray().Select(d => d.GetInt64())],
                range[0].GetInt64(), range[1].GetInt64());
            if (entry.Begin < 0 || entry.End < entry.Begin)
                throw Damaged(Path, $"tensor {tensor.Name} has the byte range {entry.Begin} to {entry.End}");
            if (!_entries.TryAdd(tensor.Name, entry)) throw Damaged(Path, $"its header has tensor {tensor.Name} twice");
        }
        CheckRanges(Path, _entries, Bytes - 8 - header.Length);
    }

    /// <summary>Texts by name, as the reference implementation has it (HashMap of String and String); null for none.</summary>
    private static void CheckMetadata(string path, JsonElement metadata)
    {
        if (metadata.ValueKind == JsonValueKind.Null) return;
        foreach (var entry in metadata.EnumerateObject())
            if (entry.Value.ValueKind != JsonValueKind.String)
                throw Damaged(path, $"{entry.Name} of its __metadata__ is {entry.Value.GetRawText()}, where safetensors has texts alone");
    }

    /// <summary>
    /// As the reference implementation (Metadata::validate of safetensors/src/tensor.rs): the tensors lie one behind the other, without a
    /// gap or an overlap, each as long as its shape and dtype say, and the last one ends with the file.
    /// </summary>
    private static void CheckRanges(string path, Dictionary<string, Entry> entries, long present)
    {
        var last = entries.Values.Select(entry => entry.End).DefaultIfEmpty(0).Max();
        if (last > present) throw Damaged(path, $"it is {last - present} bytes shorter than its header says (truncated?)");
        var (end, before) = (0L, "");
        foreach (var (name, entry) in entries.OrderBy(tensor => tensor.Value.Begin).ThenBy(tensor => tensor.Value.End)
            .ThenBy(tensor => tensor.Key, StringComparer.Ordinal))
        {
            if (entry.Begin < end) throw Damaged(path, $"tensors {before} and {name} overlap at byte {entry.Begin} of the data");
            if (entry.Begin > end) throw Damaged(path, $"bytes {end} to {entry.Begin} of the data belong to no tensor");
            var bits = BitsPerElement(entry.DType)
                ?? throw Damaged(path, $"tensor {name} has the dtype {entry.DType}, which safetensors does not know");
            if ((Int128)(entry.End - entry.Begin) * 8 != entry.Shape.Aggregate((Int128)bits, (product, dimension) =>
                checked(product * dimension)))
                throw new UserErrorException($"{path}: tensor {name} takes {entry.End - entry.Begin} bytes, "
                    + "which is not its shape times its dtype; fetch the file again");
            (end, before) = (entry.End, name);
        }
        if (end < present) throw Damaged(path, $"{present - end} bytes lie behind its last tensor");
    }

    private static int? BitsPerElement(string dtype) => dtype switch
    {
        "F4" => 4,
        "F6_E2M3" or "F6_E3M2" => 6,
        "BOOL" or "U8" or "I8" or "F8_E5M2" or "F8_E4M3" or "F8_E8M0" or "F8_E4M3FNUZ" or "F8_E5M2FNUZ" => 8,
        "I16" or "U16" or "F16" or "BF16" => 16,
        "I32" or "U32" or "F32" => 32,
        "I64" or "U64" or "F64" or "C64" => 64,
        _ => null,
    };

    private static UserErrorException Damaged(string path, string how) => new($"{path} is damaged: {how}; fetch the file again");
}
