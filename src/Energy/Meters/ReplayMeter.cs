using Harness.Common;
using Harness.Energy.Recordings;

namespace Harness.Energy.Meters;

/// <summary>
/// Plays a recording (<see cref="RecordingFile"/>), such as a run's <c>power.csv</c>: its first moment happens when the meter is opened, and
/// every reading is the latest recorded one, stamped with its own time moved onto the run's clock. Hosts and devices are the recorded ones;
/// a device recorded by several ranks is played once, as its lowest rank saw it. After the recording's end the readings are lost ones: what
/// was not recorded is not made up.
/// </summary>
public sealed class ReplayMeter : IEnergyMeter
{
    private readonly IRunClock _clock;
    private readonly Track[] _tracks;
    private readonly double _shiftSeconds;

    /// <exception cref="UserErrorException">The recording is missing, malformed or empty.</exception>
    public ReplayMeter(string path, IRunClock clock) : this(RecordingFile.Read(path).Series, clock)
    {
        if (_tracks.Length == 0) throw new UserErrorException($"{path}: the recording holds no readings; nothing can be replayed from it");
    }

    public ReplayMeter(IReadOnlyList<SampleSeries> recording, IRunClock clock)
    {
        _clock = clock;
        _tracks = [.. recording.Where(s => s.Readings.Count > 0).GroupBy(s => s.Domain.Key).Select(g => new Track(g.MinBy(s => s.Rank)!))];
        var first = _tracks.Select(t => t.Readings[0].TimeSeconds).DefaultIfEmpty(0).Min();
        _shiftSeconds = clock.Seconds - first;
        Domains = [.. _tracks.Select(t => t.Domain)];
    }

    public IReadOnlyList<EnergyDomain> Domains { get; }
    public IReadOnlyList<string> Notices => [];

    public void Read(Span<EnergyReading> readings)
    {
        var now = _clock.Seconds;
        for (var i = 0; i < _tracks.Length; i++)
        {
            var reading = _tracks[i].At(now - _shiftSeconds);
            readings[i] = reading is { } there
                ? there with { TimeSeconds = there.TimeSeconds + _shiftSeconds }
                : new EnergyReading { TimeSeconds = now };
        }
    }

    public IReadOnlyList<DomainFacts> Inspect(IReadOnlyCollection<int> runProcessIds) =>
        [.. Domains.Select(DomainFacts.NotApplicable)];

    public void Dispose() { }

    private sealed class Track
    {
        private readonly double _endSeconds;
        private int _next;

        public Track(SampleSeries series)
        {
            Domain = series.Domain with { Source = EnergyDomain.Recording };
            Readings = [.. series.Readings.OrderBy(r => r.TimeSeconds)];
            // the last reading stands for as long as the longest pause between two others
            var pauses = Readings.Skip(1).Zip(Readings, (b, a) => b.TimeSeconds - a.TimeSeconds);
            _endSeconds = Readings[^1].TimeSeconds + pauses.DefaultIfEmpty(0).Max();
        }

        public EnergyDomain Domain { get; }
        public EnergyReading[] Readings { get; }

        /// <summary>The latest reading at or before a time that never goes back; null before the first and after the end.</summary>
        public EnergyReading? At(double seconds)
        {
            while (_next < Readings.Length && Readings[_next].TimeSeconds <= seconds) _next++;
            return _next == 0 || seconds > _endSeconds ? null : Readings[_next - 1];
        }
    }
}
