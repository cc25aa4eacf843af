using System.Globalization;

namespace Harness.Energy.Accounting;

/// <summary>
/// The energy figures of one piece of a run, from evidence alone: the same on rank 0 while the run goes on, at its end, and in
/// <c>harness verify</c>. Built once, and then only asked.
/// </summary>
public sealed class EnergyAccount
{
    private readonly EnergyEvidence _evidence;
    private readonly DeviceLedger _ledger;
    private readonly IReadOnlyList<LedgerEntry> _counted;
    private readonly Dictionary<string, EnergyDomain> _sameModule;
    private readonly Dictionary<string, EnergyTimeline> _timelines;
    private readonly HashSet<string> _countedKeys, _speakingKeys;
    private readonly IReadOnlyDictionary<string, IReadOnlySet<int>> _replicasOf;
    private readonly IReadOnlyDictionary<string, IReadOnlySet<int>> _ranksOf;
    private readonly Dictionary<int, RankPhases>? _phases;
    private readonly Dictionary<int, RankPlace> _places = [];
    private readonly ILookup<string, DomainFacts> _facts;
    private readonly Dictionary<string, double> _idleWatts = [];
    private readonly Dictionary<string, Dictionary<string, (int Place, double? Joules)>> _byDevice = [];
    private readonly Dictionary<(string Window, string Device), PhaseJoules?> _phasesByDevice = [];

    public EnergyAccount(EnergyEvidence evidence)
    {
        _evidence = evidence;
        var domains = evidence.Domains.ToDictionary(domain => domain.Key);
        _ledger = new(evidence.Series.Select(series =>
            series with { Domain = domains.GetValueOrDefault(series.Domain.Key, series.Domain) }),
            evidence.ComputesOnGpus ? ComputesOn.Gpus : ComputesOn.Processors);
        var sensors = evidence.Sensors.GroupBy(sensor => sensor.Key).ToDictionary(same => same.Key, same => same.First());
        _timelines = _ledger.Devices.ToDictionary(device => device.Domain.Key,
            device => new EnergyTimeline(device.Series, sensors.GetValueOrDefault(device.Domain.Key), evidence.SampleIntervalSeconds,
                evidence.Limits));
        _sameModule = SameModules();
        _counted = [.. _ledger.Counted.Where(device => !_sameModule.ContainsKey(device.Domain.Key))];
        _countedKeys = [.. _counted.Select(device => device.Domain.Key)];
        _speakingKeys = [.. _ledger.Speaking.Select(device => device.Domain.Key)];
        (_replicasOf, _ranksOf) = (OfModules(evidence.ReplicasByDomain()), OfModules(evidence.RanksByDomain()));
        _phases = evidence.Phases?.ToDictionary(one => one.Rank);
        _facts = DomainFacts.ByDevice(evidence.Facts);
        foreach (var place in evidence.Ranks) _places.TryAdd(place.Rank, place);
        if (evidence.Windows.FirstOrDefault(window => window.Kind == WindowKind.Idle) is { } idle && !IsSuspendedIn(idle))
            _idleWatts = IdleWattsIn(Resolve(idle));
        Windows = [.. evidence.Windows.Select(Resolve)];
        Repeats = [.. Windows.Where(window => window.Window.Kind == WindowKind.Measured)];
    }

    /// <summary>Every window of the evidence, in its order.</summary>
    public IReadOnlyList<WindowEnergy> Windows { get; }

    /// <summary>The measured ones.</summary>
    public IReadOnlyList<WindowEnergy> Repeats { get; }

    public DateTimeOffset? OriginUtc => _evidence.OriginUtc;

    /// <summary>GPUs that the run's joules are those of, each once.</summary>
    public int Gpus => _ledger.Counted.Count(device => device.Domain.Kind == DomainKind.Gpu);

    /// <summary>Model name of these GPUs; null where there are none.</summary>
    public string? GpuName => _ledger.Counted.Select(device => device.Domain).Where(domain => domain.Kind == DomainKind.Gpu)
        .Select(domain => domain.Name).FirstOrDefault(name => name.Length > 0);

