using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Harness.Sharding;

namespace Harness.Tests.Contracts;

/// <summary>What every communicator does, as bodies that run on every rank of a world on one host.</summary>
internal static class CommunicatorContract
{
    public static IReadOnlyList<(string Name, Action<ICommunicator> Body)> Bodies { get; } =
    [
        ("barrier holds everyone until the last has come", Barrier),
        ("all-reduce sums exactly and gives every rank the same bits", AllReduce),
        ("all-gather keeps rank order", AllGather),
        ("gather of any lengths to every root", Gather),
        ("broadcast from every root", Broadcast),
        ("a ring in which everyone sends 8 MB first", Ring),
        ("messages of one pair and tag arrive in order, tags apart", Order),
        ("a message arrives though its sender does not call again", SenderElsewhere),
        ("many small sends before the first receive", Flood),
        ("a probe sees the message that waits, and no other", Probe),
        ("split by colour with reversed keys", Split),
        ("nested splits", NestedSplits),
        ("calls on parent and child interleave", Interleave),
        ("a message of another length is an error", WrongLength),
        ("a rank that does not exist is an error", WrongRank),
        ("node topology", Topology),
    ];

    private static void Barrier(ICommunicator c)
    {
        // Stopwatch is CLOCK_MONOTONIC: one clock for all processes of a host.
        for (var late = 0; late < c.Size; late++)
        {
            c.Barrier();
            if (c.Rank == late) Thread.Sleep(20);
            var times = new long[2];
            times[0] = Stopwatch.GetTimestamp();
            c.Barrier();
            times[1] = Stopwatch.GetTimestamp();
            var all = new long[2 * c.Size];
            c.AllGather(MemoryMarshal.AsBytes(times.AsSpan()), MemoryMarshal.AsBytes(all.AsSpan()));
            Check.That(all.Where((_, i) => i % 2 == 1).Min() >= all.Where((_, i) => i % 2 == 0).Max(),
                $"a rank left before rank {late} came");
        }
    }

    private static void AllReduce(ICommunicator c)
    {
        foreach (var length in new[] { 0, 1, 3, 16, 17, 1000, 4099, 1_000_003 })
        {
            // Integers below 2^24: the sum is exact in any order.
            var data = Enumerable.Range(0, length).Select(i => (float)((c.Rank + 1) * (i % 97))).ToArray();
            c.AllReduceSum(data);
            Check.Elements(data, i => c.Size * (c.Size + 1) / 2 * (i % 97), $"{length}");

            var random = new Random(c.Rank * 7919 + length);
            var values = Enumerable.Range(0, length).Select(_ => (float)(random.NextDouble() - 0.5) * MathF.Pow(10, random.Next(-3, 4)))
                .ToArray();
            c.AllReduceSum(values);
            var digests = new byte[32 * c.Size];
            c.AllGather(SHA256.HashData(MemoryMarshal.AsBytes(values.AsSpan())), digests);
            for (var r = 1; r < c.Size; r++)
                Check.That(digests.AsSpan(0, 32).SequenceEqual(digests.AsSpan(32 * r, 32)),
                    $"rank {r} has other bits than rank 0 at length {length}");
        }
    }

    private static void AllGather(ICommunicator c)
    {
        foreach (var length in new[] { 0, 1, 5, 4096, 100_001 })
        {
            var all = new byte[length * c.Size];
            c.AllGather(Pattern(c.Rank, length), all);
            for (var r = 0; r < c.Size; r++)
                Check.That(all.AsSpan(r * length, length).SequenceEqual(Pattern(r, length)), $"part of rank {r}, {length} bytes");
        }
    }

    private static void Gather(ICommunicator c)
    {
        static int Length(int rank, int root) => (rank + root) % 3 == 0 ? 0 : 1000 * rank + 70_000 * root + 1;
        for (var root = 0; root < c.Size; root++)
        {
            var all = c.Gather(Pattern(c.Rank, Length(c.Rank, root)), root);
            Check.Equal(all?.Length, c.Rank == root ? c.Size : null, "arrays at the root, null elsewhere");
            for (var r = 0; r < all?.Length; r++)
                Check.That(all[r].AsSpan().SequenceEqual(Pattern(r, Length(r, root))), $"what rank {r} gave to root {root}");
        }
    }

