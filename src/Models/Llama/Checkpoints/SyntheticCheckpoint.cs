using Harness.Common;
using Harness.Models.Llama.Configuration;
using Harness.Sharding;
using Harness.Tensors;

namespace Harness.Models.Llama.Checkpoints;

/// <summary>
/// A published shape filled with seeded random bf16 weights, so that time and energy can be measured without a download.
/// Element [row, column] of a tensor is a hash of its place: any slice on any rank equals that part of the whole.
/// </summary>
public sealed class SyntheticCheckpoint : ICheckpoint
{
    public const string Prefix = "synthetic:";

    public string Name { get; }
    public LlamaConfig Config { get; }
    public DType DType => DType.BF16;
    public string Fingerprint => $"{Name} v1";
    public IReadOnlyList<string> Files => [];
    public IReadOnlyList<string> Notes => [];

    public SyntheticCheckpoint(string name)
    {
        Name = name;
        Config = SyntheticShapes.All.TryGetValue(name[Prefix.Length..], out var config)
            ? config
            : throw new UserErrorException(
                $"model '{name}' is unknown; synthetic shapes are {string.Join(", ", SyntheticShapes.All.Keys)}");
    }

    public WeightSlice Read(TensorSlice slice) => new SyntheticSlice(slice)
    {
        Name = slice.Name,
        DType = DType.BF16,
        Rows = slice.Rows.Count,
        Columns = slice.Columns.Count,
    };

    public void MustBeAsOpened() { }

    public void Dispose() { }
}
