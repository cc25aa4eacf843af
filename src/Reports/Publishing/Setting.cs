using System.Globalization;

namespace Harness.Reports.Publishing;

/// <summary>Something that was chosen about a run: what stays the same along a line of a figure.</summary>
/// <param name="Name">For people, before the value; empty where the value speaks for itself.</param>
/// <param name="Of">The run's value, empty where it has none.</param>
/// <param name="Unit">After the value.</param>
/// <param name="Absent">In place of an empty value.</param>
internal sealed record Setting(string Name, Func<ReportedRun, string> Of, string Unit = "", string? Absent = null)
{
    public static readonly Setting Shards = new("shards", run => Text(run.Shards));
    public static readonly Setting Batch = new("batch", run => Text(run.Summary.BatchSize));
    public static readonly Setting Concurrency = new("concurrency", run => Text(run.Summary.Concurrency));
    public static readonly Setting MaxNewTokens = new("max. new tokens", run => Text(run.Summary.MaxNewTokens));
    public static readonly Setting InputTokens = new("input tokens", run => Text(run.Summary.FixedInputTokens), Absent: "input as it is");
    public static readonly Setting PowerLimit = new("power limit", run => Text(run.Summary.PowerLimitWatts), " W");

    /// <summary>Of the layout, what is left to choose once the number of shards is given.</summary>
    public static readonly Setting Nodes = new("nodes", run => Text(run.Summary.Nodes));
    public static readonly Setting Layout = new("", LayoutOf);

    public static readonly IReadOnlyList<Setting> All =
    [
        new("", run => run.Summary.Model ?? ""),
        new("", run => run.Summary.Dtype ?? ""),
        new("", run => run.Summary.Backend ?? ""),
        new("", Device),
        new("", run => run.Summary.Dataset ?? ""),
        new("task", run => run.Summary.Task ?? ""),
        new("replicas", run => Text(run.Replicas)),
        Shards, Layout, Nodes,
        new("micro-batches", run => run.Summary.MicroBatches == run.Summary.PipelineParallel ? ""
            : Text(run.Summary.MicroBatches), Absent: "a micro-batch per stage"),
        new("", run => run.Summary.Schedule ?? ""),
        Batch,
        Concurrency,
        new("requests/s", run => Text(run.Summary.RequestRatePerSecond)),
        MaxNewTokens, InputTokens, PowerLimit,
        new("SM clock", run => Text(run.Summary.SmClockMhz), " MHz", "SM clock not locked"),
    ];

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

    private string Say(string value) => value.Length == 0 ? Absent ?? (Name.Length > 0 ? $"no {Name}" : "")
        : $"{(Name.Length > 0 ? Name + " " : "")}{value}{Unit}";

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

    private static string Text<T>(T? value) where T : struct, IFormattable => value?.ToString(null, CultureInfo.InvariantCulture) ?? "";
}