    private static void Broadcast(ICommunicator c)
    {
        foreach (var length in new[] { 0, 1, 1000, 300_001 })
        {
            for (var root = 0; root < c.Size; root++)
            {
                var data = Pattern(c.Rank, length);
                c.Broadcast(data, root);
                Check.That(data.AsSpan().SequenceEqual(Pattern(root, length)), $"{length} bytes from {root}");
            }
        }
    }

    private static void Ring(ICommunicator c)
    {
        const int length = 8 << 20;
        var data = Pattern(c.Rank, length);
        c.Send(data, (c.Rank + 1) % c.Size, 5);
        Array.Clear(data);   // buffered: the sender may reuse its memory at once
        var from = (c.Rank + c.Size - 1) % c.Size;
        c.Receive(data, from, 5);
        Check.That(data.AsSpan().SequenceEqual(Pattern(from, length)), $"8 MB from rank {from}");
    }

    /// <summary>The sender waits for something outside the communicator, as it would in a long computation.</summary>
    private static void Probe(ICommunicator c)
    {
        var (next, previous) = ((c.Rank + 1) % c.Size, (c.Rank + c.Size - 1) % c.Size);
        Check.That(!c.Probe(previous, 21), "nothing was sent");
        c.Barrier();
        foreach (var length in new[] { 1, 300_000 })
        {
            c.Send(Pattern(c.Rank, length), next, 21);
            var waited = Stopwatch.StartNew();
            while (!c.Probe(previous, 21))
                Check.That(waited.Elapsed < TimeSpan.FromSeconds(30), $"{length} bytes did not come within 30 s");
            Check.That(c.Probe(previous, 21), "a probe takes nothing away");
            Check.That(!c.Probe(previous, 22), "another tag");
            var data = new byte[length];
            c.Receive(data, previous, 21);
            Check.That(data.AsSpan().SequenceEqual(Pattern(previous, length)), $"{length} bytes");
            Check.That(!c.Probe(previous, 21), "it was taken");
            c.Barrier();
        }
    }

    private static void SenderElsewhere(ICommunicator c)
    {
        if (c.Size == 1) return;
        var path = new byte[256];
        if (c.Rank == 0) Encoding.UTF8.GetBytes(Path.Combine(Path.GetTempPath(), Path.GetRandomFileName()), path);
        c.Broadcast(path, 0);
        var file = Encoding.UTF8.GetString(path).TrimEnd('\0');
        foreach (var length in new[] { 1000, 100_000, 4_000_000 })
        {
            if (c.Rank == 0)
            {
                c.Send(Pattern(0, length), c.Size - 1, 6);
                var waited = Stopwatch.StartNew();
                while (!File.Exists(file))
                {
                    Check.That(waited.Elapsed < TimeSpan.FromSeconds(30),
                        $"{length} bytes did not arrive in 30 s without another call of their sender");
                    Thread.Sleep(1);
                }
                File.Delete(file);
            }
            else if (c.Rank == c.Size - 1)
            {
                var data = new byte[length];
                c.Receive(data, 0, 6);
                Check.That(data.AsSpan().SequenceEqual(Pattern(0, length)), $"{length} bytes");
                File.Create(file).Dispose();
            }
            c.Barrier();
        }
    }

    private static void Order(ICommunicator c)
    {
        const int messages = 50;
        for (var r = 0; r < c.Size; r++)
            for (var m = 0; m < messages; m++)
                for (var tag = 0; tag < 3; tag++)
                    c.Send([(byte)m, (byte)tag, (byte)c.Rank], r, tag);
        var got = new byte[3];
        for (var tag = 2; tag >= 0; tag--)
        {
            for (var r = c.Size - 1; r >= 0; r--)
            {
                for (var m = 0; m < messages; m++)
                {
                    c.Receive(got, r, tag);
                    Check.Equal((got[0], got[1], got[2]), ((byte)m, (byte)tag, (byte)r), "message, tag, source");
                }
            }
        }
    }

