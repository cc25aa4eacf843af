using System.Runtime.InteropServices;
using Harness.Sharding;

namespace Harness.Models.Llama.Generation;

/// <summary>
/// Carries each pass's tokens from the sampling rank (last stage, tensor rank 0) to every other rank of the replica, with
/// its wish to stop: so all ranks leave the loop at the same pass.
/// </summary>
internal sealed class TokenExchange(ICommunicator replica, int samplingRank)
{
    private const int Tag = 77;

    public bool IsSampler => replica.Rank == samplingRank;

    public void Send(int[] tokens, bool stop)
    {
        int[] message = [stop ? 1 : 0, .. tokens];
        for (var rank = 0; rank < replica.Size; rank++)
            if (rank != samplingRank) replica.Send(MemoryMarshal.AsBytes(message.AsSpan()), rank, Tag);
    }

    public (int[] Tokens, bool Stop) Receive(int count)
    {
        var message = new int[count + 1];
        replica.Receive(MemoryMarshal.AsBytes(message.AsSpan()), samplingRank, Tag);
        return (message[1..], message[0] != 0);
    }
}
