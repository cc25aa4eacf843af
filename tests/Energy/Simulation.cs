using Harness.Energy;
using Harness.Energy.Accounting;
using Harness.Energy.Clocks;
using Harness.Energy.Sampling;

namespace Harness.Tests.Energy;

/// <summary>A clock that passes no time of its own: waiting moves it on, but never past a <see cref="StopAt"/>.</summary>
public sealed class SimulatedClock : IRunClock
{
    public double Seconds { get; set; }

    public double? SuspendedSeconds { get; set; } = 0;

    /// <summary>A wait that would pass this second ends there.</summary>
    public double StopAt { get; set; } = double.PositiveInfinity;

    public void Wait(double deadlineSeconds, WaitHandle? wake) => Seconds = Math.Max(Seconds, Math.Min(deadlineSeconds, StopAt));
}

/// <summary>Domains with scripted power behind sensors that update now and then, on any clock.</summary>
public sealed class SimulatedMeter(IRunClock clock, params SimulatedSensor[] sensors) : IEnergyMeter
{
    public IReadOnlyList<EnergyDomain> Domains { get; } = [.. sensors.Select(s => s.Domain)];
    public IReadOnlyList<string> Notices => [];
    public int Reads { get; private set; }

    public void Read(Span<EnergyReading> readings)
    {
        Reads++;
        for (var i = 0; i < sensors.Length; i++) readings[i] = sensors[i].At(clock.Seconds);
    }

    public IReadOnlyList<DomainFacts> Inspect(IReadOnlyCollection<int> runProcessIds) => [.. Domains.Select(DomainFacts.NotApplicable)];
    public void Dispose() { }
}

public sealed record SimulatedSensor(EnergyDomain Domain, ScriptedCurve Curve, double UpdateSeconds)
{
    public double PhaseSeconds { get; init; } = 0.0037;
    public double QuantumJoules { get; init; } = 0.001;
    public PowerField Field { get; init; } = PowerField.Instant;
    public bool HasCounter { get; init; } = true;
    public bool HasPower { get; init; } = true;

    /// <summary>Updates come up to this much late, each by another amount.</summary>
    public double JitterSeconds { get; init; }

    /// <summary>Changes what would be read, e.g. to break it from some second on.</summary>
    public Func<EnergyReading, EnergyReading> Alter { get; init; } = r => r;

    /// <summary>Of the machine's processors, by seconds; a domain that does not feel them shows none.</summary>
    public Func<double, ProcessorTime?> Processors { get; init; } = t => new ProcessorTime(8 * t, 4 * t, 4 * t);

    public static EnergyDomain Gpu(string device, string host = "node1") => new(host, device, DomainKind.Gpu, "nvml", "Simulated");

    public EnergyReading At(double seconds)
    {
        var index = Math.Floor((seconds - PhaseSeconds) / UpdateSeconds);
        var updated = UpdateNumber(index) <= seconds ? UpdateNumber(index) : UpdateNumber(index - 1);
        var joules = 1_000_000 + Math.Floor(Curve.Joules(updated) / QuantumJoules) * QuantumJoules;
        var watts = Field == PowerField.Average1s ? Curve.Between(updated - 1, updated) : Curve.Watts(updated);
        return Alter(new EnergyReading
        {
            TimeSeconds = seconds,
            EnergyJoules = HasCounter ? joules : null,
            PowerWatts = HasPower ? Math.Round(watts, 3) : null,
            PowerField = HasPower ? Field : null,
            ThrottleReasons = 0,
            TemperatureCelsius = 50,
            Processors = Domain.FeelsProcessors ? Processors(seconds) : null,
        });
    }

    // the fractional parts of multiples of the golden ratio: spread evenly, without a pattern
    private double UpdateNumber(double k) => PhaseSeconds + k * UpdateSeconds + JitterSeconds * (k * 0.6180339887498949 % 1);
}

/// <summary>Runs sensors through the real sampler on a simulated clock, and accounts for the windows asked for.</summary>
public static class Simulation
{
    /// <summary>The first second at which a window may begin: the sensors are characterised before.</summary>
    public const double Ready = 4;

