using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using Harness.Common;
using Harness.Configuration;
using Harness.Energy;
using Harness.Energy.Accounting;
using Harness.Energy.Clocks;
using Harness.Energy.Meters;
using Harness.Energy.Records;
using Harness.Energy.Sampling;
using Harness.Models.Llama.Generation;
using Harness.Runs.Pieces;
using Harness.Sharding;

namespace Harness.Running;

/// <summary>One rank's meter: opened and characterised once, sampled throughout each measured run.</summary>
internal sealed class RankEnergy : IDisposable
{
    private const double KeepSeconds = 10;

    private readonly RankModel _model;
    private readonly RankClock _clock;
    private readonly double _intervalSeconds;
    private readonly int[] _runProcesses;
    private readonly List<DomainFacts> _facts = [];
    private EnergySampler? _sampler;
    private EnergyJournal? _journal;
    private PhaseLog? _phases;
    private SuspensionWatch? _suspensions;
    private SampleBookmark _kept = new(), _handedIn = new();
    private EnergyReport[]? _gathered;
    private double _keptSeconds;

    public IEnergyMeter Meter { get; }
    public IReadOnlyList<SensorCharacteristics> Sensors { get; }

    /// <summary>The ranks of the world that read one.</summary>
    public IReadOnlyList<int> MeteredRanks { get; }

    public RankEnergy(EnergyOptions options, RankModel model, RankClock clock, RankLog log)
    {
        (_model, _clock) = (model, clock);
        _intervalSeconds = options.SampleInterval.TotalSeconds;
        var places = model.World.AllTexts(Machine.ProcessPlace);
        _runProcesses = new int[model.World.Size];
        Span<int> mine = [Environment.ProcessId];
        model.World.AllGather(MemoryMarshal.AsBytes(mine), MemoryMarshal.AsBytes(_runProcesses.AsSpan()));
        // A GPU's joules say nothing of work that is done on the CPU.
        var meter = options.Meter is null or MeterFactory.Auto ? model.BackendChoice.IsCpu ? MeterFactory.Host : MeterFactory.Auto
            : options.Meter;
        Meter = MeterFactory.Open(meter, new(model.Topology.Hosts[model.World.Rank], clock.Clock)
        {
            LocalRank = model.Topology.LocalRank,
            RunProcesses = [.. _runProcesses.Where((_, rank) => places[rank] == places[model.World.Rank])],
        });
        try
        {
            foreach (var notice in Meter.Notices) log.Note($"meter: {notice}");
            Sensors = SensorCharacteristics.Measure(Meter, clock.Clock);
        }
        catch
        {
            Meter.Dispose();
            throw;
        }
        var metered = new byte[model.World.Size];
        model.World.AllGather([(byte)(Meter.Domains.Count > 0 ? 1 : 0)], metered);
        MeteredRanks = [.. Enumerable.Range(0, metered.Length).Where(rank => metered[rank] > 0)];
    }

    /// <summary>The warmest device that this rank reads; null where none shows a temperature.</summary>
    public int? WarmestCelsius => _sampler?.WarmestCelsius;

    /// <summary>Starts sampling for one measured run.</summary>
    /// <param name="startDirectory">Where readings are kept while the run goes on.</param>
    public void Begin(string startDirectory)
    {
        Leave();
        _facts.Clear();
        Inspect();
        (_kept, _handedIn, _gathered) = (new(), new(), null);
        _suspensions = new(_clock.Clock, _model.Topology.Hosts[_model.World.Rank]);
        _phases = new(_intervalSeconds);
        _sampler = new EnergySampler(Meter, _clock.Clock, _intervalSeconds, Sensors);
        _sampler.Start();
        if (Meter.Domains.Count == 0) return;
        _journal = new(startDirectory, _model.World.Rank, JsonSerializer.Serialize(
            new EnergyReport(_model.World.Rank, Sensors, Meter.Domains, _facts, _sampler.Cost, _clock.StartMap, OriginUtc)));
        Keep();
    }

    /// <summary>Puts on disk what was read so far, this moment included, so that it outlives a killed process.</summary>
    public void Keep()
    {
        _journal?.Append(_sampler!.TakeNew(_model.World.Rank, _kept));
        _keptSeconds = _clock.Seconds;
    }

