using System.Diagnostics;
using System.Runtime.InteropServices;
using Harness.Sharding;

namespace Harness.Models.Llama.Generation;

/// <summary>What the sampling rank alone can say: whether to stop, and how many requests have arrived by its clock.</summary>
/// <param name="BrokenRow">A sequence of the pass that has a logit that is not finite: nothing goes on. Null where all are finite.</param>
internal readonly record struct Notice(bool Stop, int Arrived, int? BrokenRow = null)
{
    private const int FirstBroken = 2;

    /// <summary>As it travels: 0 to go on, 1 to stop, 2 and more for the row that is broken.</summary>
    public int Verdict => BrokenRow is { } row ? FirstBroken + row : Stop ? 1 : 0;

    public static Notice Of(int verdict, int arrived) =>
        verdict >= FirstBroken ? new(Stop: true, arrived, verdict - FirstBroken) : new(verdict != 0, arrived);
}

/// <summary>
/// Carries each pass's tokens from the sampling rank (last stage, tensor rank 0) to every other rank of the replica, with
/// its <see cref="Notice"/>: so all ranks leave the loop at the same pass, and give slots to the same requests.
/// </summary>
public sealed class TokenExchange(ICommunicator replica, int samplingRank)
{
    private const int Tag = 77, HeaderLength = 2;

    private long _bytesSent, _waitTicks, _sendTicks;

    public bool IsSampler => replica.Rank == samplingRank;

    /// <summary>What passed; waiting for tokens is the first stages' idle time.</summary>
    public LinkStatistics Statistics => new(_bytesSent, 0, Seconds(_waitTicks), Seconds(_sendTicks));

    /// <summary>On the sampling rank: until every other rank of the replica has called this.</summary>
    internal void AwaitOthers() => replica.Gather([], samplingRank);

    internal void Send(int[] tokens, Notice notice)
    {
        if (replica.Size == 1) return;
        int[] message = [notice.Verdict, notice.Arrived, .. tokens];
        var start = Stopwatch.GetTimestamp();
        for (var rank = 0; rank < replica.Size; rank++)
        {
            if (rank == samplingRank) continue;
            replica.Send(MemoryMarshal.AsBytes(message.AsSpan()), rank, Tag);
            _bytesSent += message.Length * sizeof(int);
        }
        _sendTicks += Stopwatch.GetTimestamp() - start;
    }

    internal (int[] Tokens, Notice Notice) Receive(int count)
    {
        var message = new int[HeaderLength + count];
        var start = Stopwatch.GetTimestamp();
        replica.Receive(MemoryMarshal.AsBytes(message.AsSpan()), samplingRank, Tag);
        _waitTicks += Stopwatch.GetTimestamp() - start;
        return (message[HeaderLength..], Notice.Of(message[0], message[1]));
    }

    private static double Seconds(long ticks) => (double)ticks / Stopwatch.Frequency;
}
