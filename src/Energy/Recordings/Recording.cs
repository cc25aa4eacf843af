using Harness.Common;

namespace Harness.Energy.Recordings;

/// <summary>What a program wrote of devices over time, as readings.</summary>
/// <param name="Format">The program and its form, as in <see cref="RecordingFile.Formats"/>.</param>
/// <param name="Series">
/// Of each source and device, in order of time; the rank is the number of the source within all recordings, since two sources that see
/// one device count it once.
/// </param>
public sealed record Recording(string File, string Format, RecordedClock Clock, IReadOnlyList<SampleSeries> Series)
{
    /// <summary>What it tells of the devices besides readings.</summary>
    public IReadOnlyList<DomainFacts> Facts { get; init; } = [];

    /// <summary>What a person must know to judge what was read, one line each.</summary>
    public IReadOnlyList<string> Remarks { get; init; } = [];

    /// <summary>
    /// Several recordings as one: their sources numbered on, and a GPU that was seen on two hosts, by its UUID or serial number, counted
    /// on the first.
    /// </summary>
    public static IReadOnlyList<Recording> Together(IReadOnlyList<Recording> recordings)
    {
        var hosts = recordings.SelectMany(recording => recording.Series).Where(series => IsKnownAnywhere(series.Domain))
            .GroupBy(series => series.Domain.Device).ToDictionary(gpu => gpu.Key, gpu => gpu.First().Domain.Host);
        EnergyDomain On(EnergyDomain domain) => IsKnownAnywhere(domain) ? domain with { Host = hosts[domain.Device] } : domain;
        var sources = 0;
        var together = new List<Recording>();
        foreach (var recording in recordings)
        {
            together.Add(recording with
            {
                Series = [.. recording.Series.Select(series => series with { Domain = On(series.Domain), Rank = sources + series.Rank })],
                Facts = [.. recording.Facts.Select(fact => fact with { Domain = On(fact.Domain) })],
            });
            sources += recording.Series.Select(series => series.Rank + 1).DefaultIfEmpty(0).Max();
        }
        return together;
    }

    /// <summary>A GPU by something of its own, not by a number of enumeration.</summary>
    private static bool IsKnownAnywhere(EnergyDomain domain) =>
        domain.Kind == DomainKind.Gpu && !domain.Device.StartsWith(RecordedDevices.ByNumber, StringComparison.Ordinal);
}

/// <summary>A file's readings as they are read, in the order of its lines.</summary>
internal sealed class RecordedDevices(string file)
{
    /// <summary>How a device is named that only its number tells from others of its host.</summary>
    public const string ByNumber = "gpu-";

    private readonly Dictionary<(string Source, string Key), Track> _tracks = [];
    private readonly Dictionary<string, int> _sources = [];
    private RecordedClock? _clock;

    public RecordedClock Clock => _clock ?? RecordedClock.Own;

    /// <summary>Devices that the file says are cut into MIG slices (true) or are not.</summary>
    private readonly Dictionary<string, bool> _mig = [];

    /// <param name="source">Who saw the device: each has a series of its own.</param>
    /// <param name="values">Of what the file says there; of several powers the first of the table counts, throughout.</param>
    /// <exception cref="FormatException">The time is before that of the reading before, or on another clock.</exception>
    public void Add(EnergyDomain domain, string source, RecordedTime time, IReadOnlyList<(Reported Meaning, double Value)> values)
    {
        if (_clock is { } clock && clock != time.Clock) throw new FormatException("its time is told in another way than those before");
        _clock = time.Clock;
        if (!_tracks.TryGetValue((source, domain.Key), out var track))
        {
            _sources.TryAdd(source, _sources.Count);
            _tracks[(source, domain.Key)] = track = new(domain, _sources[source]);
        }
        track.Add(time.Seconds, values);
    }

    public void TellMig(EnergyDomain domain, bool enabled) =>
        _mig[domain.Key] = enabled || _mig.GetValueOrDefault(domain.Key);

    /// <exception cref="UserErrorException">There is no reading in it.</exception>
    public Recording Conclude(string format, IEnumerable<string> remarks)
    {
        if (_tracks.Count == 0) throw new UserErrorException($"{file}: the recording holds no readings");
        return new(file, format, Clock, [.. _tracks.Values.Select(track => new SampleSeries(track.Domain, track.Rank, track.Readings))])
        {
            Facts = [.. _tracks.Values.Select(track => track.Domain).DistinctBy(domain => domain.Key)
                .Where(domain => _mig.ContainsKey(domain.Key)).Select(domain => new DomainFacts(domain) { MigEnabled = _mig[domain.Key] })],
            Remarks = [.. remarks],
        };
    }

    private sealed class Track(EnergyDomain domain, int rank)
    {
        private Reported? _power;

        public EnergyDomain Domain => domain;
        public int Rank => rank;
        public List<EnergyReading> Readings { get; } = [];

        public void Add(double seconds, IReadOnlyList<(Reported Meaning, double Value)> values)
        {
            if (Readings.Count > 0 && seconds < Readings[^1].TimeSeconds)
            {
                throw new FormatException("its time is before that of the line before it for the same device, as where a clock was set or "
                    + "summer time ended; cut the file there, or put its lines in order");
            }
            _power ??= values.FirstOrDefault(value => value.Meaning.IsPower).Meaning;
            var reading = new EnergyReading { TimeSeconds = seconds };
            foreach (var (meaning, value) in values)
                if (!meaning.IsPower || ReferenceEquals(meaning, _power)) reading = meaning.Set(reading, value);
            Readings.Add(reading);
        }
    }
}