    public sealed record Outcome(EnergyAccount Account, IReadOnlyList<EnergyWindow> Windows, IReadOnlyList<SampleSeries> Series,
        IReadOnlyList<SensorCharacteristics> Sensors)
    {
        /// <summary>The same, where one of the windows is the idle baseline of the others.</summary>
        public EnergyAccount WithIdle(EnergyWindow idle) => Accounting.Of(Series, Sensors, idle with { Kind = WindowKind.Idle });
    }

    public static Outcome Run(double interval, IReadOnlyList<(double Start, double End)> windows, params SimulatedSensor[] sensors)
    {
        var clock = new SimulatedClock { Seconds = 0.5 };
        using var meter = new SimulatedMeter(clock, sensors);
        var characteristics = SensorCharacteristics.Measure(meter, clock);
        using var sampler = new EnergySampler(meter, clock, interval, characteristics);
        foreach (var edge in windows.SelectMany(w => new[] { w.Start, w.End }).Distinct().Order())
        {
            Advance(clock, sampler, edge);
            Assert.That(sampler.MarkEdge(), Is.EqualTo(edge), "the clock stands at the edge");
        }
        Advance(clock, sampler, clock.Seconds + 2);
        var series = sampler.Series(0);
        var account = Accounting.Of(series, characteristics, interval);
        return new Outcome(account,
            [.. windows.Select((w, i) => new EnergyWindow($"window-{i}", WindowKind.Measured, w.Start, w.End, i + 1))],
            series, characteristics);
    }

    private static void Advance(SimulatedClock clock, EnergySampler sampler, double until)
    {
        clock.StopAt = until;
        while (clock.Seconds < until) sampler.Tick();
        clock.StopAt = double.PositiveInfinity;
    }
}

/// <summary>Accounts of series that are at hand, of a world of one rank.</summary>
public static class Accounting
{
    public static EnergyAccount Of(
        IEnumerable<SampleSeries> series, IEnumerable<SensorCharacteristics> sensors, params EnergyWindow[] windows) =>
            new(Evidence(series, sensors, windows));

    public static EnergyAccount Of(IEnumerable<SampleSeries> series, IEnumerable<SensorCharacteristics> sensors, double interval) =>
        new(Evidence(series, sensors) with { SampleIntervalSeconds = interval });

    private static EnergyEvidence Evidence(
        IEnumerable<SampleSeries> series, IEnumerable<SensorCharacteristics> sensors, params EnergyWindow[] windows) => new()
        {
            SampleIntervalSeconds = 0.1,
            Limits = new(),
            Domains = [.. series.Select(one => one.Domain).DistinctBy(domain => domain.Key)],
            Sensors = [.. sensors],
            Facts = [],
            Ranks = [new(0, "node1", 0, [], new(ClockOffset.Zero, ClockOffset.Zero), new(0, 0, 0, null, 0, 0))],
            WorldSize = 1,
            ComputesOnGpus = true,
            RanToEnd = true,
            Series = [.. series],
            Windows = windows,
        };

    /// <summary>A step of which no more is known than attribution asks: times, whose it is, and what took part.</summary>
    public static Step Step(double start, double end, int replica, params StepEntry[] entries)
    {
        StepEntry[] ordered = [.. entries.OrderByDescending(entry => entry.Phase)];
        var decoding = entries.Count(entry => entry.Phase == StepPhase.Decode);
        return new()
        {
            Repeat = 1,
            Replica = replica,
            Batch = 0,
            MicroBatch = 0,
            Kind = decoding == 0 ? StepKind.Prefill : decoding == entries.Length ? StepKind.Decode : StepKind.Mixed,
            StartSeconds = start,
            EndSeconds = end,
            Rows = [.. ordered.Select(entry => entry.Row)],
            Tokens = [.. ordered.Select(entry => entry.Tokens)],
            DecodeRows = decoding,
        };
    }
}