    /// <summary>Until when the joules of every counted device that works for a replica are known; infinite where none is counted.</summary>
    public double KnownUntil(int replica) => _counted.Select(device => device.Domain.Key)
        .Where(key => _replicasOf[key].Contains(replica)).Select(key => _timelines[key].LastSeconds)
        .DefaultIfEmpty(double.PositiveInfinity).Min();

    /// <summary>
    /// What a domain draws while the run is ready but computes nothing; null where it has no idle window that is valid, and then neither
    /// it nor the run has net joules.
    /// </summary>
    public double? IdleWatts(string key) => _idleWatts.TryGetValue(key, out var watts) ? watts : null;

    /// <summary>Any stretch of time, as one of the windows.</summary>
    public WindowEnergy Resolve(EnergyWindow window)
    {
        List<DomainEnergy> devices = [.. _ledger.Devices.Select(device => Resolve(device.Domain.Key, window))];
        List<DomainEnergy> counted = [.. devices.Where(device => _countedKeys.Contains(device.Key))];
        var joules = Sum(counted.Select(device => device.Joules));
        var powerJoules = Sum(counted.Select(device => device.PowerJoules));
        return new()
        {
            Window = window,
            Devices = devices,
            Speaking = [.. devices.Where(device => _speakingKeys.Contains(device.Key))],
            Counted = counted,
            Joules = joules,
            NetJoules = Sum(counted.Select(device => device.Joules - IdleWatts(device.Key) * device.DurationSeconds)),
            IdleWatts = Sum(counted.Select(device => IdleWatts(device.Key))),
            CounterPowerRatio = powerJoules > 0 ? Sum(counted.Select(device => device.CounterJoules)) / powerJoules : null,
            Source = joules is null ? null
                : string.Join('+', counted.Select(device => device.Source).OfType<string>().Distinct().Order(StringComparer.Ordinal)),
            InvalidReasons = InvalidReason.Ordered(counted.Count == 0 ? [InvalidReason.NoMeter]
                : counted.SelectMany(device => device.InvalidReasons)),
        };
    }

    /// <summary>Why a repeat's energy may not be believed; empty: valid.</summary>
    public IReadOnlyList<string> Reasons(WindowEnergy repeat) => Validity.Judge(repeat, new RunFacts
    {
        ComputePlaces = ComputePlaces(),
        DomainFacts = _facts,
        ClockUncertaintySeconds = _evidence.Ranks.Max(rank =>
            rank.Clock.UncertaintyWithin(repeat.Window.StartSeconds, repeat.Window.EndSeconds)),
        IsClockSuspended = IsSuspendedIn(repeat.Window),
        RanksComplete = _evidence.Ranks.Count == _evidence.WorldSize,
        RanToEnd = _evidence.RanToEnd,
        MaxStartTemperatureCelsius = _evidence.MaxStartTemperatureCelsius,
        StartTemperatureCelsius = repeat.Counted.Max(device => device.StartTemperatureCelsius),
    }, _evidence.Limits);

    /// <summary>
    /// Shares the joules of the counted devices in a window out to prompts, each device's among the steps of the replicas that it works
    /// for; null where one has no joules there.
    /// </summary>
    public Attribution? Attribute(EnergyWindow window, IReadOnlyList<Step> steps)
    {
        var devices = new List<AttributedDevice>();
        foreach (var key in _counted.Select(device => device.Domain.Key))
        {
            var part = window.PartOf(key);
            if (part.DurationSeconds <= 0 && window.DurationSeconds > 0) continue;
            if (_timelines[key].CurveFor(part) is not { } curve) return null;
            devices.Add(new AttributedDevice(curve, IdleWatts(key), _replicasOf[key], part.EndSeconds));
        }
        return devices.Count == 0 ? null : Attribution.Compute(window, devices, steps);
    }

    /// <summary>Counted joules within a part of a window; null where the window has none.</summary>
    public double? JoulesBetween(EnergyWindow window, double fromSeconds, double toSeconds) => Sum(_counted.Select(device =>
    {
        var part = window.PartOf(device.Domain.Key);
        if (part.EndSeconds <= fromSeconds) return 0;
        return _timelines[device.Domain.Key].CurveFor(part) is { } curve
            ? curve.At(Math.Min(toSeconds, part.EndSeconds)) - curve.At(fromSeconds) : (double?)null;
    }));