    /// <summary>The same, and waits until the storage holds it: outside windows, since it may take a while.</summary>
    public void Sync()
    {
        Keep();
        _journal?.Sync();
    }

    /// <summary>The same as <see cref="Keep"/>, but seldom: for those who ask at every pass.</summary>
    public void KeepNowAndThen()
    {
        if (_journal != null && _clock.Seconds - _keptSeconds > KeepSeconds) Keep();
    }

    /// <summary>Measures this rank's clock against rank 0's, just outside a window; every rank calls.</summary>
    public void MarkClock() => _clock.Mark();

    /// <summary>What this rank has just done with its time.</summary>
    public void Take(Turn turn)
    {
        if (_phases == null) return;
        var (start, end) = (_clock.OfTicks(turn.StartTicks), _clock.OfTicks(turn.EndTicks));
        var isSeen = _model.Loaded?.Replica.HostSeesTransfers == true;
        if (turn.IsWait)
        {
            if (isSeen) _phases.AddWait(start, end);
            else _phases.AddUnseenWait(start, end);
            return;
        }
        var prefillShare = turn.PrefillTokens / (double)(turn.PrefillTokens + turn.DecodeTokens);
        var links = turn.Links;
        if (isSeen) _phases.AddPass(start, end, prefillShare, links.CollectiveSeconds + links.TransferSeconds, links.ReceiveSeconds);
        else _phases.AddUnseenPass(start, end, prefillShare);
    }

    /// <summary>A window's edge: reads now, and returns the time on this rank's clock.</summary>
    public double MarkEdge()
    {
        _phases?.Close();
        _suspensions?.Look();
        return _sampler?.MarkEdge() ?? _clock.Seconds;
    }

    /// <summary>
    /// What all ranks have seen until now, by rank, times on rank 0's clock; null on other ranks. Each hands in what is new since the last
    /// time. Every rank calls.
    /// </summary>
    public IReadOnlyList<EnergyReport>? Gather()
    {
        Keep();     // whatever becomes of the files that are written next, the window that has just ended has its readings
        Inspect();
        var report = new EnergyReport(_model.World.Rank, Sensors, Meter.Domains, _facts, _sampler!.Cost, _clock.Map(), OriginUtc)
        {
            Series = _sampler.TakeNew(_model.World.Rank, _handedIn),
            Phases = _phases!.TakeNew(),
            Suspensions = _suspensions!.Found,
        };
        if (_model.World.Gather(report.Serialize(), 0) is not { } handedIn) return null;
        _gathered = [.. handedIn.Select((bytes, rank) => EnergyReport.Deserialize(bytes).After(_gathered?[rank]))];
        return [.. _gathered.Select(one => one.OnRunClock())];
    }

    /// <summary>Samples until the latest edge is resolved, and goes on.</summary>
    public void Settle() => _sampler?.Settle();

    /// <summary>Samples until the last edge is resolved, and stops.</summary>
    public void End() => _sampler?.Stop();

    /// <summary>The measured run is over, however it went: nobody reads the meter any more, and nothing is kept.</summary>
    public void Leave()
    {
        _sampler?.Dispose();
        _journal?.Dispose();
        (_sampler, _journal, _phases) = (null, null, null);
    }

    public void Dispose()
    {
        Leave();
        Meter.Dispose();
    }

    private DateTimeOffset OriginUtc => DateTimeOffset.UtcNow.AddSeconds(-_clock.Seconds);

    private void Inspect() => _facts.AddRange(Meter.Inspect(_runProcesses));
}

