using Harness.Common;

namespace Harness.Energy.Sampling;

/// <summary>
/// Reads a meter on a thread of its own, at deadlines of a fixed grid, so that the interval does not drift. The loop does
/// not allocate. At a window's edge the caller's thread reads once more (<see cref="MarkEdge"/>), and the sampler then
/// reads some twenty times within one update period of the sensor, until every counter has moved: that locates the
/// update beside the edge, without which an edge is known only to a whole update period (100 ms on many GPUs).
/// </summary>
public sealed class EnergySampler : IDisposable
{
    private const double ReadsPerUpdate = 20;
    private const double LatePeriods = 5;
    private const double ShortestPauseSeconds = 0.001;
    private const double AverageFieldSeconds = 1.0;

    private readonly IEnergyMeter _meter;
    private readonly IRunClock _clock;
    private readonly double _intervalSeconds;
    private readonly double _edgePauseSeconds;
    private readonly double _longestUpdateSeconds;
    private readonly AutoResetEvent _wake = new(false);
    private readonly Lock _gate = new();
    private readonly EnergyReading[] _readings;
    private readonly SampleLog[] _logs;
    private readonly double?[] _joulesAtEdge;
    private readonly int?[] _temperatures;
    private readonly double _gridStart;
    private Thread? _thread;
    private volatile bool _stopping;
    private long _gridIndex = 1;
    private double _edgeSeconds = double.NegativeInfinity;
    private double _edgeUntil = double.NegativeInfinity;
    private double _nextEdgeRead;
    private long _samples, _missed, _allocatedBytes;
    private double _latest, _wallSeconds;
    private double? _cpuSeconds;

    /// <param name="intervalSeconds">Between two samples; 0.1 is the default of the harness.</param>
    /// <param name="sensors">From <see cref="SensorCharacteristics.Measure"/>; without them edges are not resolved finer than the
    /// interval.</param>
    /// <exception cref="UserErrorException">The interval is not a sensible number of seconds.</exception>
    public EnergySampler(IEnergyMeter meter, IRunClock clock, double intervalSeconds, IReadOnlyList<SensorCharacteristics> sensors)
    {
        if (!(intervalSeconds is >= 0.001 and <= 60))
            throw new UserErrorException(
                FormattableString.Invariant($"the sampling interval of {intervalSeconds} s is outside 0.001 … 60 s"));
        (_meter, _clock, _intervalSeconds) = (meter, clock, intervalSeconds);
        _readings = new EnergyReading[meter.Domains.Count];
        _logs = [.. meter.Domains.Select(_ => new SampleLog())];
        _joulesAtEdge = new double?[_readings.Length];
        _temperatures = new int?[_readings.Length];
        var updates = sensors.Select(s => s.UpdateSeconds).OfType<double>().ToList();
        _longestUpdateSeconds = updates.DefaultIfEmpty(0).Max();
        _edgePauseSeconds = Math.Max(ShortestPauseSeconds, updates.DefaultIfEmpty(0).Min() / ReadsPerUpdate);
        _gridStart = clock.Seconds;
        ReadOnce();
    }

    /// <summary>Starts the thread. The first sample was taken by the constructor.</summary>
    public void Start()
    {
        if (_readings.Length == 0) return;   // nothing to read: no thread either
        _thread = new Thread(Loop) { IsBackground = true, Name = "energy sampler" };
        _thread.Start();
    }

    /// <summary>
    /// Reads now and returns the time of an edge: a window's start or end, to be kept in an <c>EnergyWindow</c>. Call it
    /// between two barriers, after the device was synchronised.
    /// </summary>
    public double MarkEdge()
    {
        lock (_gate)
        {
            ReadOnce();
            var now = _edgeSeconds = _clock.Seconds;
            for (var i = 0; i < _readings.Length; i++) _joulesAtEdge[i] = _readings[i].EnergyJoules;
            if (_longestUpdateSeconds > 2 * ShortestPauseSeconds)
            {
                _edgeUntil = now + 1.25 * _longestUpdateSeconds;
                _nextEdgeRead = now + _edgePauseSeconds;
            }
            _wake.Set();
            return now;
        }
    }

    /// <summary>
    /// Waits, while the thread samples, until the latest edge can be resolved: 1.25 update periods; a second where power is a 1-s
    /// average; and some more, by the sensor's own period, while a domain has shown nothing since, as of a sensor that is late on a busy
    /// machine. One that shows nothing ever again is waited for no longer than that.
    /// </summary>
    public void Settle()
    {
        if (_thread == null) return;
        var settled = _clock.Seconds + Math.Max(1.25 * _longestUpdateSeconds, 2 * _intervalSeconds);
        if (_readings.Any(r => r.PowerField == PowerField.Average1s)) settled += AverageFieldSeconds;
        _clock.Wait(settled, null);
        for (var late = settled + LatePeriods * Math.Max(_longestUpdateSeconds, _intervalSeconds); _clock.Seconds < late && AwaitsNews();)
            _clock.Wait(_clock.Seconds + _edgePauseSeconds, null);
    }

    /// <summary>Settles (<see cref="Settle"/>), then ends the thread. The series so far stay.</summary>
    public void Stop()
    {
        if (_thread == null) return;
        Settle();
        _stopping = true;
        _wake.Set();
        _thread.Join();
        _thread = null;
    }

