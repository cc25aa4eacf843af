using System.Text;

namespace Harness.Sharding;

/// <summary>Which ranks share a node. A node is a host name together with a boot, so that two machines of one name stay two.</summary>
/// <param name="LocalRank">This rank's number among those of its node, in rank order.</param>
/// <param name="LocalSize">Ranks on its node.</param>
/// <param name="Node">Its node's number, nodes in order of their lowest rank.</param>
/// <param name="Nodes">Nodes in all.</param>
/// <param name="Hosts">The host name of every rank.</param>
public sealed record NodeTopology(int LocalRank, int LocalSize, int Node, int Nodes, IReadOnlyList<string> Hosts)
{
    private const int NameBytes = 256;
    private const int IdentityBytes = NameBytes + 64;
    private const string BootIdFile = "/proc/sys/kernel/random/boot_id";

    /// <summary>A collective call: every rank of <paramref name="ranks"/> makes it.</summary>
    public static NodeTopology Of(ICommunicator ranks)
    {
        var mine = new byte[IdentityBytes];
        Encoding.UTF8.GetBytes(Environment.MachineName, mine.AsSpan(0, NameBytes));
        if (File.Exists(BootIdFile))
            Encoding.UTF8.GetBytes(File.ReadAllText(BootIdFile).Trim(), mine.AsSpan(NameBytes));
        var all = new byte[IdentityBytes * ranks.Size];
        ranks.AllGather(mine, all);
        return From([.. Enumerable.Range(0, ranks.Size).Select(rank => Text(all, rank, 0, NameBytes))],
            [.. Enumerable.Range(0, ranks.Size).Select(rank => Text(all, rank, 0, IdentityBytes))], ranks.Rank);
    }

    /// <param name="hosts">The host name of every rank.</param>
    /// <param name="identities">For every rank something that is equal on one node and differs between nodes.</param>
    /// <param name="rank">The rank whose view this is.</param>
    internal static NodeTopology From(string[] hosts, string[] identities, int rank)
    {
        var nodes = identities.Distinct().ToList();
        var mine = identities[rank];
        return new(identities.Take(rank).Count(i => i == mine), identities.Count(i => i == mine), nodes.IndexOf(mine), nodes.Count, hosts);
    }

    private static string Text(byte[] all, int rank, int start, int length) =>
        Encoding.UTF8.GetString(all, rank * IdentityBytes + start, length).TrimEnd('\0');
}
