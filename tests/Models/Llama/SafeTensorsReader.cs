using System.Text.Json.Nodes;

namespace Harness.Tests.Models.Llama;

/// <summary>
/// All tensors of a directory's *.safetensors files, as the format's description reads (github.com/huggingface/safetensors).
/// </summary>
internal sealed class SafeTensorsReader
{
    private readonly Dictionary<string, (string File, JsonNode Entry, long DataStart)> _tensors = [];

    public SafeTensorsReader(string directory)
    {
        foreach (var file in Directory.GetFiles(directory, "*.safetensors"))
        {
            using var reader = new BinaryReader(File.OpenRead(file));
            var length = reader.ReadInt64();
            var header = JsonNode.Parse(reader.ReadBytes((int)length))!.AsObject();
            foreach (var (name, entry) in header)
                if (name != "__metadata__") _tensors.Add(name, (file, entry!, 8 + length));
        }
    }

    public IEnumerable<string> Names => _tensors.Keys;

    public bool Has(string name) => _tensors.ContainsKey(name);

    /// <summary>The tensor's first byte in its file.</summary>
    public long OffsetOf(string name) => _tensors[name].DataStart + (long)_tensors[name].Entry["data_offsets"]![0]!;

    public (int[] Shape, double[] Values) Read(string name)
    {
        var (file, entry, start) = _tensors[name];
        var dtype = (string)entry["dtype"]!;
        var (begin, end) = ((long)entry["data_offsets"]![0]!, (long)entry["data_offsets"]![1]!);
        using var stream = File.OpenRead(file);
        stream.Position = start + begin;
        var bytes = new byte[end - begin];
        stream.ReadExactly(bytes);
        var size = dtype == "F32" ? 4 : 2;
        var values = new double[bytes.Length / size];
        for (var i = 0; i < values.Length; i++) values[i] = StoredNumber.Read(bytes.AsSpan(i * size, size), dtype);
        return ([.. entry["shape"]!.AsArray().Select(n => (int)n!)], values);
    }
}
