using System.Globalization;
using Harness.Energy;
using Harness.Energy.Accounting;
using Harness.Energy.Records;

namespace Harness.Runs.Accounting;

/// <summary>The energy figures of one piece of a run, from evidence alone: the same on rank 0 at its end and in <c>harness verify</c>.</summary>
public sealed class RunEnergy
{
    private readonly EnergyEvidence _evidence;
    private readonly EnergyAccount _account;
    private readonly DeviceLedger _ledger;

    /// <summary>The measured repeats, in order.</summary>
    public IReadOnlyList<WindowAccount> Repeats { get; }

    /// <summary>Every window, as <c>windows.jsonl</c> holds it.</summary>
    public IReadOnlyList<WindowRecord> Windows { get; }

    public RunEnergy(EnergyEvidence evidence)
    {
        _evidence = evidence;
        var domains = evidence.Domains.ToDictionary(domain => domain.Key);
        _ledger = new DeviceLedger(evidence.Series.Select(series =>
            series with { Domain = domains.GetValueOrDefault(series.Domain.Key, series.Domain) }));
        _account = new EnergyAccount(_ledger, evidence.Sensors, evidence.SampleIntervalSeconds, evidence.Limits);
        if (evidence.Windows.FirstOrDefault(window => window.Kind == WindowKind.Idle) is { } idle) _account.ResolveIdle(idle);
        Repeats = [.. evidence.Windows.Where(window => window.Kind == WindowKind.Measured).Select(_account.Resolve)];
        Windows = [.. evidence.Windows.Select(window => new WindowRecord(window, _account.Resolve(window).Devices))];
    }

    public DateTimeOffset? OriginUtc => _evidence.OriginUtc;

    /// <summary>Counted joules within a part of a measured window; null where the window has none.</summary>
    public double? JoulesBetween(EnergyWindow window, double fromSeconds, double toSeconds) => RunAccount.Sum(_ledger.Counted.Select(device =>
    {
        var part = window.PartOf(device.Domain.Key);
        if (part.EndSeconds <= fromSeconds) return 0;
        return _account.Timeline(device.Domain.Key)?.CurveFor(part) is { } curve
            ? curve.At(Math.Min(toSeconds, part.EndSeconds)) - curve.At(fromSeconds) : (double?)null;
    }));

    /// <summary>GPUs of the run, each once.</summary>
    public int Gpus => _ledger.Devices.Count(device => device.Domain.Kind == DomainKind.Gpu);

    /// <summary>Model name of the GPUs; null where there are none.</summary>
    public string? GpuName => _evidence.Domains.Where(domain => domain.Kind == DomainKind.Gpu).Select(domain => domain.Name).FirstOrDefault(name => name.Length > 0);

    /// <summary>Why a repeat's energy may not be believed; empty: valid.</summary>
    public IReadOnlyList<string> Reasons(WindowAccount repeat) => Validity.Judge(repeat, new RunFacts
    {
        ComputePlaces = _evidence.ComputePlaces,
        DomainFacts = _evidence.Facts,
        ClockUncertaintySeconds = _evidence.Ranks.Max(rank => rank.Clock.UncertaintySeconds),
        RanksComplete = _evidence.Ranks.Count == _evidence.WorldSize,
        RanToEnd = _evidence.RanToEnd,
        MaxStartTemperatureCelsius = _evidence.MaxStartTemperatureCelsius,
        StartTemperatureCelsius = repeat.Counted.Max(device => device.StartTemperatureCelsius),
    }, _evidence.Limits);

    /// <summary>Shares a repeat's joules among its rows; null where it has none.</summary>
    /// <param name="steps">Entries name rows; groups are replicas.</param>
    public Attribution? Attribute(WindowAccount repeat, IReadOnlyList<Step> steps) => _account.Attribute(repeat.Window, steps, _evidence.ReplicasOf);

    /// <summary>Measured joules between two times within a window; null without energy, and where the time is too short for the sensors.</summary>
    public double? JoulesWithin(double startSeconds, double endSeconds)
    {
        var part = _account.Resolve(new("part", WindowKind.Measured, startSeconds, endSeconds));
        return part.InvalidReasons.Contains(InvalidReason.WindowTooShort) ? null : part.Joules;
    }

    /// <summary>The figure of 'From Words to Watts', summed over the repeats; null without a GPU on rank 0's node.</summary>
    public double? PaperJoules() => RunAccount.Sum(Repeats.Select(repeat =>
        PaperEnergy.Joules(repeat.Devices, _evidence.Ranks.First(rank => rank.Rank == 0).Host, _evidence.Ranks.Select(rank => rank.Host).Distinct().Count())));

    /// <summary>What a rank's own domains used in a window; null where it reads none.</summary>
    public double? JoulesOfRank(int rank, string window)
    {
        var reads = _evidence.Ranks.First(place => place.Rank == rank).Reads;
        return RunAccount.Sum(Windows.First(record => record.Window.Name == window).Devices.Where(device => reads.Contains(device.Key)).Select(device => device.Joules));
    }

    /// <summary>The UUIDs (or other identities) that a rank reads, joined by plus; null where it reads none.</summary>
    public string? DevicesOfRank(int rank) => string.Join('+', _evidence.Ranks.First(place => place.Rank == rank).Reads.Select(key => key.Split('/', 2)[1])) is { Length: > 0 } text ? text : null;

    /// <summary>What a reader of the joules must know of what they cover, one line each.</summary>
    public IEnumerable<string> Remarks =>
    [
        .. _ledger.Mirrors.Select(mirror => $"{mirror.Key} shows the counter of {mirror.Value.Domain.Device} a second time: "
            + "the two are counted once"),
        .. Repeats.SelectMany(repeat => repeat.Counted).Where(device =>
            device.Source?.Contains("_module_", StringComparison.Ordinal) == true).GroupBy(device => device.Key).Select(device =>
            string.Create(CultureInfo.InvariantCulture, $"{device.Key}: its counter covers the superchip's module, CPU and memory included ({device.First().CounterPowerRatio:F2} times its GPU's power); the module's joules are counted")),
    ];

    public static string? Joined(IEnumerable<string> reasons) => InvalidReason.Join(reasons) is { Length: > 0 } text ? text : null;
}
