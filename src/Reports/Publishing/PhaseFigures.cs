using System.Text.Json;
using Harness.Common;
using Harness.Energy.Accounting;
using Harness.Reports.Collecting;
using Harness.Runs;
using Harness.Runs.Records;

namespace Harness.Reports.Publishing;

/// <summary>
/// Joules per output token by what the ranks did, stacked, against the layouts of runs that differ in nothing else: what a further shard
/// costs in communication is the question of 'From Words to Watts' (arXiv 2310.03003).
/// </summary>
internal static class PhaseFigures
{
    /// <summary>More figures than this are not looked at; a report of fewer runs has the others.</summary>
    private const int MostFigures = 12;

    /// <summary>Whose joules they are, for those who read the figures.</summary>
    public const string Scope = "Joules of the counted devices in the measured windows ÷ output tokens; the parts add up to the run's "
        + "J/token. Communication is time in collectives, where a rank also waits for the slowest, and in sends; waiting is for activations, tokens "
        + "or requests. Hollow bars have no valid energy. Runs whose host cannot see a device communicate (NCCL) have no such parts.";

    private static readonly (string Name, Func<PhaseJoules, double> Of)[] s_phases =
    [
        ("prefill", phases => phases.Prefill),
        ("decode", phases => phases.Decode),
        ("communication", phases => phases.Communication),
        ("waiting", phases => phases.Waiting),
        ("other", phases => phases.Other),
    ];

    /// <param name="found">Told of a file that cannot be read.</param>
    public static IReadOnlyList<Figure> Of(IReadOnlyList<ReportedRun> runs, RunsBelow found)
    {
        Setting[] kept = [.. Setting.All.Except([Setting.Shards, Setting.Layout, Setting.OfColumn("nodes")])];
        var known = (from run in runs.Index()
                     where run.Item is { Shards: > 0, Summary.TotalOutputTokens: > 0 }
                     let phases = found.Try(() => PhasesOf(run.Item.Directory))
                     where phases != null
                     select new Split(run.Index, run.Item, phases.Value)).ToList();
        var alike = known.GroupBy(split => string.Join('\n', kept.Select(setting => setting.Of(split.Run)))).ToList();
        var labels = Setting.Describe([.. alike.Select(group => group.First().Run)], kept);
        return [.. alike.Zip(labels).OrderBy(group => group.Second, NaturalOrder.Instance).Take(MostFigures).Index()
            .Select(group => Draw(group.Index, group.Item.Second, group.Item.First, alike.Count))];
    }

    private sealed record Split(int Index, ReportedRun Run, PhaseJoules Phases)
    {
        public (int? Shards, int? Tensor, int? Pipeline) Layout =>
            (Run.Shards, Run.Summary.TensorParallel, Run.Summary.PipelineParallel);
    }

    private static Figure Draw(int index, string label, IEnumerable<Split> runs, int figures)
    {
        var bars = runs.GroupBy(split => split.Layout).OrderBy(bar => bar.Key).ToList();
        return new($"phases-by-shards{(index > 0 ? $"-{Figures.Count(index + 1)}" : "")}",
            $"Energy per output token by phase{(label.Length > 0 ? $", {label}" : "")}", "tensor × pipeline degree",
            ColumnMap<SummaryRecord>.Named("energy_per_output_token_j").Axis, LogX: false,
            [.. s_phases.Select(phase => new FigureSeries(phase.Name,
                [.. from bar in bars.Index()
                    from split in bar.Item
                    select new FigurePoint(split.Index, bar.Index, phase.Of(split.Phases) / split.Run.Summary.TotalOutputTokens!.Value)],
                SeriesStyle.Stacked))],
            null)
        {
            XNames = [.. bars.Select(bar => $"{Figures.Count(bar.Key.Tensor)} × {Figures.Count(bar.Key.Pipeline)}")],
            Note = index == MostFigures - 1 && figures > MostFigures
                ? $"{figures - MostFigures} further configurations are not drawn; a report of fewer runs has them." : null,
        };
    }

    /// <summary>What energy.json says of the whole run; null where it does not say.</summary>
    /// <exception cref="UserErrorException">The file is damaged.</exception>
    private static Known? PhasesOf(string directory)
    {
        if (RunLayout.PiecesIn(directory) is not [var first, ..]) return null;
        return new RunReader(directory).Document(RunFile.Energy, first, tree =>
            tree.ValueKind == JsonValueKind.Object && tree.TryGetProperty("phases", out var phases)
                ? new Known(JsonRows.Checked<PhaseJoules>(phases)) : null);
    }

    private sealed record Known(PhaseJoules Value);
}
