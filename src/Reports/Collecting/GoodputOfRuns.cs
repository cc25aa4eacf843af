using Harness.Common;
using Harness.Runs;
using Harness.Runs.Records;

namespace Harness.Reports.Collecting;

/// <summary>
/// Goodput of finished runs under bounds that are given now: from the rows of each. A run whose rows do not tell a bounded time has none,
/// and is named.
/// </summary>
/// <param name="found">Takes what cannot be read.</param>
internal sealed class GoodputOfRuns(Slo slo, RunsBelow found)
{
    private const int MostNamed = 8;

    private readonly Dictionary<string, List<string>> _without = [];

    /// <summary>In place of what the run itself wrote; bounds alone where nothing is known.</summary>
    public GoodputColumns Of(SummaryRecord run, string directory)
    {
        var reader = new RunReader(directory);
        var requests = reader.HasPrompts ? found.Try(() => reader.Requests().ToList()) : null;
        if (requests is not { Count: > 0 }) return new() { Slo = slo.ToString() };
        var unknown = string.Join(" and ", slo.UnknownIn(requests));
        if (unknown.Length > 0) (_without.TryGetValue(unknown, out var list) ? list : _without[unknown] = []).Add(directory);
        return GoodputColumns.Of(slo, requests, run.DurationSeconds, run.Energy.Total);
    }

    /// <summary>A line for each time that is missing somewhere.</summary>
    public void SayWhatIsMissing()
    {
        foreach (var (unknown, directories) in _without.OrderBy(missing => missing.Key, StringComparer.Ordinal))
            found.Say($"goodput is empty for {Figures.Count(directories.Count, "run")} whose prompts.csv does not tell {unknown} of every "
                + $"request: {string.Join(", ", directories.Take(MostNamed))}"
                + (directories.Count > MostNamed ? $" and {Figures.Count(directories.Count - MostNamed)} more" : ""));
    }
}
