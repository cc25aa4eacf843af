using System.Text.Json.Serialization;

namespace Harness.Energy.Clocks;

/// <summary>A question for the time and its answer.</summary>
/// <param name="SentSeconds">On the asker's clock, when the question left.</param>
/// <param name="AnswerSeconds">On the other's clock, when it answered.</param>
/// <param name="ReceivedSeconds">On the asker's clock, when the answer came.</param>
public readonly record struct RoundTrip(double SentSeconds, double AnswerSeconds, double ReceivedSeconds)
{
    public double DurationSeconds => ReceivedSeconds - SentSeconds;
}

/// <summary>
/// How far rank 0's clock is ahead of one's own, from messages: the answer of the fastest of many round trips was given
/// half-way through it, give or take half of it (Mills, RFC 5905, clock filter; Cristian 1989). The true offset lies within
/// the uncertainty whatever the network did, for clocks that do not drift during the exchange.
/// </summary>
/// <param name="AtSeconds">When it held, on one's own clock.</param>
public sealed record ClockOffset(
    [property: JsonPropertyName("offset_s")] double OffsetSeconds,
    [property: JsonPropertyName("uncertainty_s")] double UncertaintySeconds,
    [property: JsonPropertyName("at_s")] double AtSeconds)
{
    /// <summary>Of rank 0 to itself, or of ranks that share one clock with one origin.</summary>
    public static readonly ClockOffset Zero = new(0, 0, 0);

    public static ClockOffset Estimate(IReadOnlyList<RoundTrip> trips)
    {
        if (trips.Count == 0) throw new ArgumentException("a clock offset needs at least one round trip", nameof(trips));
        var best = trips.MinBy(t => t.DurationSeconds);
        var middle = (best.SentSeconds + best.ReceivedSeconds) / 2;
        return new ClockOffset(best.AnswerSeconds - middle, best.DurationSeconds / 2, middle);
    }

    /// <summary>
    /// The asker's side of an exchange. <paramref name="askRank0"/> sends a message to rank 0 and returns the seconds that
    /// it answers; rank 0 answers with <c>clock.Seconds</c> the same number of times for every other rank in turn.
    /// </summary>
    public static ClockOffset Measure(IRunClock clock, Func<double> askRank0, int trips = 64)
    {
        var samples = new RoundTrip[trips];
        for (var i = 0; i < trips; i++)
        {
            var sent = clock.Seconds;
            var answer = askRank0();
            samples[i] = new RoundTrip(sent, answer, clock.Seconds);
        }
        return Estimate(samples);
    }
}

/// <summary>
/// A rank's clock set to rank 0's, from the offsets measured at the run's start, before and after each measured window, and at the end:
/// from one to the next, clocks are taken to drift evenly, and what the offsets themselves say against that is a part of the uncertainty.
/// </summary>
public sealed record ClockMap(ClockOffset Start, ClockOffset End)
{
    /// <summary>
    /// As fast as a clock may drift where that was not measured: 500 ppm is the most by which NTP slews one (adjtimex(2)).
    /// </summary>
    private const double UnmeasuredDrift = 500e-6;

    /// <summary>Offsets between the two, in order; absent where there are none, as of ranks that share rank 0's clock.</summary>
    [JsonPropertyName("between"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<ClockOffset>? Between { get; init; }

    /// <summary>At the measured offsets and between them.</summary>
    public double UncertaintySeconds
    {
        get
        {
            var knots = Knots;
            var worst = knots.Max(knot => knot.UncertaintySeconds);
            // A knot lies off the line through its neighbours by more than it can be wrong: the drift was not even.
            for (var i = 1; i + 1 < knots.Count; i++)
                worst = Math.Max(worst, Math.Abs(knots[i].OffsetSeconds - OnLine(knots[i - 1], knots[i + 1], knots[i].AtSeconds)));
            return worst;
        }
    }

    private IReadOnlyList<ClockOffset> Knots => Between is { Count: > 0 } between ? [Start, .. between, End] : [Start, End];

    /// <summary>Within a window of the run's clock; more where the window lies outside the time in which offsets were measured.</summary>
    public double UncertaintyWithin(double startSeconds, double endSeconds)
    {
        var measured = UncertaintySeconds;
        if (measured == 0) return 0;        // the clock of rank 0 itself
        var (first, last) = (Start.AtSeconds + Start.OffsetSeconds, End.AtSeconds + End.OffsetSeconds);
        return measured + UnmeasuredDrift * Math.Max(0, Math.Max(first - startSeconds, endSeconds - last));
    }

    public double ToRunClock(double ownSeconds)
    {
        if (Between is not { Count: > 0 } between) return ownSeconds + OnLine(Start, End, ownSeconds);
        // The first knot of the stretch in which it lies; before the first and behind the last its drift is the nearest stretch's.
        var (low, high) = (0, between.Count);
        while (low < high)
        {
            var middle = low + (high - low) / 2;
            if (between[middle].AtSeconds <= ownSeconds) low = middle + 1;
            else high = middle;
        }
        return ownSeconds + OnLine(low == 0 ? Start : between[low - 1], low == between.Count ? End : between[low], ownSeconds);
    }

    private static double OnLine(ClockOffset from, ClockOffset to, double ownSeconds)
    {
        var span = to.AtSeconds - from.AtSeconds;
        var drift = span > 0 ? (to.OffsetSeconds - from.OffsetSeconds) / span : 0;
        return from.OffsetSeconds + drift * (ownSeconds - from.AtSeconds);
    }
}
