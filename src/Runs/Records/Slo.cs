using Harness.Common;

namespace Harness.Runs.Records;

/// <summary>A time of a request that an objective can bound.</summary>
/// <param name="Name">As in <c>ttft=200ms</c>.</param>
/// <param name="Title">As people call it.</param>
/// <param name="Of">In seconds; null where it is not known.</param>
/// <param name="IsOfGaps">Whether a request with a single token has none, and so keeps every bound.</param>
public sealed record BoundedTime(string Name, string Title, Func<ServedRequest, double?> Of, bool IsOfGaps)
{
    /// <summary>Whether a completed request tells it, or has none.</summary>
    public bool IsKnownOf(in ServedRequest request) => Of(request) != null || (IsOfGaps && request.OutputTokens == 1);
}

/// <summary>
/// A service-level objective: upper bounds on the times of a request, which count as kept where a time is equal to them. A request is good
/// that was completed and keeps all of them: the rule of vLLM's <c>bench serve --goodput</c>, with the same time to first token, time per
/// output token and latency; a bound on the inter-token latency is one on its 99th percentile within the request.
/// </summary>
public sealed class Slo
{
    private const string Example = "bounds such as ttft=200ms,itl=50ms,latency=5s";

    private readonly (BoundedTime Time, double Seconds)[] _bounds;

    private Slo(IEnumerable<(BoundedTime Time, double Seconds)> bounds) => _bounds = [.. bounds];

    /// <summary>Every time that can be bounded, in the order in which bounds are written.</summary>
    public static IReadOnlyList<BoundedTime> Times { get; } =
    [
        new("ttft", PromptTimes.Ttft, request => request.TtftSeconds, IsOfGaps: false),
        new("tpot", PromptTimes.Tpot, request => request.TpotSeconds, IsOfGaps: true),
        new("itl", $"{PromptTimes.Itl}, p99", request => request.ItlP99Seconds, IsOfGaps: true),
        new("latency", PromptTimes.Latency, request => request.LatencySeconds, IsOfGaps: false),
    ];

    /// <summary>Without a bound: every completed request is good.</summary>
    public static Slo None { get; } = new([]);

    public static string Names => string.Join(", ", Times.Select(time => time.Name));

    public bool IsNone => _bounds.Length == 0;

    /// <summary>In seconds, by the time's name.</summary>
    public IReadOnlyDictionary<string, double> Bounds => _bounds.ToDictionary(bound => bound.Time.Name, bound => bound.Seconds);

    /// <param name="option">What the text was given as.</param>
    /// <exception cref="UserErrorException">It is not a list of bounds, each above 0, of known times, each once.</exception>
    public static Slo Parse(string text, string option)
    {
        var bounds = new Dictionary<BoundedTime, double>();
        foreach (var part in text.Split(','))
        {
            if (part.Split('=', 2, StringSplitOptions.TrimEntries) is not [var name, var value]) throw Wrong(Example);
            var time = Times.FirstOrDefault(one => one.Name == name) ?? throw Wrong($"one of {Names} in place of '{name}'");
            var seconds = Quantity.Seconds(value) is { } read and > 0 ? read
                : throw Wrong($"a time above 0, such as 200ms or 5s, in place of '{value}'");
            if (!bounds.TryAdd(time, seconds)) throw Wrong($"one bound of {name}, not two,");
        }
        return new(from time in Times where bounds.ContainsKey(time) select (time, bounds[time]));

        UserErrorException Wrong(string expected) => Quantity.Wrong(text, option, expected);
    }

    /// <summary>As <see cref="Parse"/> reads it; empty without a bound.</summary>
    public override string ToString() => string.Join(',', _bounds.Select(bound => $"{bound.Time.Name}={Text(bound.Seconds)}"));

    /// <summary>Without the bound of one time.</summary>
    public Slo Without(BoundedTime time) => new(_bounds.Where(bound => bound.Time != time));

    /// <summary>Null where a bounded time of it is not known.</summary>
    public bool? IsMetBy(in ServedRequest request)
    {
        if (request.Failed) return false;
        var isKnown = true;
        foreach (var (time, bound) in _bounds)
        {
            if (time.Of(request) > bound) return false;
            isKnown &= time.IsKnownOf(request);
        }
        return isKnown ? true : null;
    }

    /// <summary>The bounded times that completed requests lack.</summary>
    public IEnumerable<string> UnknownIn(IReadOnlyCollection<ServedRequest> requests) =>
        from bound in _bounds
        where requests.Any(request => !request.Failed && !bound.Time.IsKnownOf(request))
        select bound.Time.Name;

    /// <summary>In decimals, which multiply without a remainder: 35ms, not 35.00000000000001ms.</summary>
    private static string Text(double seconds) => seconds is < 1 and > 1e-12
        ? FormattableString.Invariant($"{(decimal)seconds * 1000:0.###############}ms")
        : FormattableString.Invariant($"{seconds:R}s");
}
