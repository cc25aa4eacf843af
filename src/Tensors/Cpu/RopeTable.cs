namespace Harness.Tensors.Cpu;

/// <summary>
/// Cosines and sines of position · frequency, [position][cos ‖ sin of Dimension / 2 pairs], computed in float64 as positions come into use.
/// </summary>
internal sealed unsafe class RopeTable : IDisposable
{
    private float[] _frequencies = [];
    private PageBlock? _pages;
    private int _positions;
    private int _computed;

    /// <summary>Makes positions below <paramref name="positions"/> available.</summary>
    public void Ensure(float[] frequencies, int positions, int capacity)
    {
        if (!ReferenceEquals(frequencies, _frequencies) && !frequencies.AsSpan().SequenceEqual(_frequencies)) _computed = 0;
        if (_pages == null || capacity > _positions || frequencies.Length != _frequencies.Length)
        {
            _pages?.Dispose();
            _pages = new PageBlock((long)capacity * frequencies.Length * 2 * sizeof(float), hugePages: false);
            (_positions, _computed) = (capacity, 0);
        }
        _frequencies = frequencies;
        for (; _computed < positions; _computed++)
        {
            var row = Row(_computed);
            for (var i = 0; i < frequencies.Length; i++)
            {
                var (sin, cos) = Math.SinCos((double)_computed * frequencies[i]);
                (row[i], row[frequencies.Length + i]) = ((float)cos, (float)sin);
            }
        }
    }

    public float* Row(int position) => (float*)_pages!.Data + (long)position * 2 * _frequencies.Length;

    public void Dispose() => _pages?.Dispose();
}
