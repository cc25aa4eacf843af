using Harness.Sharding;

namespace Harness.Models.Llama.Generation;

/// <summary>The ranks among which one copy of the model is spread, as one of them sees them.</summary>
public sealed class ReplicaGroup
{
    /// <summary>All ranks of the copy; tensor rank fastest, then stage.</summary>
    public required ICommunicator Replica { get; init; }

    /// <summary>The ranks of this stage.</summary>
    public required ICommunicator TensorRanks { get; init; }
    public required ITensorLink TensorLink { get; init; }

    /// <summary>This tensor rank's peer on every stage.</summary>
    public required ITensorLink Pipeline { get; init; }

    /// <summary>Each tensor rank's part of the vocabulary, in tokens.</summary>
    public required int[] VocabularyWidths { get; init; }

    /// <summary>Last stage, tensor rank 0.</summary>
    public int SamplingRank => Replica.Size - TensorRanks.Size;

    /// <summary>From the sampling rank to all others.</summary>
    public TokenExchange Tokens => field ??= new(Replica, SamplingRank);

    /// <summary>What has crossed this rank's links.</summary>
    public LinkStatistics LinkStatistics => TensorLink.Statistics + Pipeline.Statistics + Tokens.Statistics;

    /// <summary>Whether the host's time in this rank's links is the device's.</summary>
    public bool HostSeesTransfers => TensorLink.IsSynchronous && Pipeline.IsSynchronous;
}