    /// <summary>Counted joules between two times; null without energy, and where the time is too short for the sensors.</summary>
    public double? JoulesWithin(double startSeconds, double endSeconds)
    {
        var part = Resolve(new("part", WindowKind.Measured, startSeconds, endSeconds));
        return part.InvalidReasons.Contains(InvalidReason.WindowTooShort) ? null : part.Joules;
    }

    /// <summary>The figure of 'From Words to Watts', summed over the repeats; null without a GPU on rank 0's node.</summary>
    public double? PaperJoules()
    {
        var (host, nodes) = (PlaceOf(0).Host, _evidence.Ranks.Select(rank => rank.Host).Distinct().Count());
        return Sum(Repeats.Select(repeat => PaperEnergy.Joules(repeat.Speaking, host, nodes)));
    }

    /// <summary>What those of a rank's own domains that are counted used in the window of that name; null where it reads none.</summary>
    public double? JoulesOfRank(int rank, string window)
    {
        if (!_byDevice.TryGetValue(window, out var devices))
            _byDevice[window] = devices = Windows.First(one => one.Window.Name == window).Counted
                .Select((device, place) => (device, place)).ToDictionary(one => one.device.Key, one => (one.place, one.device.Joules));
        return Sum(CountedOf(rank).Where(devices.ContainsKey).Select(key => devices[key]).OrderBy(one => one.Place)
            .Select(one => one.Joules));
    }

    /// <summary>The same joules by what the ranks that work on those domains did; null where that, or the joules, are not known.</summary>
    public PhaseJoules? PhasesOfRank(int rank, string window)
    {
        var resolved = Windows.First(one => one.Window.Name == window);
        return PhaseJoules.Sum(CountedOf(rank).Select(key => PhasesOf(key, resolved.Window)));
    }

    /// <summary>The counted joules of a window by what ranks did; null where that, or the joules, are not known.</summary>
    public PhaseJoules? Phases(EnergyWindow window) =>
        PhaseJoules.Sum(_counted.Select(device => PhasesOf(device.Domain.Key, window)));

    /// <summary>The counted domains that a rank reads, each once, or what stands for them.</summary>
    private IEnumerable<string> CountedOf(int rank) => PlaceOf(rank).Reads
        .Select(key => _sameModule.GetValueOrDefault(key)?.Key ?? key).Distinct().Where(_countedKeys.Contains);

    /// <summary>The UUIDs (or other identities) that a rank reads, joined by plus; null where it reads none.</summary>
    public string? DevicesOfRank(int rank) =>
        string.Join('+', PlaceOf(rank).Reads.Select(key => key.Split('/', 2)[1])) is { Length: > 0 } text ? text : null;

    /// <summary>
    /// What speaks against the joules of a scope that are not the run's, in a repeat: codes of <see cref="InvalidReason"/>.
    /// </summary>
    public IReadOnlyList<string> ReasonsBeside(WindowEnergy repeat, EnergyScope scope) => InvalidReason.Ordered(repeat.OfScope(scope)
        .Where(device => !_countedKeys.Contains(device.Key)).SelectMany(device => Validity.OfDevice(device, _facts)));

    /// <summary>What a reader of the joules must know of what they cover, one line each.</summary>
    public IEnumerable<string> Remarks =>
    [
        .. _ledger.Mirrors.Select(mirror =>
            $"{mirror.Key} shows the counter of {mirror.Value.Domain.Device} a second time: the two are counted once"),
        .. _sameModule.Select(gpu => $"{gpu.Key} is a GPU of the superchip of {gpu.Value.Device}: their module is counted once"),
        .. Repeats.SelectMany(repeat => repeat.Counted).Where(device => Superchip.IsModuleSource(device.Source))
            .GroupBy(device => device.Key).Select(device => string.Create(CultureInfo.InvariantCulture,
                $"{device.Key}: its counter covers the superchip's module, CPU and memory included ({TimesGpu(device.First()):F2} ")
                + "times its GPU's power); the module's joules are counted"),
    ];

