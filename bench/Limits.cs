using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Harness.Tensors.Cpu;

namespace Harness.Bench;

/// <summary>What memory and the arithmetic units of this machine can do at most, all threads together.</summary>
internal static unsafe class Limits
{
    /// <summary>Floating-point operations of one <see cref="FusedMultiplyAdds"/> on one thread.</summary>
    public static double PeakFlops =>
        2.0 * Iterations * Chains * (Vector512.IsHardwareAccelerated ? 16 : Vector256.IsHardwareAccelerated ? 8 : 4);

    private const int Iterations = 1_000_000;
    private const int Chains = 12;

    /// <summary>Reads every byte once, each worker a contiguous share in address order.</summary>
    public static void ReadOneStream(WorkerTeam team, byte* data, long bytes) => team.Run(worker =>
    {
        var (first, last) = WorkerTeam.Share(bytes, 1 << 15, worker, team.Threads);
        _ = One(data + first, last - first);
    });

    /// <summary>Reads every byte once, each worker its share by eight adjacent pages at a time.</summary>
    public static void ReadEightStreams(WorkerTeam team, byte* data, long bytes) => team.Run(worker =>
    {
        var (first, last) = WorkerTeam.Share(bytes, 1 << 15, worker, team.Threads);
        _ = Eight(data + first, last - first);
    });

    public static void FusedMultiplyAdds(WorkerTeam team) => team.Run(worker =>
    {
        if (Vector512.IsHardwareAccelerated) _ = Fma<Simd512, Vector512<float>>();
        else if (Vector256.IsHardwareAccelerated) _ = Fma<Simd256, Vector256<float>>();
        else _ = Fma<Simd128, Vector128<float>>();
    });

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float One(byte* p, long bytes)
    {
        Vector512<uint> a = default, b = default, c = default, d = default;
        for (var end = p + bytes / 256 * 256; p < end; p += 256)
        {
            a ^= Vector512.Load((uint*)p);
            b ^= Vector512.Load((uint*)(p + 64));
            c ^= Vector512.Load((uint*)(p + 128));
            d ^= Vector512.Load((uint*)(p + 192));
        }
        return (a ^ b ^ c ^ d)[0];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Eight(byte* p, long bytes)
    {
        const int page = 4096;
        Vector512<uint> a = default, b = default, c = default, d = default;
        for (var end = p + bytes / (8 * page) * (8 * page); p < end; p += 7 * page)
            for (var row = p + page; p < row; p += 64)
            {
                a ^= Vector512.Load((uint*)p) ^ Vector512.Load((uint*)(p + 4 * page));
                b ^= Vector512.Load((uint*)(p + page)) ^ Vector512.Load((uint*)(p + 5 * page));
                c ^= Vector512.Load((uint*)(p + 2 * page)) ^ Vector512.Load((uint*)(p + 6 * page));
                d ^= Vector512.Load((uint*)(p + 3 * page)) ^ Vector512.Load((uint*)(p + 7 * page));
            }
        return (a ^ b ^ c ^ d)[0];
    }

    /// <summary>Twelve independent chains: more than latency times units, and few enough for 16 registers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Fma<S, V>() where S : struct, ISimd<V> where V : struct
    {
        V x = S.Broadcast(0.999f), y = S.Broadcast(1e-3f);
        V a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x, l = x;
        for (var n = 0; n < Iterations; n++)
        {
            a = S.MultiplyAdd(a, x, y);
            b = S.MultiplyAdd(b, x, y);
            c = S.MultiplyAdd(c, x, y);
            d = S.MultiplyAdd(d, x, y);
            e = S.MultiplyAdd(e, x, y);
            f = S.MultiplyAdd(f, x, y);
            g = S.MultiplyAdd(g, x, y);
            h = S.MultiplyAdd(h, x, y);
            i = S.MultiplyAdd(i, x, y);
            j = S.MultiplyAdd(j, x, y);
            k = S.MultiplyAdd(k, x, y);
            l = S.MultiplyAdd(l, x, y);
        }
        var sum = S.Add(S.Add(S.Add(a, b), S.Add(c, d)), S.Add(S.Add(e, f), S.Add(g, h)));
        return S.Sum(S.Add(sum, S.Add(S.Add(i, j), S.Add(k, l))));
    }
}
