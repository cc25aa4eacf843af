using System.Diagnostics;
using System.Runtime.InteropServices;
using Harness.Energy;
using Harness.Energy.Clocks;
using Harness.Sharding;

namespace Harness.Running;

/// <summary>
/// The run's clock as this rank keeps it. Ranks of rank 0's node share its CLOCK_MONOTONIC and its origin; the others exchange messages
/// with rank 0 at the start, around each measured window and at the end.
/// </summary>
internal sealed class RankClock
{
    private readonly ClockExchange _exchange;
    private readonly ClockOffset _start;
    private readonly List<ClockOffset> _between = [];

    public MonotonicClock Clock { get; }

    public RankClock(ICommunicator world, NodeTopology topology)
    {
        Span<long> origin = [Stopwatch.GetTimestamp()];
        world.Broadcast(MemoryMarshal.AsBytes(origin), 0);
        Clock = new MonotonicClock(origin[0]);
        _exchange = new(world, topology.Hosts, Clock);
        _start = _exchange.Measure();
    }

    public double Seconds => Clock.Seconds;

    public double OfTicks(long ticks) => (ticks - Clock.OriginTicks) / (double)Stopwatch.Frequency;

    /// <summary>As known from the start alone.</summary>
    public ClockMap StartMap => new(_start, _start);

    /// <summary>Measures between start and end, outside windows; every rank calls.</summary>
    public void Mark()
    {
        if (_exchange.IsNeeded) _between.Add(_exchange.Measure());
    }

    /// <summary>Measures once more and returns how to convert this rank's times; every rank calls.</summary>
    public ClockMap Map() => new(_start, _exchange.Measure()) { Between = _between.Count > 0 ? [.. _between] : null };
}

/// <summary>
/// How far rank 0's clock is ahead of each node's. The lowest rank of a node asks rank 0 some thirty times, one node after the other, and
/// the ranks of a node share the answer, as they share the clock: so it takes as many messages as there are nodes, times sixty-four.
/// </summary>
/// <param name="hosts">The name of every rank's node.</param>
internal sealed class ClockExchange(ICommunicator world, IReadOnlyList<string> hosts, IRunClock clock)
{
    private const int Trips = 32, AskTag = 95, AnswerTag = 96;

    /// <summary>The lowest rank of every node but rank 0's, in order.</summary>
    private readonly int[] _askers = [.. Enumerable.Range(0, hosts.Count).DistinctBy(rank => hosts[rank]).Skip(1)];
    private readonly int _mine = Enumerable.Range(0, hosts.Count).First(rank => hosts[rank] == hosts[world.Rank]);

    /// <summary>Whether there is another node; where there is none no message passes.</summary>
    public bool IsNeeded => _askers.Length > 0;

    /// <summary>Every rank calls.</summary>
    public ClockOffset Measure()
    {
        var offset = ClockOffset.Zero with { AtSeconds = clock.Seconds };
        if (!IsNeeded) return offset;
        foreach (var asker in _askers)
            if (world.Rank == asker) offset = ClockOffset.Measure(clock, Ask, Trips);
            else if (world.Rank == 0) Answer(asker);
        Span<double> told = [offset.OffsetSeconds, offset.UncertaintySeconds, offset.AtSeconds];
        var all = new double[told.Length * world.Size];
        world.AllGather(MemoryMarshal.AsBytes(told), MemoryMarshal.AsBytes(all.AsSpan()));
        return hosts[world.Rank] == hosts[0] ? offset
            : new(all[_mine * told.Length], all[_mine * told.Length + 1], all[_mine * told.Length + 2]);
    }

    private double Ask()
    {
        Span<double> answer = [0];
        world.Send([1], 0, AskTag);
        world.Receive(MemoryMarshal.AsBytes(answer), 0, AnswerTag);
        return answer[0];
    }

    private void Answer(int rank)
    {
        Span<byte> question = [0];
        for (var trip = 0; trip < Trips; trip++)
        {
            world.Receive(question, rank, AskTag);
            Span<double> now = [clock.Seconds];
            world.Send(MemoryMarshal.AsBytes(now), rank, AnswerTag);
        }
    }
}
