using System.Buffers.Binary;
using System.Text;
using Harness.Common;
using Harness.Tensors.Cpu;

namespace Harness.Sharding.Waits;

/// <summary>What one rank wants of its machine.</summary>
/// <param name="Machine">Equal for ranks whose cores are the same hardware, in different containers, too.</param>
/// <param name="Host">Host name: ranks of one machine and one name share a quota of processor time.</param>
/// <param name="Cores">Numbers of the cores it may run on.</param>
/// <param name="Processors">Cores' worth of time that it may use; less than <paramref name="Cores"/> under a quota.</param>
/// <param name="Threads">Threads that compute.</param>
internal sealed record CoreClaim(string Machine, string Host, int[] Cores, int Processors, int Threads);

/// <summary>Whether the ranks of a machine, with their threads, are more than its cores.</summary>
internal static class CoreClaims
{
    private const int NameBytes = 256;
    private const int MaskBytes = 256;
    private const int ClaimBytes = 2 * NameBytes + MaskBytes + 2 * sizeof(int);

    /// <summary>A collective call.</summary>
    /// <param name="world">Every rank.</param>
    /// <param name="threads">Threads of this rank; 0 leaves it to the backend, which takes no more than its share.</param>
    public static bool OutnumberCores(ICommunicator world, int threads)
    {
        var mine = new byte[ClaimBytes];
        Encoding.UTF8.GetBytes(Machine.BootId, mine.AsSpan(0, NameBytes));
        Encoding.UTF8.GetBytes(Environment.MachineName, mine.AsSpan(NameBytes, NameBytes));
        var mask = mine.AsSpan(2 * NameBytes, MaskBytes);
        foreach (var core in HostCpu.AffinityMask())
            if (core < 8 * MaskBytes) mask[core / 8] |= (byte)(1 << (core % 8));
        BinaryPrimitives.WriteInt32LittleEndian(mine.AsSpan(^8), Environment.ProcessorCount);
        BinaryPrimitives.WriteInt32LittleEndian(mine.AsSpan(^4), Math.Max(1, threads));
        var all = new byte[ClaimBytes * world.Size];
        world.AllGather(mine, all);
        return OutnumberCores([.. all.Chunk(ClaimBytes).Select(Read)], world.Rank);
    }

    /// <param name="claims">Of every rank.</param>
    /// <param name="rank">The one whose machine is asked about.</param>
    internal static bool OutnumberCores(IReadOnlyList<CoreClaim> claims, int rank)
    {
        var machine = claims.Where(claim => claim.Machine == claims[rank].Machine).ToArray();
        var cores = machine.SelectMany(claim => claim.Cores).Distinct().Count();
        if (cores > 0 && machine.Sum(claim => claim.Threads) > cores) return true;
        var host = machine.Where(claim => claim.Host == claims[rank].Host).ToArray();
        return host.Any(claim => claim.Processors < claim.Cores.Length || claim.Cores.Length == 0)
            && host.Sum(claim => claim.Threads) > host.Max(claim => claim.Processors);
    }

    private static CoreClaim Read(byte[] claim)
    {
        static string Name(ReadOnlySpan<byte> bytes) => Encoding.UTF8.GetString(bytes).TrimEnd('\0');
        int[] cores = [.. Enumerable.Range(0, 8 * MaskBytes).Where(core => (claim[2 * NameBytes + core / 8] >> (core % 8) & 1) != 0)];
        return new(Name(claim.AsSpan(0, NameBytes)), Name(claim.AsSpan(NameBytes, NameBytes)), cores,
            BinaryPrimitives.ReadInt32LittleEndian(claim.AsSpan(^8)), BinaryPrimitives.ReadInt32LittleEndian(claim.AsSpan(^4)));
    }
}
