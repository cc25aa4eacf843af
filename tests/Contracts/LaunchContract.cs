using System.Text;
using Harness.Common;
using Harness.Sharding;
using Harness.Sharding.Communicators;
using Harness.Sharding.Launch;
using Harness.Tensors;

namespace Harness.Tests.Contracts;

/// <summary>What the checks before a run do over any communicator.</summary>
internal static class LaunchContract
{
    public static IReadOnlyList<(string Name, Action<ICommunicator> Body)> Bodies { get; } =
    [
        ("launch: equal contents pass", Equal),
        ("launch: a differing content is named with its ranks, on every rank", Differing),
        ("launch: a differing list of contents is refused", DifferingNames),
        ("launch: a step that fails on one rank fails on all, in its words", OneRankFails),
        ("launch: a step that fails on every rank is reported as it is", AllRanksFail),
        ("grid: groups of every shape of this size", Groups),
    ];

    private static Dictionary<string, byte[]> Contents(params (string Name, string Text)[] contents) =>
        contents.ToDictionary(c => c.Name, c => Encoding.UTF8.GetBytes(c.Text));

    private static void Equal(ICommunicator c)
    {
        LaunchChecks.SameEverywhere(c, Contents(("configuration", "{}"), ("checkpoint", "abc")));
        LaunchChecks.SameEverywhere(c, Contents());
    }

    private static void Differing(ICommunicator c)
    {
        if (c.Size < 2) return;
        var last = c.Size - 1;
        var e = Check.Throws<UserErrorException>(() => LaunchChecks.SameEverywhere(c,
            Contents(("configuration", c.Rank == last ? "{1}" : "{}"), ("checkpoint", c.Rank == 0 ? "abc" : "abd"), ("dataset", "same"))),
                "contents differ");
        var host = Environment.MachineName;
        var others = c.Size == 2 ? "rank 1" : $"ranks {string.Join(", ", Enumerable.Range(1, last))}";
        Check.Equal(e.Message, $"the checkpoint of {others} on {host} is not that of rank 0 on {host}; the configuration of rank {last} "
            + $"on {host} is not that of rank 0 on {host}; "
            + "give every rank the same files and options", "message");
    }

    private static void DifferingNames(ICommunicator c)
    {
        if (c.Size < 2) return;
        var e = Check.Throws<UserErrorException>(() =>
            LaunchChecks.SameEverywhere(c, Contents((c.Rank == 1 ? "old" : "new", "x"))), "names differ");
        Check.That(e.Message.StartsWith("the program of rank 1 on ", StringComparison.Ordinal), e.Message);
    }

    private static void OneRankFails(ICommunicator c)
    {
        if (c.Size < 2) return;
        var failing = c.Size - 1;
        int Step(Exception failure) => LaunchChecks.OnEveryRank(c, () => c.Rank == failing ? throw failure : c.Rank);
        var e = Check.Throws<UserErrorException>(() => Step(new UserErrorException("model 'ä' is not there")), "a user's error");
        Check.Equal(e.Message, $"model 'ä' is not there (rank {failing} on {Environment.MachineName})", "message");
        Check.Throws<CommunicationException>(() => Step(new InvalidOperationException("")), "another error");
        Check.Equal(LaunchChecks.OnEveryRank(c, () => c.Rank), c.Rank, "no error");
    }

    private static void AllRanksFail(ICommunicator c)
    {
        var e = Check.Throws<UserErrorException>(() =>
            LaunchChecks.OnEveryRank<int>(c, () => throw new UserErrorException("no such file")), "a user's error");
        Check.Equal(e.Message, "no such file", "message");
    }

    private static void Groups(ICommunicator c)
    {
        for (var tensor = 1; tensor <= c.Size; tensor++)
        {
            for (var pipeline = 1; tensor * pipeline <= c.Size; pipeline++)
            {
                if (c.Size % (tensor * pipeline) != 0) continue;
                using var groups = new GridGroups(new ProcessGrid(tensor, pipeline, c.Size / tensor / pipeline), c);
                var (t, s, r) = groups.Position;
                Check.Equal(c.Rank, t + tensor * (s + pipeline * r), "tensor rank fastest, then stage, then replica");
                Check.Equal((groups.Tensor.Rank, groups.Tensor.Size), (t, tensor), "tensor group");
                Check.Equal((groups.Pipeline.Rank, groups.Pipeline.Size), (s, pipeline), "pipeline");
                Check.Equal((groups.Replica.Rank, groups.Replica.Size), (t + tensor * s, tensor * pipeline), "replica");
                Members(groups.Tensor, c.Rank, i => i + tensor * (s + pipeline * r));
                Members(groups.Pipeline, c.Rank, i => t + tensor * (i + pipeline * r));
                Members(groups.Replica, c.Rank, i => i + tensor * pipeline * r);
            }
        }
        Check.Throws<UserErrorException>(() => new GridGroups(new ProcessGrid(c.Size, 2, 1), c), "a grid of twice the size");
    }

    private static void Members(ICommunicator group, int worldRank, Func<int, int> expected)
    {
        var all = new byte[group.Size];
        group.AllGather([(byte)worldRank], all);
        for (var i = 0; i < all.Length; i++) Check.Equal(all[i], (byte)expected(i), $"member {i}");
    }
}
