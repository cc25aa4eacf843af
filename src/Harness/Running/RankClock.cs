using System.Diagnostics;
using System.Runtime.InteropServices;
using Harness.Energy;
using Harness.Energy.Clocks;
using Harness.Sharding;

namespace Harness.Running;

/// <summary>
/// The run's clock as this rank keeps it. Ranks of rank 0's node share its CLOCK_MONOTONIC and its origin; the others
/// exchange messages with rank 0 at the start and at the end.
/// </summary>
internal sealed class RankClock
{
    private const int Trips = 32, AskTag = 95, AnswerTag = 96;

    private readonly ICommunicator _world;
    private readonly NodeTopology _topology;
    private readonly ClockOffset _start;

    public MonotonicClock Clock { get; }

    public RankClock(ICommunicator world, NodeTopology topology)
    {
        (_world, _topology) = (world, topology);
        Span<long> origin = [Stopwatch.GetTimestamp()];
        world.Broadcast(MemoryMarshal.AsBytes(origin), 0);
        Clock = new MonotonicClock(origin[0]);
        _start = Exchange();
    }

    public double Seconds => Clock.Seconds;

    public double OfTicks(long ticks) => (ticks - Clock.OriginTicks) / (double)Stopwatch.Frequency;

    /// <summary>As known from the start alone.</summary>
    public ClockMap StartMap => new(_start, _start);

    /// <summary>Measures once more and returns how to convert this rank's times; every rank calls.</summary>
    public ClockMap Map() => new(_start, Exchange());

    private ClockOffset Exchange()
    {
        var nodes = new byte[_world.Size];
        _world.AllGather([(byte)(_topology.Node == 0 ? 0 : 1)], nodes);
        var offset = ClockOffset.Zero with { AtSeconds = Clock.Seconds };
        for (var rank = 1; rank < _world.Size; rank++)
        {
            if (nodes[rank] == 0) continue;
            if (_world.Rank == rank) offset = ClockOffset.Measure(Clock, Ask, Trips);
            else if (_world.Rank == 0) Answer(rank);
        }
        return offset;
    }

    private double Ask()
    {
        Span<double> answer = [0];
        _world.Send([1], 0, AskTag);
        _world.Receive(MemoryMarshal.AsBytes(answer), 0, AnswerTag);
        return answer[0];
    }

    private void Answer(int rank)
    {
        Span<byte> question = [0];
        for (var trip = 0; trip < Trips; trip++)
        {
            _world.Receive(question, rank, AskTag);
            Span<double> now = [Clock.Seconds];
            _world.Send(MemoryMarshal.AsBytes(now), rank, AnswerTag);
        }
    }
}
