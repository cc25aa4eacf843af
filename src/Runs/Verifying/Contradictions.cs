using Harness.Energy.Accounting;
using Harness.Runs.Accounting;

namespace Harness.Runs.Verifying;

/// <summary>What of a piece's raw files cannot be true together: from such files nothing can be computed.</summary>
internal static class Contradictions
{
    /// <returns>One line each, with the file's name.</returns>
    public static IEnumerable<string> In(EnergyEvidence evidence)
    {
        var (windows, facts, samples) = (RunFile.Windows.Name, RunFile.Energy.Name, RunFile.Power.Name);
        if (evidence.Windows.Count == 0) yield return $"{windows} holds no window";
        foreach (var window in evidence.Windows)
        {
            if (window.EndSeconds < window.StartSeconds) yield return $"{windows}: {window.Name} ends before it begins";
            if (window.Kind == WindowKind.Measured && window.Repeat is not > 0)
                yield return $"{windows}: {window.Name} is measured, but not as a repeat";
        }
        if (!evidence.Ranks.Select(rank => rank.Rank).SequenceEqual(Enumerable.Range(0, Math.Max(1, evidence.WorldSize))))
            yield return $"{facts}: its ranks are not 0 to {evidence.WorldSize - 1}, each once";
        if (evidence.SampleIntervalSeconds <= 0) yield return $"{facts}: the sample interval is {evidence.SampleIntervalSeconds} s";
        var domains = evidence.Domains.Select(domain => domain.Key).ToHashSet();
        if (domains.Count < evidence.Domains.Count) yield return $"{facts}: a device stands there twice";
        foreach (var key in evidence.Ranks.SelectMany(rank => rank.Reads).Distinct().Where(key => !domains.Contains(key)))
            yield return $"{facts}: a rank reads {key}, which is none of its devices";
        foreach (var key in evidence.Series.Select(series => series.Domain.Key).Distinct().Where(key => !domains.Contains(key)))
            yield return $"{samples}: {key} is none of the devices of {facts}";
    }
}
