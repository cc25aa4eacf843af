using System.Diagnostics;
using System.Runtime.InteropServices;
using Harness.Sharding;

namespace Harness.Models.Llama.Generation;

/// <summary>What the sampling rank alone can say: whether to stop, and how many requests have arrived by its clock.</summary>
internal readonly record struct Notice(bool Stop, int Arrived);

/// <summary>
/// Carries each pass's tokens from the sampling rank (last stage, tensor rank 0) to every other rank of the replica, with
/// its <see cref="Notice"/>: so all ranks leave the loop at the same pass, and give slots to the same requests.
/// </summary>
public sealed class TokenExchange(ICommunicator replica, int samplingRank)
{
    private const int Tag = 77, HeaderLength = 2;

    private long _bytesSent, _waitTicks;

    public bool IsSampler => replica.Rank == samplingRank;

    /// <summary>What passed; waiting for tokens is the first stages' idle time.</summary>
    public LinkStatistics Statistics => new(_bytesSent, 0, (double)_waitTicks / Stopwatch.Frequency);

    /// <summary>On the sampling rank: until every other rank of the replica has called this.</summary>
    internal void AwaitOthers() => replica.Gather([], samplingRank);

    internal void Send(int[] tokens, Notice notice)
    {
        int[] message = [notice.Stop ? 1 : 0, notice.Arrived, .. tokens];
        for (var rank = 0; rank < replica.Size; rank++)
        {
            if (rank == samplingRank) continue;
            replica.Send(MemoryMarshal.AsBytes(message.AsSpan()), rank, Tag);
            _bytesSent += message.Length * sizeof(int);
        }
    }

    internal (int[] Tokens, Notice Notice) Receive(int count)
    {
        var message = new int[HeaderLength + count];
        var start = Stopwatch.GetTimestamp();
        replica.Receive(MemoryMarshal.AsBytes(message.AsSpan()), samplingRank, Tag);
        _waitTicks += Stopwatch.GetTimestamp() - start;
        return (message[HeaderLength..], new(message[0] != 0, message[1]));
    }
}
