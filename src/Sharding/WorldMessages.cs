using System.Runtime.InteropServices;
using System.Text;

namespace Harness.Sharding;

/// <summary>Small messages of varying length between all ranks.</summary>
public static class WorldMessages
{
    /// <summary>Rank 0's text, on every rank.</summary>
    public static string Share(this ICommunicator world, string? mine)
    {
        var text = Encoding.UTF8.GetBytes(mine ?? "");
        Span<int> length = [text.Length];
        world.Broadcast(MemoryMarshal.AsBytes(length), 0);
        if (world.Rank != 0) text = new byte[length[0]];
        world.Broadcast(text, 0);
        return Encoding.UTF8.GetString(text);
    }

    /// <summary>Rank 0's decision, on every rank.</summary>
    public static bool Decide(this ICommunicator world, bool mine)
    {
        Span<byte> decision = [(byte)(mine ? 1 : 0)];
        world.Broadcast(decision, 0);
        return decision[0] != 0;
    }

    /// <summary>Whether any rank says so.</summary>
    public static bool Any(this ICommunicator world, bool mine)
    {
        var all = new byte[world.Size];
        world.AllGather([(byte)(mine ? 1 : 0)], all);
        return all.Contains((byte)1);
    }

    /// <summary>Every rank's text, on every rank, in rank order.</summary>
    public static string[] AllTexts(this ICommunicator world, string mine)
    {
        var bytes = Encoding.UTF8.GetBytes(mine);
        var lengths = new int[world.Size];
        Span<int> length = [bytes.Length];
        world.AllGather(MemoryMarshal.AsBytes(length), MemoryMarshal.AsBytes(lengths.AsSpan()));
        var widest = lengths.Max();
        var all = new byte[widest * world.Size];
        Array.Resize(ref bytes, widest);
        world.AllGather(bytes, all);
        return [.. lengths.Select((n, rank) => Encoding.UTF8.GetString(all, rank * widest, n))];
    }
}
