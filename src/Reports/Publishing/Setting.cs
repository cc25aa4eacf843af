using System.Globalization;
using Harness.Common;
using Harness.Runs.Records;

namespace Harness.Reports.Publishing;

/// <summary>Something that was chosen about a run: what stays the same along a line of a figure.</summary>
/// <param name="Said">Its place among the others, and how it is said.</param>
/// <param name="Of">The run's value, empty where it has none.</param>
internal sealed record Setting(ChosenAttribute Said, Func<ReportedRun, string> Of)
{
    private static readonly Dictionary<string, Setting> s_columns = ColumnMap<SummaryRecord>.Columns.Where(column => column.Chosen != null)
        .ToDictionary(column => column.Name, column => new Setting(column.Chosen!, run => Text(column.Of(run.Summary))));

    public static readonly Setting Shards = new(new(80, "shards"), run => Text(run.Shards));

    /// <summary>What is left to choose of tensor and pipeline degrees once the number of shards is given.</summary>
    public static readonly Setting Layout = new(new(90), LayoutOf);

    /// <summary>The columns that were chosen, and what follows from several columns, in the order in which they are named.</summary>
    public static readonly IReadOnlyList<Setting> All = [.. new[]
    {
        new(new(40), Device),
        new(new(70, "replicas"), run => Text(run.Replicas)),
        Shards, Layout,
        new(new(110, "micro-batches") { Absent = "a micro-batch per stage" }, run =>
            run.Summary.MicroBatches == run.Summary.PipelineParallel ? "" : Text(run.Summary.MicroBatches)),
    }.Concat(s_columns.Values).OrderBy(setting => setting.Said.Place)];

    /// <summary>A column of <c>summary.csv</c> that was chosen.</summary>
    public static Setting OfColumn(string name) => s_columns[name];

    /// <summary>
    /// What tells some runs apart, in words: one setting after the other is named where runs differ in it that those before
    /// it did not tell apart. A single run has nothing to be told from, and an empty text.
    /// </summary>
    public static IReadOnlyList<string> Describe(IReadOnlyList<ReportedRun> runs, IEnumerable<Setting> settings)
    {
        var words = runs.Select(_ => new List<string>()).ToList();
        IEnumerable<IReadOnlyList<int>> alike = [[.. Enumerable.Range(0, runs.Count)]];
        foreach (var setting in settings)
        {
            var finer = new List<IReadOnlyList<int>>();
            foreach (var group in alike)
            {
                var values = group.GroupBy(run => setting.Of(runs[run])).ToList();
                finer.AddRange(values.Select(value => (IReadOnlyList<int>)[.. value]));
                if (values.Count < 2) continue;
                foreach (var value in values)
                    foreach (var run in value) words[run].Add(setting.Say(value.Key));
            }
            alike = finer;
        }
        return [.. words.Select(word => string.Join(", ", word.Where(w => w.Length > 0)))];
    }

    private string Say(string value) => value.Length == 0 ? Said.Absent ?? (Said.Name.Length > 0 ? $"no {Said.Name}" : "")
        : $"{(Said.Name.Length > 0 ? Said.Name + " " : "")}{value}{Said.Unit}";

    private static string LayoutOf(ReportedRun run) => (run.Summary.TensorParallel, run.Summary.PipelineParallel) switch
    {
        (null, _) or (_, null) or (1, 1) => "",
        (_, 1) => "tensor parallel",
        (1, _) => "pipeline",
        (_, var stages) => $"tensor parallel in {Text(stages)} stages",
    };

    /// <summary>The device's name without its share of the cores, which follows from the number of ranks.</summary>
    private static string Device(ReportedRun run) => string.Join(", ", (run.Summary.Gpu ?? "").Split(", ")
        .Where(part => !(part.EndsWith(" threads", StringComparison.Ordinal) || part.EndsWith(" thread", StringComparison.Ordinal))));

    private static string Text(object? value) => Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";
}
