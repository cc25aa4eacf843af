using System.Diagnostics;
using System.Runtime.InteropServices;
using Harness.Sharding;

namespace Harness.Models.Llama.Generation;

/// <summary>
/// Carries each pass's tokens from the sampling rank (last stage, tensor rank 0) to every other rank of the replica, with
/// its wish to stop: so all ranks leave the loop at the same pass.
/// </summary>
public sealed class TokenExchange(ICommunicator replica, int samplingRank)
{
    private const int Tag = 77;

    private long _bytesSent, _waitTicks;

    public bool IsSampler => replica.Rank == samplingRank;

    /// <summary>What passed; waiting for tokens is the first stages' idle time.</summary>
    public LinkStatistics Statistics => new(_bytesSent, 0, (double)_waitTicks / Stopwatch.Frequency);

    internal void Send(int[] tokens, bool stop)
    {
        int[] message = [stop ? 1 : 0, .. tokens];
        for (var rank = 0; rank < replica.Size; rank++)
        {
            if (rank == samplingRank) continue;
            replica.Send(MemoryMarshal.AsBytes(message.AsSpan()), rank, Tag);
            _bytesSent += message.Length * sizeof(int);
        }
    }

    internal (int[] Tokens, bool Stop) Receive(int count)
    {
        var message = new int[count + 1];
        var start = Stopwatch.GetTimestamp();
        replica.Receive(MemoryMarshal.AsBytes(message.AsSpan()), samplingRank, Tag);
        _waitTicks += Stopwatch.GetTimestamp() - start;
        return (message[1..], message[0] != 0);
    }
}
