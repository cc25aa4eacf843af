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
/// A rank's clock set to rank 0's, from the offsets measured at the run's start and at its end: between the two, clocks are
/// taken to drift evenly.
/// </summary>
public sealed record ClockMap(ClockOffset Start, ClockOffset End)
{
    public double UncertaintySeconds => Math.Max(Start.UncertaintySeconds, End.UncertaintySeconds);

    public double ToRunClock(double ownSeconds)
    {
        var span = End.AtSeconds - Start.AtSeconds;
        var drift = span > 0 ? (End.OffsetSeconds - Start.OffsetSeconds) / span : 0;
        return ownSeconds + Start.OffsetSeconds + drift * (ownSeconds - Start.AtSeconds);
    }
}