/// <summary>What a rank hands to rank 0: facts, and the readings that it has not handed in before.</summary>
/// <param name="Clock">From the rank's own clock, on which its readings are, to rank 0's.</param>
internal sealed record EnergyReport(
    int Rank, IReadOnlyList<SensorCharacteristics> Sensors, IReadOnlyList<EnergyDomain> Domains, IReadOnlyList<DomainFacts> Facts,
    SamplerCost Cost, ClockMap Clock, DateTimeOffset OriginUtc)
{
    /// <summary>Of its machine; a rank that left only its journal tells of none.</summary>
    public IReadOnlyList<Suspension> Suspensions { get; init; } = [];

    /// <summary>Domain by domain.</summary>
    [JsonIgnore] public IReadOnlyList<SampleSeries> Series { get; init; } = [];

    /// <summary>What the rank did with its time; a rank that left only its journal does not tell.</summary>
    [JsonIgnore] public IReadOnlyList<PhaseStretch>? Phases { get; init; }

    /// <summary>The same readings of domains that are called otherwise.</summary>
    public EnergyReport On(Func<EnergyDomain, EnergyDomain> place)
    {
        var keys = Domains.ToDictionary(domain => domain.Key, domain => place(domain).Key);
        return this with
        {
            Domains = [.. Domains.Select(place)],
            Sensors = [.. Sensors.Select(sensor => sensor with { Key = keys.GetValueOrDefault(sensor.Key, sensor.Key) })],
            Facts = [.. Facts.Select(facts => facts with { Domain = place(facts.Domain) })],
            Series = [.. Series.Select(series => series with { Domain = place(series.Domain) })],
        };
    }

    /// <summary>The same rank's readings from its first on.</summary>
    /// <param name="earlier">All that it has handed in before; null: nothing.</param>
    public EnergyReport After(EnergyReport? earlier) => earlier == null ? this : this with
    {
        Series = [.. earlier.Series.Zip(Series, (before, now) => before with { Readings = [.. before.Readings, .. now.Readings] })],
        Phases = [.. earlier.Phases ?? [], .. Phases ?? []],
    };

    public EnergyReport OnRunClock() => this with
    {
        Series = [.. Series.Select(one => one.OnClock(Clock.ToRunClock))],
        Phases = Phases?.Select(one => one with
        {
            StartSeconds = Clock.ToRunClock(one.StartSeconds),
            EndSeconds = Clock.ToRunClock(one.EndSeconds),
        }).ToArray(),
        Suspensions = [.. Suspensions.Select(one => one with
        {
            StartSeconds = Clock.ToRunClock(one.StartSeconds),
            EndSeconds = Clock.ToRunClock(one.EndSeconds),
        })],
    };

    /// <summary>
    /// The length of what follows (int32) and the facts in JSON; then of each domain its number of readings (int32) and these as they
    /// lie in memory, and the stretches of the rank's time likewise: the ranks of a run are one program on machines of one kind.
    /// </summary>
    public byte[] Serialize()
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream);
        var facts = JsonSerializer.SerializeToUtf8Bytes(this);
        writer.Write(facts.Length);
        writer.Write(facts);
        foreach (var one in Series) Write(writer, one.Readings);
        Write(writer, Phases ?? []);
        return stream.ToArray();
    }

    private static void Write<T>(BinaryWriter writer, IReadOnlyList<T> list) where T : struct
    {
        T[] array = [.. list];
        writer.Write(array.Length);
        writer.Write(MemoryMarshal.AsBytes(array.AsSpan()));
    }

    private static readonly JsonSerializerOptions s_whole = new()
    {
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
    };

    /// <summary>What a rank left of it while it grew; null where its line is not whole.</summary>
    public static EnergyReport? FromJournal(string head, IReadOnlyList<SampleSeries> readings)
    {
        try
        {
            return JsonSerializer.Deserialize<EnergyReport>(head, s_whole) is { } report && HasNoNull(report.Domains)
                && HasNoNull(report.Sensors) && HasNoNull(report.Facts) ? report with { Series = readings } : null;

            static bool HasNoNull<T>(IEnumerable<T?> list) where T : class => list.All(element => element != null);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    public static EnergyReport Deserialize(byte[] bytes)
    {
        using var reader = new BinaryReader(new MemoryStream(bytes));
        var report = JsonSerializer.Deserialize<EnergyReport>(reader.ReadBytes(reader.ReadInt32()))!;
        return report with
        {
            Series = [.. report.Domains.Select(domain => new SampleSeries(domain, report.Rank, Read<EnergyReading>(reader)))],
            Phases = Read<PhaseStretch>(reader),
        };
    }

    private static T[] Read<T>(BinaryReader reader) where T : struct
    {
        var array = new T[reader.ReadInt32()];
        reader.BaseStream.ReadExactly(MemoryMarshal.AsBytes(array.AsSpan()));
        return array;
    }
}
