namespace Harness.Energy.Accounting;

/// <summary>
/// When was a value current that a sensor showed at a sample? A sensor that updates every U seconds shows at time t what
/// it measured at some time in (t − U, t]. Each sample starts with that bracket; a change between two samples cuts it at
/// the earlier one; and two values with exactly one update between them lie U apart, so that one sharply seen update
/// sharpens its neighbours. The answer is each bracket's middle.
/// </summary>
internal static class UpdateTimes
{
    /// <summary>Share of a period by which updates may jitter.</summary>
    private const double Jitter = 0.02;

    /// <param name="times">Sample times in s, ascending.</param>
    /// <param name="values">What the sensor showed.</param>
    /// <param name="period">The sensor's update period in s; null when unknown, where samples are taken as current.</param>
    /// <param name="alwaysMoves">Every update changes the value, as a counter's does: equal values are then one update.</param>
    /// <returns>One time per sample, ascending; equal for samples of one update.</returns>
    public static double[] Estimate(ReadOnlySpan<double> times, ReadOnlySpan<double> values, double? period, bool alwaysMoves)
    {
        if (period is not { } update || times.Length == 0) return times.ToArray();
        var groups = Brackets(times, values, update, alwaysMoves);
        for (var i = 1; i < groups.Count; i++) Sharpen(groups[i], groups[i - 1], +update);
        for (var i = groups.Count - 2; i >= 0; i--) Sharpen(groups[i], groups[i + 1], -update);

        var result = new double[times.Length];
        var last = double.NegativeInfinity;
        foreach (var group in groups)
        {
            last = Math.Max(last, (group.Low + group.High) / 2);
            for (var i = group.First; i <= group.Last; i++) result[i] = last;
        }
        return result;

        // forwards: this one is a period after its predecessor; backwards: a period before its successor
        void Sharpen(Group one, Group neighbour, double distance)
        {
            var later = distance > 0 ? one : neighbour;
            if (!later.FollowsDirectly) return;
            var low = Math.Max(one.Low, neighbour.Low + distance - Jitter * update);
            var high = Math.Min(one.High, neighbour.High + distance + Jitter * update);
            if (low <= high) (one.Low, one.High) = (low, high);
        }
    }

    private static List<Group> Brackets(ReadOnlySpan<double> times, ReadOnlySpan<double> values, double update, bool alwaysMoves)
    {
        var groups = new List<Group>();
        for (var i = 0; i < times.Length; i++)
        {
            var changed = i > 0 && values[i] != values[i - 1];
            if (i > 0 && alwaysMoves && !changed)
            {
                var group = groups[^1];
                group.Last = i;
                // still the same update, so it is not older than one period now – unless the sensor stalled
                if (times[i] - update * (1 + Jitter) <= group.High) group.Low = Math.Max(group.Low, times[i] - update * (1 + Jitter));
                continue;
            }
            var low = times[i] - update;
            if (changed) low = Math.Max(low, times[i - 1]);
            var direct = changed && times[i] - times[i - 1] < update * (1 - Jitter);
            groups.Add(new Group { First = i, Last = i, Low = low, High = times[i], FollowsDirectly = direct });
        }
        return groups;
    }

    private sealed class Group
    {
        public int First, Last;
        public double Low, High;
        /// <summary>Exactly one update lies between this value and the one before.</summary>
        public bool FollowsDirectly;
    }
}
