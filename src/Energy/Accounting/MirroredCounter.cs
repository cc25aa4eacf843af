namespace Harness.Energy.Accounting;

/// <summary>
/// Whether two zones show one counter. Some kernels list the one counter of a package once for every die (Zen 1 and 2); the dies of
/// other processors have a counter each, and names tell nothing. What tells is that the joules of a mirror run along with the
/// other's, at rest and under load, to what the counter moves on between the reading of one zone and of the next; two sockets,
/// however alike their work, differ by far more within a second.
/// </summary>
internal static class MirroredCounter
{
    /// <summary>
    /// Two updates of a RAPL counter (1 ms): by so much time the two readings differ. Over 10 s at 100 W two counters differ by less only
    /// where their mean powers are equal to 0.02 %, and never strayed from it.
    /// </summary>
    private const double SkewSeconds = 0.002;

    /// <summary>A shorter time decides nothing.</summary>
    private const double LeastSeconds = 1;

    /// <summary>
    /// The difference of the two is looked at in so many stretches; its median in each leaves out readings between which the reader was
    /// held up.
    /// </summary>
    private const int Stretches = 16;

    private const int LeastReadings = 20, ReadingsAtTheEnd = 9;

    /// <param name="a">Readings of one rank, taken together with <paramref name="b"/>.</param>
    /// <param name="b">Those of another zone.</param>
    public static bool IsOneCounter(IReadOnlyList<EnergyReading> a, IReadOnlyList<EnergyReading> b)
    {
        var points = a.Zip(b).Where(pair => pair.First.EnergyJoules != null && pair.Second.EnergyJoules != null).ToList();
        if (a.Count != b.Count || points.Count < LeastReadings) return false;
        var (first, last) = (points[0].First, points[^1].First);
        var (seconds, joules) = (last.TimeSeconds - first.TimeSeconds, last.EnergyJoules!.Value - first.EnergyJoules!.Value);
        if (!(seconds >= LeastSeconds && joules > 0)) return false;
        var differences = points.Select(pair =>
            (pair.First.TimeSeconds, Joules: pair.Second.EnergyJoules!.Value - pair.First.EnergyJoules!.Value)).ToList();
        var medians = differences.GroupBy(one => (int)((one.TimeSeconds - first.TimeSeconds) / seconds * Stretches)).Select(stretch =>
            Median(stretch.Select(one => one.Joules)))
            .Append(Median(differences.TakeLast(ReadingsAtTheEnd).Select(one => one.Joules))).ToList();
        return medians.Max() - medians.Min() <= SkewSeconds * joules / seconds;
    }

    private static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToList();
        return sorted[sorted.Count / 2];
    }
}
