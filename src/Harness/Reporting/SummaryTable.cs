using Harness.Common;
using Harness.Energy;
using Harness.Runs.Records;
using Spectre.Console;

namespace Harness.Reporting;

/// <summary>The few figures of a run that matter, within 80 columns, and where the rest lies.</summary>
public static class SummaryTable
{
    /// <summary>
    /// A machine of one's own shows less: 0.06 to 0.14 where --threads takes both of two cores and the run's other threads (the runtime's
    /// compiler, the sampler, rank 0's files) need one now and then. One more busy program there made 0.55.
    /// </summary>
    private const double NotedCoreWait = 0.2;

    public static void Write(IAnsiConsole console, SummaryRecord run, IReadOnlyList<CategoryRecord> categories, string directory)
    {
        console.WriteLine();
        console.Write(Facts(run));
        console.WriteLine();
        console.Write(Latencies(run));
        console.WriteLine();
        if (categories.Count > 1)
        {
            console.Write(Categories(categories));
            console.WriteLine();
        }
        // Whole and on a line of its own, however long: it is there to be copied.
        console.Profile.Out.Writer.WriteLine($"files: {VisibleText.Of(directory)}");
        console.Profile.Out.Writer.Flush();
    }

    private static Grid Facts(SummaryRecord run)
    {
        var grid = new Grid().AddColumn(new GridColumn().NoWrap().PadRight(3)).AddColumn();
        void Fact(string name, string text) =>
            grid.AddRow(new Text(name, new Style(decoration: Decoration.Bold)), new Text(VisibleText.Of(text)));

        Fact("run", $"{run.RunId}: {run.Status}");
        Fact("model", Join(run.Model, Unit(run.ParametersBillions, "billion parameters"), run.Dtype, run.Backend, run.Gpu));
        Fact("ranks", $"{Figures.Count(run.Ranks)} on {Figures.Count(run.Nodes, "node")}, "
            + $"tensor parallel {Figures.Count(run.TensorParallel)}, "
            + $"pipeline stages {Figures.Count(run.PipelineParallel)}");
        var inFlight = run.Concurrency is { } requests ? $"concurrency {Figures.Count(requests)}" : $"batch {Figures.Count(run.BatchSize)}";
        Fact("prompts", $"{Figures.Count(run.Completed)} completed, {Figures.Count(run.Failed)} failed ({Join(run.Dataset, inFlight)})");
        Fact("output", $"{Figures.Count(run.TotalOutputTokens, "token")}, {Figures.Count(run.TotalOutputWords, "word")} in "
            + $"{Figures.Significant(run.DurationSeconds)} s");
        Fact("throughput", $"{Figures.Significant(run.TokensPerSecond)} tokens/s, {Figures.Significant(run.WordsPerSecond)} words/s, "
            + $"{Figures.Significant(run.ResponsesPerSecond)} responses/s");
        if (run.CoreWaitShare > NotedCoreWait)
            Fact("cores", $"too few: threads that were ready to run waited {Figures.Significant(100 * run.CoreWaitShare)} % of their time "
                + "for one; others use them, or ranks and threads are more than they are");
        if (run.Goodput.Slo is { } bounds) Fact("goodput", Goodput(run, bounds));
        if (run.Steady.DurationSeconds is { } steady) Fact("steady state", $"{Figures.Significant(steady)} s: {Steady(run)}");
        if (run.Accuracy is { } accuracy)
            Fact("accuracy", Join($"{Figures.Significant(100 * accuracy)} % ({Figures.Significant(100 * run.AccuracyLow)} to "
                + $"{Figures.Significant(100 * run.AccuracyHigh)} %) correct", Unit(run.EnergyPerCorrectJoules, "J/correct answer")));
        Fact("energy", Energy(run));
        if (Beside(run) is { Length: > 0 } beside) Fact("beside it", beside);
        if (run.Carbon.GramsPerResponse != null) Fact("carbon",
            $"{Figures.Significant(run.Carbon.GramsPerResponse)} g CO2e/response, {Figures.Significant(run.Carbon.GramsPerOutputToken)} "
            + "g/token (SCI)");
        Fact("valid", run.Valid ? "yes"
            : $"not for energy: {run.InvalidReasons?.Replace(";", ", ") ?? "not checked"}; times and tokens stand");
        return grid;
    }

