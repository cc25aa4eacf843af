namespace Harness.Energy.Accounting;

/// <summary>
/// Cumulative joules of one domain as a function of time, from known points. Between two points the curve is their chord,
/// or, where the power at both is known and differs, the two tangents up to the point where they meet: a load that
/// starts or stops between two updates of the counter is then placed where the joules say it was. Without that, a
/// window that opens with a load would always lose part of it.
/// </summary>
public sealed class JoulesCurve
{
    private readonly double[] _times;
    private readonly double[] _joules;
    private readonly double[]? _watts;

    /// <param name="times">s, strictly ascending.</param>
    /// <param name="joules">J at those times.</param>
    /// <param name="watts">Instantaneous power at those times; null where it is not known for all.</param>
    public JoulesCurve(double[] times, double[] joules, double[]? watts = null)
    {
        if (times.Length != joules.Length || (watts != null && watts.Length != times.Length))
            throw new ArgumentException("a curve has as many joules (and watts) as times");
        (_times, _joules, _watts) = (times, joules, watts);
    }

    public int Points => _times.Length;
    public double FirstSeconds => _times.Length == 0 ? double.PositiveInfinity : _times[0];
    public double LastSeconds => _times.Length == 0 ? double.NegativeInfinity : _times[^1];

    public bool Covers(double startSeconds, double endSeconds) => startSeconds >= FirstSeconds && endSeconds <= LastSeconds;

    /// <summary>Joules between two times; null where the curve does not reach.</summary>
    public double? Between(double startSeconds, double endSeconds) =>
        Covers(startSeconds, endSeconds) ? At(endSeconds) - At(startSeconds) : null;

    /// <summary>Cumulative joules at a time the curve covers.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The curve does not reach there.</exception>
    public double At(double seconds)
    {
        if (!Covers(seconds, seconds))
            throw new ArgumentOutOfRangeException(nameof(seconds), seconds, $"the curve covers {FirstSeconds} … {LastSeconds} s");
        var found = Array.BinarySearch(_times, seconds);
        return found >= 0 ? _joules[found] : Interpolate(~found - 1, seconds);
    }

    private double Interpolate(int left, double seconds)
    {
        var (t0, t1) = (_times[left], _times[left + 1]);
        var (e0, e1) = (_joules[left], _joules[left + 1]);
        var chord = e0 + (e1 - e0) * ((seconds - t0) / (t1 - t0));
        if (_watts == null) return chord;
        var (p0, p1) = (_watts[left], _watts[left + 1]);
        if (p0 == p1) return chord;
        var meet = t0 + (e1 - e0 - p1 * (t1 - t0)) / (p0 - p1);
        if (!(meet > t0 && meet < t1)) return chord;   // another shape than one step: no better guess than the chord
        return seconds <= meet ? e0 + p0 * (seconds - t0) : e1 - p1 * (t1 - seconds);
    }
}
