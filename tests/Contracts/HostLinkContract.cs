using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Harness.Sharding;
using Harness.Sharding.Links;
using Harness.Tensors;

namespace Harness.Tests.Contracts;

/// <summary>What a host link does over any communicator, as bodies that run on every rank.</summary>
internal static class HostLinkContract
{
    public static IReadOnlyList<(string Name, Action<ICommunicator> Body)> Bodies { get; } =
    [
        ("link: all-reduce in f32", c => AllReduce(c, DType.F32)),
        ("link: all-reduce in bf16", c => AllReduce(c, DType.BF16)),
        ("link: bf16 contributions and sum are rounded once each", Bf16Rounding),
        ("link: uneven columns side by side, f32", c => Columns(c, DType.F32)),
        ("link: uneven columns side by side, bf16", c => Columns(c, DType.BF16)),
        ("link: tensors pass from stage to stage, f32", c => Stages(c, DType.F32)),
        ("link: tensors pass from stage to stage, bf16", c => Stages(c, DType.BF16)),
        ("link: statistics count the payload", Statistics),
    ];

    private static void AllReduce(ICommunicator c, DType wire)
    {
        var host = new HostArrays();
        var link = new HostLink(c, host, wire);
        // The lengths straddle the sizes at which the bf16 exchange changes its way.
        foreach (var (rows, columns) in new[] { (0, 8), (1, 1), (3, 7), (8, 1024), (1, 8193), (5, 30011), (3, 100_000) })
        {
            // Small integers: exact in bfloat16 (8 bits), as is their sum up to 256.
            var x = host.From(rows, columns, (row, column) => (row + column) % 4 + c.Rank % 4);
            link.AllReduce(x);
            var sum = Enumerable.Range(0, c.Size).Sum(r => r % 4);
            Check.Elements(host.Values(x), i => (i / columns + i % columns) % 4 * c.Size + sum, $"[{rows}, {columns}]");

            var random = new Random(c.Rank + 100 * columns);
            var noise = host.From(rows, columns, (_, _) => (float)(random.NextDouble() - 0.5));
            link.AllReduce(noise);
            var digests = new byte[32 * c.Size];
            c.AllGather(SHA256.HashData(MemoryMarshal.AsBytes(host.Values(noise).AsSpan())), digests);
            for (var r = 1; r < c.Size; r++)
                Check.That(digests.AsSpan(0, 32).SequenceEqual(digests.AsSpan(32 * r, 32)),
                    $"rank {r} has other bits than rank 0 at [{rows}, {columns}]");
        }
    }

    private static void Bf16Rounding(ICommunicator c)
    {
        if (c.Size == 1) return;
        var host = new HostArrays();
        var link = new HostLink(c, host, DType.BF16);
        foreach (var columns in new[] { 5, 100_003 })
        {
            // Rank 0 holds 256, every other rank 1 + 2^-9, which rounds to 1. In f32 the sum is 256 + (Size - 1);
            // bfloat16 has a spacing of 2 there, ties to even. Summing in bfloat16 would stay at 256 for ever.
            var x = host.From(1, columns, (_, _) => c.Rank == 0 ? 256 : 1 + 1f / 512);
            link.AllReduce(x);
            var sum = 256 + (c.Size - 1);
            var expected = sum % 2 == 0 ? sum : sum % 4 == 1 ? sum - 1 : sum + 1;
            Check.Elements(host.Values(x), _ => expected, $"256 + {c.Size - 1} · 1");
        }
    }

    private static void Columns(ICommunicator c, DType wire)
    {
        var host = new HostArrays();
        var link = new HostLink(c, host, wire);
        foreach (var (rows, width) in new[] { (0, 4), (1, 1), (3, 21), (3, 100_000) })
        {
            var columns = Enumerable.Range(0, c.Size).Select(r => width + r % 2).ToArray();
            var first = columns.Take(c.Rank).Sum();
            var x = host.From(rows, columns[c.Rank], (row, column) => (row + 3 * (first + column)) % 251);
            var all = link.AllGatherColumns(x, columns);
            Check.Equal((all.Rows, all.Columns), (rows, columns.Sum()), "shape");
            Check.Elements(host.Values(all), i => (i / all.Columns + 3 * (i % all.Columns)) % 251, $"[{rows}, {all.Columns}]");
        }
        Check.Throws<ArgumentException>(() =>
            link.AllGatherColumns(host.NewTensor(1, 3), new int[c.Size]), "columns that are not the tensor's");
    }

    private static void Stages(ICommunicator c, DType wire)
    {
        var host = new HostArrays();
        var link = new HostLink(c, host, wire);
        for (var microBatch = 0; microBatch < 4; microBatch++)
        {
            var rows = microBatch + 1;
            var x = c.Rank == 0 ? host.From(rows, 33, (row, column) => row * 33 + column) : link.Receive(rows, 33, c.Rank - 1);
            Check.Equal((x.Rows, x.Columns), (rows, 33), "shape");
            Check.Elements(host.Values(x), i => i, $"stage {c.Rank}");
            if (c.Rank < c.Size - 1) link.Send(x, c.Rank + 1);
        }
        c.Barrier();
    }

    private static void Statistics(ICommunicator c)
    {
        var host = new HostArrays();
        foreach (var (wire, bytes) in new[] { (DType.F32, 4), (DType.BF16, 2) })
        {
            var link = new HostLink(c, host, wire);
            Check.Equal(link.Statistics, default, "a new link");
            link.AllReduce(host.NewTensor(6, 840));
            Check.Equal(link.Statistics.BytesSent, 2L * 6 * 840 * bytes * (c.Size - 1) / c.Size, "all-reduce");
            var before = link.Statistics;
            link.AllGatherColumns(host.NewTensor(3, 5), Enumerable.Repeat(5, c.Size).ToArray());
            Check.Equal((link.Statistics - before).BytesSent, 15L * bytes * (c.Size - 1), "all-gather");
            Check.That(c.Size == 1 || link.Statistics.CollectiveSeconds > 0, "time in collectives");
            Check.Equal(link.Statistics.ReceiveSeconds, 0, "nothing received yet");
            if (c.Size == 1) continue;

            // The receiver waits at least as long as the sender sleeps after both have met.
            before = link.Statistics;
            c.Barrier();
            if (c.Rank == 0)
            {
                Thread.Sleep(30);
                link.Send(host.NewTensor(2, 50), 1);
                Check.Equal((link.Statistics - before).BytesSent, 100L * bytes, "send");
            }
            else if (c.Rank == 1)
            {
                link.Receive(2, 50, 0);
                Check.That(link.Statistics.ReceiveSeconds > 0, "time waiting");
            }
            c.Barrier();
        }
    }
}
