using System.Buffers.Binary;
using System.IO.MemoryMappedFiles;
using System.Text.Json;
using Harness.Tensors;

namespace Harness.Models.Llama.Checkpoints;

/// <summary>
/// One memory-mapped <c>*.safetensors</c> file: 8 bytes of header length (little-endian), a JSON header that gives each
/// tensor's dtype, shape and byte range, then the data (format: github.com/huggingface/safetensors).
/// </summary>
internal sealed unsafe class SafeTensorsFile : IDisposable
{
    private const long LongestHeader = 100_000_000;     // the limit of the reference implementation

    private readonly MemoryMappedFile _map;
    private readonly MemoryMappedViewAccessor _view;
    private readonly byte* _data;
    private readonly Dictionary<string, Entry> _entries = [];

    public string Path { get; }
    public IEnumerable<string> Names => _entries.Keys;

    public readonly record struct Entry(string DType, long[] Shape, long Begin, long End);

    public SafeTensorsFile(string path)
    {
        Path = path;
        var dataStart = ReadHeader(path, _entries);
        _map = MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
        _view = _map.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
        byte* start = null;
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
        _data = start + dataStart;
    }

    /// <summary>The tensor's place in memory.</summary>
    /// <exception cref="UserErrorException">Its dtype is not supported, or its shape is not [rows, columns] (one row: [columns]).</exception>
    public (nint Address, DType DType) Find(string name, int rows, int columns)
    {
        var entry = _entries[name];
        var dtype = entry.DType switch
        {
            "F32" => DType.F32,
            "BF16" => DType.BF16,
            "F16" => DType.F16,
            _ => throw new UserErrorException($"{Path}: tensor {name} has dtype {entry.DType}; F32, BF16 and F16 are supported"),
        };
        var expected = rows == 1 && entry.Shape.Length == 1 ? [columns] : new long[] { rows, columns };
        if (!entry.Shape.SequenceEqual(expected))
            throw new UserErrorException($"{Path}: tensor {name} is [{string.Join(", ", entry.Shape)}], but config.json makes it [{string.Join(", ", expected)}]");
        if (entry.End - entry.Begin != (long)rows * columns * dtype.Bytes())
            throw new UserErrorException($"{Path}: tensor {name} takes {entry.End - entry.Begin} bytes, which is not its shape times its dtype; fetch the file again");
        return ((nint)(_data + entry.Begin), dtype);
    }

    public void Dispose()
    {
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _map.Dispose();
    }

    /// <summary>Fills the table and returns where the data begin.</summary>
    private static long ReadHeader(string path, Dictionary<string, Entry> entries)
    {
        try
        {
            using var file = File.OpenRead(path);
            Span<byte> prefix = stackalloc byte[8];
            if (file.ReadAtLeast(prefix, 8, throwOnEndOfStream: false) < 8) throw Damaged(path, "it ends within its first 8 bytes");
            var length = BinaryPrimitives.ReadInt64LittleEndian(prefix);
            if (length is <= 0 or > LongestHeader) throw Damaged(path, $"its header claims {length} bytes");
            if (8 + length > file.Length) throw Damaged(path, $"its header of {length} bytes does not fit its {file.Length} bytes");
            var header = new byte[length];
            file.ReadExactly(header);
            using var json = JsonDocument.Parse(header);
            long end = 0;
            foreach (var tensor in json.RootElement.EnumerateObject().Where(t => t.Name != "__metadata__"))
            {
                var range = tensor.Value.GetProperty("data_offsets");
                var entry = new Entry(
                    tensor.Value.GetProperty("dtype").GetString() ?? throw new FormatException("a dtype is a word"),
                    [.. tensor.Value.GetProperty("shape").EnumerateArray().Select(d => d.GetInt64())],
                    range[0].GetInt64(), range[1].GetInt64());
                if (entry.Begin < 0 || entry.End < entry.Begin) throw Damaged(path, $"tensor {tensor.Name} has the byte range {entry.Begin} to {entry.End}");
                entries.Add(tensor.Name, entry);
                end = Math.Max(end, entry.End);
            }
            var present = file.Length - 8 - length;
            if (end > present) throw Damaged(path, $"it is {end - present} bytes shorter than its header says (truncated?)");
            return 8 + length;
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or IndexOutOfRangeException or ArgumentException)
        {
            throw Damaged(path, "its header is not a safetensors header");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"cannot read {path}: {e.Message}", e);
        }
    }

    private static UserErrorException Damaged(string path, string how) => new($"{path} is damaged: {how}; fetch the file again");
}
