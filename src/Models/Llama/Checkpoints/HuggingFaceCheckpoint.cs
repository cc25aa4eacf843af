using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Harness.Sharding;
using Harness.Tensors;

namespace Harness.Models.Llama.Checkpoints;

/// <summary>
/// A directory in Hugging Face layout: <c>config.json</c> and <c>model.safetensors</c>, or
/// <c>model.safetensors.index.json</c> with the shards that it names.
/// </summary>
public sealed class HuggingFaceCheckpoint : ICheckpoint
{
    private const string Index = "model.safetensors.index.json";
    private const int Samples = 64;

    private readonly Dictionary<string, SafeTensorsFile> _homes = [];
    private readonly List<SafeTensorsFile> _files = [];

    public string Name { get; }
    public LlamaConfig Config { get; }
    public DType DType { get; }
    public string Fingerprint { get; }

    public HuggingFaceCheckpoint(string directory)
    {
        Name = directory;
        if (!Directory.Exists(directory))
            throw new UserErrorException($"model '{directory}' is not a directory; --model takes a Hugging Face checkpoint directory or synthetic:NAME");
        Config = LlamaConfig.Load(Path.Combine(directory, "config.json"));
        foreach (var file in FilesOf(directory))
        {
            var opened = new SafeTensorsFile(file);
            _files.Add(opened);
            foreach (var name in opened.Names) _homes[name] = opened;
        }
        DType = Read(new ShardPlan(Config.Shape, 1, 1).For(0, 0).Find(RankPlan.Embedding)).DType;
        Fingerprint = Hash(directory);
    }

    public WeightSlice Read(TensorSlice slice)
    {
        if (!_homes.TryGetValue(slice.Name, out var file))
            throw new UserErrorException($"{Name} has no tensor {slice.Name}; the checkpoint is incomplete or not a LLaMA");
        var (address, dtype) = file.Find(slice.Name, slice.TotalRows, slice.TotalColumns);
        var stride = (long)slice.TotalColumns * dtype.Bytes();
        return new MappedSlice(address + (nint)(slice.Rows.Start * stride + (long)slice.Columns.Start * dtype.Bytes()), stride)
        {
            Name = slice.Name,
            DType = dtype,
            Rows = slice.Rows.Count,
            Columns = slice.Columns.Count,
        };
    }

    public void Dispose() => _files.ForEach(file => file.Dispose());

    private static IEnumerable<string> FilesOf(string directory)
    {
        var index = Path.Combine(directory, Index);
        if (!File.Exists(index))
        {
            var single = Path.Combine(directory, "model.safetensors");
            return File.Exists(single)
                ? [single]
                : throw new UserErrorException($"{directory} holds neither model.safetensors nor {Index}; convert the checkpoint to safetensors");
        }
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(index));
            var names = json.RootElement.GetProperty("weight_map").EnumerateObject().Select(t => t.Value.GetString()!).Distinct().Order(StringComparer.Ordinal);
            return [.. names.Select(name => Path.Combine(directory, name))];
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or ArgumentNullException)
        {
            throw new UserErrorException($"{index} is not a safetensors index; fetch the file again", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"cannot read {index}: {e.Message}", e);
        }
    }

    /// <summary>Configuration, names, sizes and samples spread over each file: cheap, and a stale copy of the same size still differs.</summary>
    private string Hash(string directory)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(File.ReadAllBytes(Path.Combine(directory, "config.json")));
        Span<byte> sample = stackalloc byte[256];
        foreach (var file in _files)
        {
            using var handle = File.OpenHandle(file.Path);
            var length = RandomAccess.GetLength(handle);
            hash.AppendData(Encoding.UTF8.GetBytes($"{Path.GetFileName(file.Path)} {length}"));
            for (var i = 0; i < Samples; i++)
                hash.AppendData(sample[..RandomAccess.Read(handle, sample, length / Samples * i)]);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
