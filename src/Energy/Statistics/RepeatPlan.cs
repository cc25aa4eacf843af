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
        if (!(relativeHalfWidth is > 0 and < 1))
            throw new UserErrorException(FormattableString.Invariant($"the interval of {relativeHalfWidth:P} is not between 0 and 100 %"));
        if (most < FewestForInterval)
            throw new UserErrorException($"the limit of {most} repeats is too low for a confidence interval; allow {FewestForInterval} or "
                + "more");
        return new RepeatPlan(most, relativeHalfWidth);
    }

    /// <param name="joulesPerToken">
    /// Of the repeats so far, in J; null where they are not known, or not yet: the interval is that of the others, and it, or the limit,
    /// ends the plan.
    /// </param>
    public bool NeedsAnother(IReadOnlyList<double?> joulesPerToken)
    {
        if (joulesPerToken.Count >= _count) return false;
        if (_relativeHalfWidth is not { } wanted) return true;
        List<double> known = [.. joulesPerToken.OfType<double>()];
        return known.Count < FewestForInterval || !(ConfidenceInterval.Of(known)!.RelativeHalfWidth <= wanted);
    }
}