    /// <summary>Everything recorded so far, as read by <paramref name="rank"/>, on this rank's own clock.</summary>
    public IReadOnlyList<SampleSeries> Series(int rank)
    {
        lock (_gate) return [.. _logs.Select((log, i) => new SampleSeries(_meter.Domains[i], rank, log.ToArray()))];
    }

    /// <summary>
    /// Reads once more, out of turn, and returns what was recorded since the reader's last call, on this rank's own clock: for those who
    /// keep readings, or hand them on, while a run goes on.
    /// </summary>
    /// <param name="bookmark">The reader's own, changed by this alone.</param>
    public IReadOnlyList<SampleSeries> TakeNew(int rank, SampleBookmark bookmark)
    {
        lock (_gate)
        {
            if (!_stopping) ReadOnce();
            return [.. _logs.Select((log, i) => new SampleSeries(_meter.Domains[i], rank, log.ToArray(bookmark.Move(i, log.Count))))];
        }
    }

    /// <summary>The warmest device as last seen; null when none shows a temperature.</summary>
    public int? WarmestCelsius
    {
        get { lock (_gate) return _temperatures.Max(); }
    }

    public SamplerCost Cost
    {
        get { lock (_gate) return new SamplerCost(_samples, _missed, _latest, _cpuSeconds, _wallSeconds, _allocatedBytes); }
    }

    internal bool HasSpareMemory => _logs.All(log => log.HasSpare);

    private void Loop()
    {
        var allocatedBefore = GC.GetAllocatedBytesForCurrentThread();
        var cpuBefore = SystemClocks.ThreadCpuSeconds;
        var start = _clock.Seconds;
        while (!_stopping)
        {
            Tick();
            lock (_gate)
            {
                _wallSeconds = _clock.Seconds - start;
                _cpuSeconds = SystemClocks.ThreadCpuSeconds - cpuBefore;
                _allocatedBytes = GC.GetAllocatedBytesForCurrentThread() - allocatedBefore;
            }
        }
    }

    /// <summary>Waits for the next deadline and takes its sample; returns without one when an edge or the end came first.</summary>
    internal void Tick()
    {
        double deadline;
        lock (_gate) deadline = NextDeadline();
        _clock.Wait(deadline, _wake);
        lock (_gate)
        {
            deadline = NextDeadline();
            var now = _clock.Seconds;
            if (_stopping || now < deadline) return;
            _latest = Math.Max(_latest, now - deadline);
            ReadOnce();
            Advance(_clock.Seconds);
        }
    }

    private double NextDeadline()
    {
        var grid = _gridStart + _gridIndex * _intervalSeconds;
        return _nextEdgeRead <= _edgeUntil ? Math.Min(grid, _nextEdgeRead) : grid;
    }

    private void Advance(double now)
    {
        if (now >= _gridStart + _gridIndex * _intervalSeconds)
        {
            var next = Math.Max(_gridIndex + 1, (long)Math.Floor((now - _gridStart) / _intervalSeconds) + 1);
            _missed += next - _gridIndex - 1;
            _gridIndex = next;
        }
        if (_edgeUntil < now)
        {
            _edgeUntil = double.NegativeInfinity;   // not located in time: back to the grid
            return;
        }
        _nextEdgeRead = now + _edgePauseSeconds;
        if (!AnyCounterStands()) _edgeUntil = double.NegativeInfinity;   // every counter has moved: the edge is located
    }

    /// <summary>Whether a counter stands since the latest edge, or a meter that dates its readings itself has given none since.</summary>
    private bool AwaitsNews()
    {
        lock (_gate)
            return AnyCounterStands()
                || _readings.Where((reading, i) => _meter.Domains[i].IsDatedAtItsSource && reading.TimeSeconds <= _edgeSeconds).Any();
    }

    /// <summary>Whether one shows what it showed at the latest edge.</summary>
    private bool AnyCounterStands()
    {
        for (var i = 0; i < _readings.Length; i++)
            if (_readings[i].EnergyJoules == _joulesAtEdge[i] && _joulesAtEdge[i] != null) return true;
        return false;
    }

    private void ReadOnce()
    {
        _meter.Read(_readings);
        _samples++;
        for (var i = 0; i < _readings.Length; i++)
        {
            // a meter with a clock of its own (a replay, a program's lines) may show the same reading again
            if (_logs[i].Last is not { } last || _readings[i].TimeSeconds > last.TimeSeconds) _logs[i].Append(_readings[i]);
            _temperatures[i] = _readings[i].TemperatureCelsius ?? _temperatures[i];
        }
    }

    public void Dispose()
    {
        _stopping = true;
        _wake.Set();
        _thread?.Join();
        _wake.Dispose();
    }
}

/// <summary>How many readings of each domain somebody has taken from an <see cref="EnergySampler"/>.</summary>
public sealed class SampleBookmark
{
    private readonly List<int> _taken = [];

    /// <returns>Where the domain's bookmark was.</returns>
    internal int Move(int domain, int count)
    {
        while (_taken.Count <= domain) _taken.Add(0);
        var first = _taken[domain];
        _taken[domain] = count;
        return first;
    }
}
