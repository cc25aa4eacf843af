using Harness.Common;
using Harness.Models.Llama.Configuration;
using Harness.Sharding;
using Harness.Tensors;

namespace Harness.Models.Llama.Checkpoints;

/// <summary>Where weights come from: files, or a formula. Nothing is read until a backend copies a slice.</summary>
public interface ICheckpoint : IDisposable
{
    /// <summary>As the user named it.</summary>
    string Name { get; }
    LlamaConfig Config { get; }

    /// <summary>Element type of the stored matrices.</summary>
    DType DType { get; }

    /// <summary>
    /// Equal for checkpoints of equal configuration, headers and sizes and of equal samples of every tensor; ranks compare it before they
    /// load.
    /// </summary>
    string Fingerprint { get; }

    /// <summary>The files in which the weights lie, in the order in which they are named; none where a formula makes them.</summary>
    IReadOnlyList<string> Files { get; }

    /// <summary>A line for each thing that the files say or hold and that is not followed or read.</summary>
    IReadOnlyList<string> Notes { get; }

    /// <exception cref="UserErrorException">The tensor is missing, has another shape, or a dtype that is not supported.</exception>
    WeightSlice Read(TensorSlice slice);

    /// <summary>After weights were loaded: that all of them, and the fingerprint, are of one version of the files.</summary>
    /// <exception cref="UserErrorException">A file was written to since it was opened.</exception>
    void MustBeAsOpened();
}

public static class Checkpoint
{
    /// <summary>Opens a Hugging Face directory, or <c>synthetic:NAME</c>; reads headers only.</summary>
    public static ICheckpoint Open(string model) => model.StartsWith(SyntheticCheckpoint.Prefix, StringComparison.Ordinal)
        ? new SyntheticCheckpoint(model)
        : new HuggingFaceCheckpoint(model);
}
