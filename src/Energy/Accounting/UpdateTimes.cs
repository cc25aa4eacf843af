namespace Harness.Energy.Accounting;

/// <summary>
/// When was a value current that a sensor showed at a sample? A sensor that updates every U seconds shows at time t what
/// it measured at some time in (t − U, t]. Each sample starts with that bracket, and a change between two samples cuts it
/// at the earlier one. Since updates lie U apart, one that was seen sharply (at a window's edge, where the sampler reads
/// densely) then sharpens the others, forwards and backwards, as far as the period is known. The answer is each
/// bracket's middle.
/// </summary>
internal static class UpdateTimes
{
    /// <summary>Share of a period by which the distance of two updates may differ from the measured period.</summary>
    private const double PeriodTolerance = 0.004;

    /// <param name="times">Sample times in s, ascending.</param>
    /// <param name="values">What the sensor showed.</param>
    /// <param name="period">The sensor's update period in s; null when unknown, where samples are taken as current.</param>
    /// <param name="alwaysMoves">Every update changes the value, as a counter's does: equal values are then one update.</param>
    /// <returns>One time per sample, ascending; equal for samples of one update.</returns>
    public static double[] Estimate(ReadOnlySpan<double> times, ReadOnlySpan<double> values, double? period, bool alwaysMoves)
    {
        if (period is not { } update || times.Length == 0) return times.ToArray();
        var brackets = Brackets(times, values, update, alwaysMoves);
        SharpenForwards(brackets, update);
        SharpenBackwards(brackets, update);

        var result = new double[times.Length];
        var last = double.NegativeInfinity;
        foreach (var bracket in brackets)
        {
            last = Math.Max(last, (bracket.Low + bracket.High) / 2);
            for (var i = bracket.First; i <= bracket.Last; i++) result[i] = last;
        }
        return result;
    }

    private static void SharpenForwards(List<Bracket> brackets, double update)
    {
        var reference = brackets[0];
        foreach (var one in brackets.Skip(1))
        {
            // this value's update is the last one up to the sample that first showed it
            var tolerance = Tolerance(one.FirstSeen - reference.Low);
            var fewest = one.IsNew ? 1 : 0;
            var periods = Math.Max(fewest, Math.Floor((one.FirstSeen - reference.High - tolerance) / update));
            var periodsAtMost = Math.Max(fewest, Math.Floor((one.FirstSeen - reference.Low + tolerance) / update));
            if (periods == periodsAtMost) one.Intersect(reference, periods * update, tolerance);
            if (one.Width <= reference.Width + 2 * tolerance) reference = one;
        }
    }

    private static void SharpenBackwards(List<Bracket> brackets, double update)
    {
        var reference = brackets[^1];
        for (var i = brackets.Count - 2; i >= 0; i--)
        {
            // this value's update is the last one up to the sample that last showed it
            var one = brackets[i];
            var tolerance = Tolerance(reference.High - one.LastSeen);
            var fewest = brackets[i + 1].IsNew ? 1 : 0;
            var periods = Math.Max(fewest, Math.Ceiling((reference.Low - one.LastSeen - tolerance) / update));
            var periodsAtMost = Math.Max(fewest, Math.Ceiling((reference.High - one.LastSeen + tolerance) / update));
            if (periods == periodsAtMost) one.Intersect(reference, -periods * update, tolerance);
            if (one.Width <= reference.Width + 2 * tolerance) reference = one;
        }
    }

    /// <summary>How far from where the period puts it an update may be after this many seconds.</summary>
    private static double Tolerance(double seconds) => PeriodTolerance * Math.Max(0, seconds);

    private static List<Bracket> Brackets(ReadOnlySpan<double> times, ReadOnlySpan<double> values, double update, bool alwaysMoves)
    {
        var brackets = new List<Bracket>();
        for (var i = 0; i < times.Length; i++)
        {
            var isNew = i == 0 || values[i] != values[i - 1];
            if (!isNew && alwaysMoves)
            {
                var bracket = brackets[^1];
                (bracket.Last, bracket.LastSeen) = (i, times[i]);
                // still the same update, so it is not older than a period now – unless the sensor stalled
                var low = times[i] - update * (1 + PeriodTolerance);
                if (low <= bracket.High) bracket.Low = Math.Max(bracket.Low, low);
                continue;
            }
            var oldest = times[i] - update;
            brackets.Add(new Bracket
            {
                First = i,
                Last = i,
                IsNew = isNew,
                FirstSeen = times[i],
                LastSeen = times[i],
                Low = isNew && i > 0 ? Math.Max(oldest, times[i - 1]) : oldest,
                High = times[i],
            });
        }
        return brackets;
    }

    /// <summary>
    /// The samples <see cref="First"/> … <see cref="Last"/> show one update, which happened in <see cref="Low"/> … <see cref="High"/>.
    /// </summary>
    private sealed class Bracket
    {
        public int First, Last;

        /// <summary>The value differs from the one before, so that at least one update lies between.</summary>
        public bool IsNew;
        public double FirstSeen, LastSeen;
        public double Low, High;

        public double Width => High - Low;

        /// <summary>
        /// With another bracket so many seconds on; left alone where the two exclude each other, since the sensor then skipped or stalled.
        /// </summary>
        public void Intersect(Bracket other, double seconds, double tolerance)
        {
            var low = Math.Max(Low, other.Low + seconds - tolerance);
            var high = Math.Min(High, other.High + seconds + tolerance);
            if (low <= high) (Low, High) = (low, high);
        }
    }
}
