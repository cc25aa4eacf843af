using Harness.Common;

namespace Harness.Energy.Statistics;

/// <summary>
/// How many measured repeats: a number of them, or as many as it takes for the confidence interval of joules per token to
/// be narrow enough, up to a limit.
/// </summary>
public sealed class RepeatPlan
{
    /// <summary>With two repeats t is 12.7: an interval that says nothing.</summary>
    public const int FewestForInterval = 3;

    private readonly int _count;
    private readonly double? _relativeHalfWidth;

    private RepeatPlan(int count, double? relativeHalfWidth) => (_count, _relativeHalfWidth) = (count, relativeHalfWidth);

    public static RepeatPlan Fixed(int count) => count >= 1
        ? new RepeatPlan(count, null)
        : throw new UserErrorException(FormattableString.Invariant($"the number of repeats is {count}; it must be 1 or more"));

    /// <param name="relativeHalfWidth">0.02 for "± 2 % of the mean".</param>
    public static RepeatPlan UntilInterval(double relativeHalfWidth, int most)
    {
        if (!(relativeHalfWidth is > 0 and < 1)) throw new UserErrorException(FormattableString.Invariant($"the interval of {relativeHalfWidth:P} is not between 0 and 100 %"));
        if (most < FewestForInterval) throw new UserErrorException($"the limit of {most} repeats is too low for a confidence interval; allow {FewestForInterval} or more");
        return new RepeatPlan(most, relativeHalfWidth);
    }

    /// <param name="joulesPerToken">Of the repeats so far, null where a repeat has none. Without energy there is no interval, and the least number of repeats is all.</param>
    public bool NeedsAnother(IReadOnlyList<double?> joulesPerToken)
    {
        var done = joulesPerToken.Count;
        if (_relativeHalfWidth is not { } wanted) return done < _count;
        if (done < FewestForInterval) return true;
        if (done >= _count || joulesPerToken.Any(v => v is null)) return false;
        return !(ConfidenceInterval.Of([.. joulesPerToken.Select(v => v!.Value)])!.RelativeHalfWidth <= wanted);
    }

    /// <summary>
    /// How many passes over the prompts one repeat takes so that its window is long enough for the sensor, from the length of
    /// a pass seen in warm-up. 1 when the sensor's needs are unknown: then the window is flagged instead.
    /// </summary>
    /// <param name="minimumWindowSeconds"><c>ValidityLimits.MinimumWindowSeconds</c> of the slowest sensor.</param>
    public static int PassesPerRepeat(double passSeconds, double? minimumWindowSeconds, int most = 10_000) =>
        minimumWindowSeconds is { } minimum && passSeconds > 0 ? Math.Clamp((int)Math.Ceiling(minimum / passSeconds), 1, most) : 1;
}
