namespace Harness.Runs.Records;

/// <summary>Mean and percentiles of a sample, null where it is empty.</summary>
public sealed class Statistics
{
    private readonly double[] _sorted;

    public Statistics(IEnumerable<double> sample)
    {
        _sorted = sample.ToArray();
        Array.Sort(_sorted);
    }

    public double? Mean => _sorted.Length > 0 ? _sorted.Sum() / _sorted.Length : null;

    /// <summary>
    /// The value at position (n − 1) · <paramref name="percent"/> / 100 of the sorted sample, interpolated linearly between its
    /// neighbours: numpy's default, method 7 of Hyndman and Fan (1996).
    /// </summary>
    public double? Percentile(double percent)
    {
        if (_sorted.Length == 0) return null;
        var position = (_sorted.Length - 1) * percent / 100;
        var below = (int)position;
        var above = Math.Min(below + 1, _sorted.Length - 1);
        return _sorted[below] + (_sorted[above] - _sorted[below]) * (position - below);
    }
}
