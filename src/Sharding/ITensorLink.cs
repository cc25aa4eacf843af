using Harness.Tensors;

namespace Harness.Sharding;

/// <summary>Moves tensors between the ranks of one group: a tensor-parallel group, or the stages of one pipeline.</summary>
public interface ITensorLink
{
    int Rank { get; }
    int Size { get; }

    /// <summary>
    /// Whether a call returns when the device has done its part in it, so that the host's time in calls is the device's; false where calls
    /// are put on a stream.
    /// </summary>
    bool IsSynchronous => true;

    /// <summary>Sum of the ranks' tensors, in place.</summary>
    void AllReduce(Tensor x);

    /// <summary>
    /// The ranks' columns side by side, in rank order: [rows, Σ columns]. <paramref name="columns"/> holds each rank's width.
    /// </summary>
    Tensor AllGatherColumns(Tensor x, ReadOnlySpan<int> columns);

    /// <summary>Buffered: returns without waiting for the receiver.</summary>
    void Send(Tensor x, int destination);

    /// <summary>The next tensor from that rank, in the current scope.</summary>
    Tensor Receive(int rows, int columns, int source);

    /// <summary>What has passed through this link since it was made.</summary>
    LinkStatistics Statistics { get; }
}

/// <param name="BytesSent">Payload that left this rank, by the algorithm's minimum: an all-reduce of n bytes over s ranks counts 2 n (s -
/// 1) / s.</param>
/// <param name="CollectiveSeconds">
/// Time inside AllReduce and AllGatherColumns, from when the device has made what goes in: moving it, and waiting for the other ranks.
/// </param>
/// <param name="ReceiveSeconds">Time waiting in Receive: a stage's idle time.</param>
/// <param name="TransferSeconds">Time inside Send, and inside Receive once the message is there.</param>
public readonly record struct LinkStatistics(long BytesSent, double CollectiveSeconds, double ReceiveSeconds, double TransferSeconds = 0)
{
    public static LinkStatistics operator -(LinkStatistics a, LinkStatistics b) =>
        new(a.BytesSent - b.BytesSent, a.CollectiveSeconds - b.CollectiveSeconds, a.ReceiveSeconds - b.ReceiveSeconds,
            a.TransferSeconds - b.TransferSeconds);

    public static LinkStatistics operator +(LinkStatistics a, LinkStatistics b) =>
        new(a.BytesSent + b.BytesSent, a.CollectiveSeconds + b.CollectiveSeconds, a.ReceiveSeconds + b.ReceiveSeconds,
            a.TransferSeconds + b.TransferSeconds);
}
