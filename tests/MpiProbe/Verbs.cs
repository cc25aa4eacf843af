using System.Text;
using Harness.Sharding;
using Harness.Sharding.Launch;
using Harness.Tests.Contracts;

namespace Harness.Tests.MpiProbe;

/// <summary>What the tests run on every rank; rank 0 alone writes.</summary>
internal static class Verbs
{
    public static void Contract(ICommunicator world)
    {
        foreach (var (name, body) in (IEnumerable<(string, Action<ICommunicator>)>)[.. CommunicatorContract.Bodies,
            .. HostLinkContract.Bodies, .. LaunchContract.Bodies])
        {
            try
            {
                body(world);
            }
            catch (Exception e)
            {
                throw new ContractViolationException(
                    $"'{name}' on rank {world.Rank} of {world.Size}: {e.GetType().Name}: {e.Message}\n{e.StackTrace}");
            }
            if (world.Rank == 0) Console.WriteLine($"ok {name}");
        }
    }

    public static void Open(ICommunicator world)
    {
        var nodes = NodeTopology.Of(world);
        if (world.Rank == 0) Console.WriteLine($"world of {world.Size} on {nodes.Nodes} nodes");
    }

    public static void Differ(ICommunicator world) => LaunchChecks.SameEverywhere(world, new Dictionary<string, byte[]>
    {
        ["configuration"] = Encoding.UTF8.GetBytes("same"),
        ["checkpoint"] = Encoding.UTF8.GetBytes(world.Rank == 1 ? "other" : "same"),
    });

    /// <summary>An exception on one rank while the others wait in a barrier.</summary>
    public static void Throw(ICommunicator world, int rank)
    {
        using var child = world.Split(0, 0);
        if (world.Rank == rank) throw new InvalidOperationException($"thrown on rank {rank}");
        child.Barrier();
    }

    /// <summary>A step that fails on one rank before any barrier.</summary>
    public static void Step(ICommunicator world, int rank) => LaunchChecks.OnEveryRank(world, () =>
        world.Rank == rank ? throw new Harness.Common.UserErrorException("tokenizer.json is not there; copy it") : 0);

    /// <summary>A rank that lives and never comes: nothing but the watchdog can end the others.</summary>
    public static void Stall(ICommunicator world, int rank)
    {
        using var watchdog = RankWatchdog.EndingProcess(TimeSpan.FromSeconds(1), world.Rank, Console.Error.WriteLine);
        world.Barrier();
        watchdog.Alive();
        if (world.Rank == rank)
        {
            watchdog.Dispose();
            Thread.Sleep(Timeout.Infinite);
        }
        world.Barrier();
    }
}
