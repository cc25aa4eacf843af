using Harness.Common;
using Harness.Runs.Records;

namespace Harness.Reports.Collecting;

/// <summary>Says in one line that runs which are shown together measured different things.</summary>
internal static class EnergyScopesFound
{
    /// <summary>Null where all runs with energy are of one scope.</summary>
    public static string? Warning(IEnumerable<SummaryRecord> runs)
    {
        var scopes = runs.Where(run => run.Energy.Total != null).CountBy(run => run.EnergyScope ?? "an unknown scope")
            .OrderBy(scope => scope.Key, StringComparer.Ordinal).ToList();
        return scopes.Count < 2 ? null : "energy is of different scopes, which are not comparable (energy_scope): "
            + string.Join(", ", scopes.Select(scope => $"{scope.Key} in {Figures.Count(scope.Value, "run")}"));
    }
}