    private static void Flood(ICommunicator c)
    {
        const int messages = 5000;
        var next = (c.Rank + 1) % c.Size;
        var previous = (c.Rank + c.Size - 1) % c.Size;
        for (var m = 0; m < messages; m++) c.Send(BitConverter.GetBytes(m), next, 9);
        var got = new byte[4];
        for (var m = 0; m < messages; m++)
        {
            c.Receive(got, previous, 9);
            Check.Equal(BitConverter.ToInt32(got), m, "order");
        }
    }

    private static void Split(ICommunicator c)
    {
        using var child = c.Split(c.Rank % 2, -c.Rank);
        var members = Enumerable.Range(0, c.Size).Where(r => r % 2 == c.Rank % 2).Reverse().ToArray();
        Check.Equal(child.Size, members.Length, "size");
        Check.Equal(members[child.Rank], c.Rank, "rank");
        var all = new byte[child.Size];
        child.AllGather([(byte)c.Rank], all);
        Check.That(all.SequenceEqual(members.Select(m => (byte)m)), "members in the order of their keys");

        using var equalKeys = c.Split(3, 1);
        Check.Equal((equalKeys.Rank, equalKeys.Size), (c.Rank, c.Size), "equal keys keep rank order");
    }

    private static void NestedSplits(ICommunicator c)
    {
        var sum = new float[1];
        void Halve(ICommunicator group, int first)
        {
            sum[0] = c.Rank;
            group.AllReduceSum(sum);
            Check.Equal(sum[0], Enumerable.Range(first, group.Size).Sum(), $"ranks {first} to {first + group.Size - 1}");
            if (group.Size == 1) return;
            var half = group.Size / 2;
            var upper = group.Rank >= half;
            using var part = group.Split(upper ? 1 : 0, group.Rank);
            Halve(part, upper ? first + half : first);
        }
        Halve(c, 0);
    }

    private static void Interleave(ICommunicator c)
    {
        using var child = c.Split(0, -c.Rank);
        for (var round = 0; round < 20; round++)
        {
            // Same pair, same tag, two communicators: never mixed up, received in the other order than sent.
            c.Send([1, (byte)round], (c.Rank + 1) % c.Size, 4);
            child.Send([2, (byte)round], (child.Rank + 1) % child.Size, 4);
            var sum = new float[] { 1, child.Rank };
            c.AllReduceSum(sum);
            Check.Equal(sum[0], c.Size, "ranks");
            var got = new byte[2];
            child.Receive(got, (child.Rank + child.Size - 1) % child.Size, 4);
            Check.That(got[0] == 2 && got[1] == round, "child's message");
            child.Barrier();
            c.Receive(got, (c.Rank + c.Size - 1) % c.Size, 4);
            Check.That(got[0] == 1 && got[1] == round, "parent's message");
        }
    }

    private static void WrongLength(ICommunicator c)
    {
        using var own = c.Split(c.Rank, 0);
        foreach (var length in new[] { 4, 16 })
        {
            own.Send(new byte[8], 0, 1);
            Check.Throws<CommunicationException>(() => own.Receive(new byte[length], 0, 1), $"{length} bytes expected, 8 sent");
        }
        c.Barrier();
    }

    private static void WrongRank(ICommunicator c)
    {
        Check.Throws<ArgumentOutOfRangeException>(() => c.Send([1], c.Size, 1), "send to rank Size");
        Check.Throws<ArgumentOutOfRangeException>(() => c.Receive(new byte[1], -1, 1), "receive from rank -1");
        c.Barrier();
    }

    private static void Topology(ICommunicator c)
    {
        var nodes = NodeTopology.Of(c);
        Check.Equal((nodes.Node, nodes.Nodes), (0, 1), "one host");
        Check.Equal((nodes.LocalRank, nodes.LocalSize), (c.Rank, c.Size), "local rank");
        Check.That(nodes.Hosts.Count == c.Size && nodes.Hosts.All(h => h == Environment.MachineName), "host names");
    }

    private static byte[] Pattern(int rank, int length)
    {
        var data = new byte[length];
        new Random(rank * 31 + length).NextBytes(data);
        return data;
    }
}