    /// <summary>Beside throughput and energy of the whole run.</summary>
    private static string Steady(SummaryRecord run) => Join(
        Unit(run.Steady.TokensPerSecond, "tokens/s"), Unit(run.Steady.PerOutputToken, "J/token"),
            Unit(run.Steady.AverageWatts, "W on average"));

    /// <summary>Where no request is good, there are no joules for each.</summary>
    private static string Goodput(SummaryRecord run, string bounds) => $"{bounds}: " + (run.Goodput.Good switch
    {
        null => "not known",
        0 => $"none of {Figures.Count(run.Completed + run.Failed, "request")} is good",
        var good => Join($"{Figures.Count(good)} of {Figures.Count(run.Completed + run.Failed, "request")} good "
            + $"({Figures.Significant(100 * run.Goodput.Share)} %)", Unit(run.Goodput.PerSecond, "good requests/s"),
            Unit(run.Goodput.PerGoodJoules, "J/good request")),
    });

    private static string Energy(SummaryRecord run) => run.Energy.Total == null
        ? "not measured"
        : Join(
            $"{Figures.Significant(run.Energy.Total)} J",
            Unit(run.Energy.PerOutputToken, "J/token"),
            Unit(run.Energy.PerResponse, "J/response"),
            Unit(run.Energy.AverageWatts, "W on average"),
            run.EnergySource is { } source ? $"by {source}" : null,
            run.EnergyScope is { } scope ? $"of {scope.Replace("+", " and ", StringComparison.Ordinal)}" : null);

    /// <summary>Joules of what was read and is not the run's energy.</summary>
    private static string Beside(SummaryRecord run) =>
        Join([.. from scope in Enum.GetValues<EnergyScope>()
                        let joules = run.Energy.Scopes.Of(scope)
                        where joules.Joules != null && !run.IsEnergyOf(scope)
                        select $"{EnumWord.Of(scope)} {Figures.Significant(joules.Joules)} J"
                            + (joules.PerResponse is { } each ? $" ({Figures.Significant(each)} J/response)" : ""),
            run.Energy.Scopes.InvalidReasons is { } reasons ? $"not valid: {reasons.Replace(";", ", ", StringComparison.Ordinal)}" : null]);

    private static Table Latencies(SummaryRecord run)
    {
        var table = new Table().Border(TableBorder.Horizontal).AddColumn(new TableColumn("seconds").PadRight(0));
        foreach (var (name, _) in run.Ttft.Figures) table.AddColumn(new TableColumn(name).RightAligned().PadRight(0));
        void Row(string time, Distribution of) =>
            table.AddRow(of.Figures.Select(figure => new Text(Figures.Significant(figure.Seconds))).Prepend(new Text(time)));

        Row(PromptTimes.Ttft, run.Ttft);
        Row(PromptTimes.Tpot, run.Tpot);
        if (run.Itl.Mean != null) Row(PromptTimes.Itl, run.Itl);
        Row(PromptTimes.Latency, run.Latency);
        return table;
    }

    private static Table Categories(IReadOnlyList<CategoryRecord> categories)
    {
        var table = new Table().Border(TableBorder.Horizontal).AddColumn("category");
        foreach (var column in new[] { "prompts", "tokens", "latency s", "J/token", "J/response", "correct" })
            table.AddColumn(new TableColumn(column).RightAligned());
        foreach (var row in categories)
            Row(row.Category, Figures.Count(row.Completed), Figures.Count(row.TotalOutputTokens), Figures.Significant(row.Latency.Mean),
                Figures.Significant(row.EnergyPerOutputTokenJoules), Figures.Significant(row.EnergyPerResponseJoules),
                    row.Accuracy is { } accuracy ? $"{Figures.Significant(100 * accuracy)} %" : "-");
        // As plain text: a category is the user's own word, and a bare string would be read as markup.
        void Row(params string[] cells) => table.AddRow(cells.Select(cell => new Text(VisibleText.Of(cell))));
        return table;
    }

    private static string Join(params string?[] parts) => string.Join(", ", parts.Where(p => !string.IsNullOrEmpty(p)));

    private static string? Unit(double? value, string unit) => value == null ? null : $"{Figures.Significant(value)} {unit}";
}
