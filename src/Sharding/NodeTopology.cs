using System.Text;
using Harness.Common;

namespace Harness.Sharding;

/// <summary>
/// Which ranks share a node. A node is a boot of a machine, whatever names its containers have, and where the system has no boot id
/// a host name.
/// </summary>
/// <param name="LocalRank">This rank's number among those of its node, in rank order.</param>
/// <param name="LocalSize">Ranks on its node.</param>
/// <param name="Node">Its node's number, nodes in order of their lowest rank.</param>
/// <param name="Nodes">Nodes in all.</param>
/// <param name="Hosts">The name of every rank's node: the host name of its lowest rank, with a number behind it where another node has that
/// name.</param>
public sealed record NodeTopology(int LocalRank, int LocalSize, int Node, int Nodes, IReadOnlyList<string> Hosts)
{
    private const int NameBytes = 256;
    private const int IdentityBytes = NameBytes + 64;

    /// <summary>A collective call: every rank of <paramref name="ranks"/> makes it.</summary>
    public static NodeTopology Of(ICommunicator ranks)
    {
        var places = Places(ranks);
        return From([.. places.Select(place => place.Host)], [.. places.Select(place => place.Boot)], ranks.Rank);
    }

    /// <summary>
    /// Between how many places messages take the network: nodes, and on one node the containers with host names of their own, which share
    /// no memory. A collective call.
    /// </summary>
    public static int NetworkPlaces(ICommunicator ranks) => Places(ranks).Distinct().Count();

    private static (string Host, string Boot)[] Places(ICommunicator ranks)
    {
        var mine = new byte[IdentityBytes];
        Encoding.UTF8.GetBytes(Environment.MachineName, mine.AsSpan(0, NameBytes));
        Encoding.UTF8.GetBytes(Machine.BootId, mine.AsSpan(NameBytes));
        var all = new byte[IdentityBytes * ranks.Size];
        ranks.AllGather(mine, all);
        return [.. Enumerable.Range(0, ranks.Size)
            .Select(rank => (Text(all, rank, 0, NameBytes), Text(all, rank, NameBytes, IdentityBytes - NameBytes)))];
    }

    /// <param name="hosts">The host name of every rank.</param>
    /// <param name="boots">The boot id of every rank's machine; empty where it has none.</param>
    /// <param name="rank">The rank whose view this is.</param>
    internal static NodeTopology From(string[] hosts, string[] boots, int rank)
    {
        var machines = hosts.Zip(boots, (host, boot) => boot.Length > 0 ? boot : host).ToArray();
        var names = new Dictionary<string, string>();
        foreach (var (machine, host) in machines.Zip(hosts))
            if (!names.ContainsKey(machine)) names[machine] = Unused(host, names.Values);
        var mine = machines[rank];
        return new(machines.Take(rank).Count(m => m == mine), machines.Count(m =>
            m == mine), machines.Distinct().ToList().IndexOf(mine), names.Count, [.. machines.Select(m => names[m])]);
    }

    private static string Unused(string name, IReadOnlyCollection<string> taken) =>
        Enumerable.Range(1, taken.Count + 1).Select(number => number == 1 ? name : $"{name}#{number}").First(one => !taken.Contains(one));

    private static string Text(byte[] all, int rank, int start, int length) =>
        Encoding.UTF8.GetString(all, rank * IdentityBytes + start, length).TrimEnd('\0');
}
