using System.Text.Json;
using Harness.Records;
using Harness.Sharding;

namespace Harness.Running;

/// <summary>The named windows of one rank: when they were, and what crossed its links meanwhile. Edges are barriers after a device synchronisation.</summary>
internal sealed class RankWindows(RankModel model, Func<double> clockSeconds)
{
    private readonly List<RankWindow> _windows = [];

    public IReadOnlyList<RankWindow> All => _windows;

    /// <summary>Opens the window, runs the work, closes it; every rank of the world does so together.</summary>
    public void Measure(string name, int repeat, Action work)
    {
        var start = Edge();
        var before = Statistics();
        work();
        var end = Edge();
        _windows.Add(new(name, repeat, start, end, Statistics() - before));
    }

    /// <summary>Rows of ranks.csv, of all ranks on rank 0.</summary>
    public static IEnumerable<RankRecord> Gather(ICommunicator world, IEnumerable<RankRecord> mine) =>
        (world.Gather(JsonSerializer.SerializeToUtf8Bytes(mine.ToArray()), 0) ?? []).SelectMany(bytes => JsonSerializer.Deserialize<RankRecord[]>(bytes)!);

    private double Edge()
    {
        model.Backend?.Synchronize();
        model.World.Barrier();
        var seconds = clockSeconds();
        model.World.Barrier();
        return seconds;
    }

    private LinkStatistics Statistics() => model.Replica == null ? default : model.LinkStatistics;
}

/// <param name="StartSeconds">On this rank's run clock.</param>
/// <param name="Links">What crossed the rank's links within the window.</param>
internal sealed record RankWindow(string Name, int Repeat, double StartSeconds, double EndSeconds, LinkStatistics Links)
{
    public double Seconds => EndSeconds - StartSeconds;
}