    /// <summary>
    /// Counted GPUs whose counters cover a module that another one's covers already, by key, with that one: every GPU of a superchip shows
    /// the same module.
    /// </summary>
    private Dictionary<string, EnergyDomain> SameModules()
    {
        var same = new Dictionary<string, EnergyDomain>();
        foreach (var module in _ledger.Counted.Select(device => device.Domain).Where(domain =>
            domain.Module != null && _timelines[domain.Key].CounterScope == EnergyScope.Module)
            .GroupBy(domain => (domain.Host, domain.Module)))
            foreach (var again in module.Skip(1)) same[again.Key] = module.First();
        return same;
    }

    /// <summary>A module works for all whose GPUs are part of it; the sets of other domains stay the same ones.</summary>
    private IReadOnlyDictionary<string, IReadOnlySet<int>> OfModules(IReadOnlyDictionary<string, IReadOnlySet<int>> byDomain)
    {
        if (_sameModule.Count == 0) return byDomain;
        var again = _sameModule.ToLookup(one => one.Value.Key, one => byDomain[one.Key]);
        return byDomain.ToDictionary(own => own.Key, own =>
            again.Contains(own.Key) ? own.Value.Concat(again[own.Key].SelectMany(others => others)).ToHashSet() : own.Value);
    }

    /// <summary>A GPU is where the one is that stands for its module.</summary>
    private List<ComputePlace>? ComputePlaces()
    {
        var standIns = _ledger.Counted.Select(device => device.Domain).Where(domain => _sameModule.ContainsKey(domain.Key))
            .ToDictionary(domain => domain.Device, domain => _sameModule[domain.Key].Device);
        return _evidence.ComputePlaces?.Select(place => place.GpuUuid is { } gpu && standIns.TryGetValue(gpu, out var standIn)
            ? place with { GpuUuid = standIn } : place).ToList();
    }

    private static double? TimesGpu(DomainEnergy device) => device.Joules / device.GpuPowerJoules;

    private bool IsSuspendedIn(EnergyWindow window) =>
        _evidence.Suspensions?.Any(one => one.Touches(window.StartSeconds, window.EndSeconds)) == true;

    /// <summary>Null where there is nothing to add, or a part is missing.</summary>
    public static double? Sum(IEnumerable<double?> values)
    {
        var (sum, any) = (new CompensatedSum(), false);
        foreach (var value in values)
        {
            if (value is not { } part) return null;
            sum.Add(part);
            any = true;
        }
        return any ? sum.Value : null;
    }

    /// <summary>Of a window that was cut before a device had done anything that counts, it used nothing.</summary>
    private DomainEnergy Resolve(string key, EnergyWindow window)
    {
        var part = window.PartOf(key);
        var resolved = _timelines[key].Resolve(part);
        return part.DurationSeconds > 0 || window.DurationSeconds <= 0 ? resolved
            : resolved with { CounterJoules = 0, InvalidReasons = [] };
    }

    private PhaseJoules? PhasesOf(string key, EnergyWindow window)
    {
        if (_phases == null) return null;
        if (_phasesByDevice.TryGetValue((window.Name, key), out var known)) return known;
        return _phasesByDevice[(window.Name, key)] = Compute();

        PhaseJoules? Compute()
        {
            var part = window.PartOf(key);
            if (part.DurationSeconds <= 0 && window.DurationSeconds > 0) return default(PhaseJoules);
            var ranks = _ranksOf[key].Where(_phases.ContainsKey).Select(rank => _phases[rank]).ToList();
            return ranks.Count == _ranksOf[key].Count && _timelines[key].CurveFor(part) is { } curve
                ? PhaseJoules.Of(curve, part, ranks) : null;
        }
    }

    private RankPlace PlaceOf(int rank) => _places[rank];

    /// <summary>A device slowed by heat while idle is still idle; every other reason counts.</summary>
    private static Dictionary<string, double> IdleWattsIn(WindowEnergy idle) => idle.Devices
        .Where(device => device.AverageWatts != null && device.InvalidReasons.All(reason => reason == InvalidReason.Throttled))
        .ToDictionary(device => device.Key, device => device.AverageWatts!.Value);
}
