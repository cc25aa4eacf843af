namespace Harness.Energy.Sampling;

/// <summary>
/// Readings in chunks that are made ready by the thread pool, so that the thread that appends does not allocate. Not
/// thread-safe: the sampler's lock guards it.
/// </summary>
internal sealed class SampleLog : IThreadPoolWorkItem
{
    private const int ChunkLength = 4096;

    private readonly List<EnergyReading[]> _full = new(1024);
    private EnergyReading[] _current = new EnergyReading[ChunkLength];
    private EnergyReading[]? _spare = new EnergyReading[ChunkLength];
    private int _count;

    public void Append(in EnergyReading reading)
    {
        if (_count == ChunkLength)
        {
            _full.Add(_current);
            // a spare that is late is made here: an allocation is better than a lost sample
            _current = Interlocked.Exchange(ref _spare, null) ?? new EnergyReading[ChunkLength];
            _count = 0;
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }
        _current[_count++] = reading;
    }

    /// <summary>Whether the next full chunk can be followed without allocating.</summary>
    public bool HasSpare => Volatile.Read(ref _spare) != null;

    public EnergyReading? Last => _count > 0 ? _current[_count - 1] : _full.Count > 0 ? _full[^1][^1] : null;

    public int Count => _full.Count * ChunkLength + _count;

    /// <summary>The readings from number <paramref name="first"/> on.</summary>
    public EnergyReading[] ToArray(int first = 0)
    {
        var readings = new EnergyReading[Count - first];
        for (var taken = 0; taken < readings.Length;)
        {
            var (chunk, place) = Math.DivRem(first + taken, ChunkLength);
            var part = chunk < _full.Count ? _full[chunk].AsSpan(place) : _current.AsSpan(place, _count - place);
            part.CopyTo(readings.AsSpan(taken));
            taken += part.Length;
        }
        return readings;
    }

    void IThreadPoolWorkItem.Execute() => Volatile.Write(ref _spare, new EnergyReading[ChunkLength]);
}
