using System.Globalization;
using Harness.Common;
using Harness.Planning;
using Harness.Reporting;
using Spectre.Console;

namespace Harness.Sweeping;

/// <summary>A grid for people: before it runs, and after.</summary>
internal static class SweepTables
{
    /// <summary>Wide enough that no name is broken, on a narrow terminal either; a table takes no more than it needs.</summary>
    private const int Columns = 240;

    /// <param name="directories">Of each cell; null where it does not fit.</param>
    public static void WritePlan(TextWriter output, IReadOnlyList<CellPlan> plans, IReadOnlyList<CellDirectories?> directories)
    {
        var console = ConsoleOn(output);
        var predicted = plans.Any(plan => plan.GpuHours != null);
        var table = New("\ncell", "tp×pp\n×dp", ">\nnodes", ">GiB/\nGPU", "\nfits", predicted ? ">GPU-\nhours" : "", "\nstate");
        foreach (var (plan, directory) in plans.Zip(directories))
        {
            var sharding = plan.Cell.Options.Sharding;
            Add(table, plan.Cell.Name,
                string.Create(CultureInfo.InvariantCulture, $"{sharding.Tensor}×{sharding.Pipeline}×{sharding.Data}"),
                Figures.Count(plan.Shape?.Nodes), Gibibytes(plan.Row.TotalBytes), Fit(plan.Row),
                predicted ? Figures.Significant(plan.GpuHours) : null, plan.Fits ? State(directory) : "dropped");
        }
        console.Write(table);
        WriteDropped(output, plans.Where(plan => !plan.Fits).Select(plan => (plan.Cell.Name, plan.Row.Reason!)));
        output.WriteLine(Total(plans, directories));
    }

    public static void WriteOutcomes(TextWriter output, IReadOnlyList<CellOutcome> outcomes)
    {
        var console = ConsoleOn(output);
        var table = New("cell", "result", ">tokens/s", ">J/token", "where, or why not");
        foreach (var outcome in outcomes)
        {
            var (summary, known) = (outcome.Run?.Summary, outcome.Outcome is Outcome.Complete or Outcome.Skipped or Outcome.Invalid);
            Add(table, outcome.Cell.Name, outcome.Outcome.ToString().ToLowerInvariant(),
                Figures.Significant(known ? summary?.TokensPerSecond : null),
                Figures.Significant(known ? summary?.Energy.PerOutputToken : null), outcome.Outcome == Outcome.Dropped ? "see below"
                    : outcome.Why ?? outcome.Run?.Directory ?? "");
        }
        console.Write(table);
        WriteDropped(output, outcomes.Where(outcome => outcome.Outcome == Outcome.Dropped)
            .Select(outcome => (outcome.Cell.Name, outcome.Why!)));
        output.WriteLine($"{Figures.Count(outcomes.Count, "cell")}: "
            + $"{Counted(outcomes.Select(outcome => outcome.Outcome), Enum.GetValues<Outcome>())}");
        output.Flush();
    }

    public static string State(CellDirectories? directory) => directory?.State switch
    {
        CellState.Done => "done",
        CellState.Invalid => $"invalid: {directory.Best!.Why}",
        CellState.Unfinished => "unfinished",
        _ => "to do",
    };

    private static string Total(IReadOnlyList<CellPlan> plans, IReadOnlyList<CellDirectories?> directories)
    {
        var open = plans.Zip(directories).Where(pair => pair.First.Fits && pair.Second?.State != CellState.Done).Select(pair => pair.First)
            .ToList();
        var states = plans.Zip(directories).Where(pair => pair.First.Fits).Select(pair => pair.Second?.State ?? CellState.ToDo).ToList();
        string[] names = ["to do", "unfinished", "invalid", "done"];
        var counts = string.Join(", ", Enum.GetValues<CellState>().Where(states.Contains)
            .Select(state => $"{Figures.Count(states.Count(s => s == state))} {names[(int)state]}"));
        var hours = open.Count > 0 && open.All(plan => plan.GpuHours != null)
            ? $"; {Figures.Significant(open.Sum(plan => plan.GpuHours))} GPU-hours predicted for what is not done" : "";
        return $"{Figures.Count(plans.Count, "cell")}: {Figures.Count(states.Count)} fit, {Figures.Count(plans.Count - states.Count)} "
            + $"dropped{(counts.Length > 0 ? $"; {counts}" : "")}{hours}";
    }

    private static string Fit(PlanRow row) => row switch
    {
        { Fits: true, MemoryBytes: CellPlanner.AnyMemory } => "not asked",
        { Fits: true } => "yes",
        { TotalBytes: { } total } => $"{Gibibytes(total - row.MemoryBytes)} over",
        _ => "impossible",
    };

    private static string Gibibytes(long? bytes) => bytes is { } b ? (b / (double)(1L << 30)).ToString("N2", CultureInfo.InvariantCulture)
        : Figures.Missing;

    /// <summary>Whole, however long: a line each.</summary>
    private static void WriteDropped(TextWriter output, IEnumerable<(string Name, string Why)> dropped)
    {
        foreach (var (name, why) in dropped) output.WriteLine($"dropped {name}: {why}");
    }

    private static string Counted(IEnumerable<Outcome> outcomes, Outcome[] kinds) =>
        string.Join(", ", kinds.Select(kind => (Kind: kind, Count: outcomes.Count(outcome => outcome == kind)))
            .Where(pair => pair.Count > 0)
            .Select(pair => $"{Figures.Count(pair.Count)} {pair.Kind.ToString().ToLowerInvariant()}"));

    private static IAnsiConsole ConsoleOn(TextWriter output)
    {
        var console = ResultConsole.On(output);
        console.Profile.Width = Columns;
        return console;
    }

    /// <param name="heads">A head that begins with &gt; stands over numbers; an empty one is left out.</param>
    private static Table New(params string[] heads)
    {
        var table = new Table().Border(TableBorder.Horizontal);
        foreach (var head in heads.Where(head => head.Length > 0))
        {
            var column = new TableColumn(new Text(head.TrimStart('>'))).NoWrap().PadLeft(1).PadRight(1);
            table.AddColumn(head[0] == '>' ? column.RightAligned() : column);
        }
        return table;
    }

    private static void Add(Table table, params string?[] cells) =>
        table.AddRow(cells.OfType<string>().Select(cell => new Text(VisibleText.Of(cell))));
}
