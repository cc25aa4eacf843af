using System.Globalization;
using Harness.Common;
using Harness.Sharding;
using Harness.Tensors;
using Spectre.Console;

namespace Harness.Planning;

/// <summary>
/// The layouts for people, within 100 columns: the smallest that fits first, then those that fit, then those that do not.
/// </summary>
internal static class PlanTable
{
    /// <summary>Above so many layouts, only those are shown whose count of devices divides the whole, so that none stands idle.</summary>
    private const int ManyRows = 24;

    public static void Write(IAnsiConsole console, Planner planner, IReadOnlyList<PlanRow> rows, int gpus)
    {
        var possible = rows.Where(row => row.TotalBytes != null).ToList();
        var fewest = possible.Where(row => row.Fits).Select(row => (int?)row.Gpus).Min();
        var shown = possible.Count <= ManyRows ? possible : [.. possible.Where(row => gpus % row.Gpus == 0 || row.Gpus == fewest)];

        // Whole and on a line of its own, however long: it may be a path.
        console.Profile.Out.Writer.WriteLine(VisibleText.Of(planner.Name));
        console.WriteLine(Question(planner));
        console.WriteLine();
        console.WriteLine(Answer(possible, fewest, gpus));
        if (shown.Count > 0) console.Write(Layouts(planner, shown));
        foreach (var note in Notes(planner, rows, possible.Count - shown.Count, gpus)) console.WriteLine(note);
        foreach (var note in planner.Model.Notes) console.Profile.Out.Writer.WriteLine(note);
    }

    private static string Question(Planner planner) => string.Create(CultureInfo.InvariantCulture,
        $"""
         {planner.Model.Shape.Parameters / 1e9:N3} billion parameters in {planner.Work.Weights.Label()}, KV cache in {planner.Work.Cache.Label()}
         batch {planner.Work.BatchSize} × {planner.Work.MaxLength} tokens on GPUs of {Quantity.Text(planner.MemoryBytes)}, {Quantity.Text(planner.ReserveBytes)} of it in reserve
         """);

    private static string Answer(List<PlanRow> possible, int? fewest, int gpus)
    {
        if (fewest is { } count)
        {
            var layouts = string.Join(", ", possible.Where(row => row.Fits && row.Gpus == count).Select(Layout));
            return $"smallest that fits: {Figures.Count(count, "GPU")} ({layouts})";
        }
        var nearest = possible.MinBy(row => row.TotalBytes);
        return nearest == null
            ? $"no layout of up to {gpus} GPUs is possible"
            : $"nothing fits on up to {gpus} GPUs; nearest is {Layout(nearest)}, "
                + $"over by {Quantity.Text(nearest.TotalBytes!.Value - nearest.MemoryBytes)}";
    }

    private static string Layout(PlanRow row) => $"tp {row.TensorParallel} × pp {row.PipelineParallel}";

    private static Table Layouts(Planner planner, List<PlanRow> rows)
    {
        var predicted = rows.Any(row => row.DecodeTokensPerSecond != null);
        var (memoryUnit, memory) = Quantity.Unit(rows.Max(row => (double)row.TotalBytes!));
        var (linkUnit, link) = Quantity.Unit(rows.Max(row =>
            (double)Math.Max(row.TensorBytesPerToken!.Value, row.PipelineBytesPerToken!.Value)));
        var table = new Table().Border(TableBorder.Horizontal);
        string[] heads =
        [
            "\n\nGPUs", "\n\ntp", "\n\npp", $"\nweights\n{memory}", $"\ncache\n{memory}", $"\nactiv.\n{memory}", $"\ntotal\n{memory}",
            $"tensor\n{link}/\ntoken", $"stage\n{link}/\ntoken",
            .. predicted ? (string[])["\ndecode\ntokens/s", "\nprefill\ntokens/s"] : [], "\n\nfits",
        ];
        foreach (var head in heads) table.AddColumn(new TableColumn(new Text(head)).RightAligned().NoWrap().PadLeft(1).PadRight(0));

        foreach (var row in rows.OrderByDescending(row => row.Fits))
        {
            string[] cells = [Figures.Count(row.Gpus), Figures.Count(row.TensorParallel), Figures.Count(row.PipelineParallel),
                Amount(row.WeightBytes, memoryUnit), Amount(row.KvCacheBytes, memoryUnit),
                Amount(row.ActivationBytes, memoryUnit), Amount(row.TotalBytes, memoryUnit),
                Amount(row.TensorBytesPerToken, linkUnit), Amount(row.PipelineBytesPerToken, linkUnit),
                .. predicted
                    ? (string[])[Rate(row.DecodeTokensPerSecond, row.DecodeBound), Rate(row.PrefillTokensPerSecond, row.PrefillBound)] : [],
                row.Fits ? "yes" : $"{Amount(row.TotalBytes - row.MemoryBytes, memoryUnit)} over"];
            table.AddRow(cells.Select(cell => new Text(cell)));
        }
        return table;
    }

    /// <summary>In the table's unit, with two decimals, or one from a hundred on; 0 where there is nothing.</summary>
    private static string Amount(long? bytes, double unit) => bytes switch
    {
        null => Figures.Missing,
        0 => "0",
        _ => (bytes.Value / unit).ToString(unit == 1 ? "N0" : bytes.Value / unit >= 100 ? "N1" : "N2", CultureInfo.InvariantCulture),
    };

    /// <summary>Tokens per second and the bound's first letter.</summary>
    private static string Rate(double? rate, string? bound) => rate switch
    {
        null => Figures.Missing,
        < 1e3 => $"{Figures.Significant(rate)} {bound![..1]}",
        < 1e6 => $"{Figures.Count((long)rate)} {bound![..1]}",
        _ => $"{Figures.Significant(rate / 1e6)}M {bound![..1]}",
    };

    private static IEnumerable<string> Notes(Planner planner, IReadOnlyList<PlanRow> rows, int leftOut, int gpus)
    {
        yield return "Weights, cache, activations: of the fullest rank; total adds the reserve. tensor: sent by a rank";
        yield return "within its tensor group, before sampling; stage: to its peer on the next stage.";
        if (rows.Any(row => row.DecodeTokensPerSecond != null))
        {
            yield return "Rates are upper bounds at full length, set by m memory, c compute, l link.";
            yield return "--format csv has the devices' seconds for a token: computing, communication, waiting.";
        }
        if (planner.Rates is { LinkBytesPerSecond: null } && rows.Any(row => row.Gpus > 1))
            yield return "Several GPUs are predicted when --link is given.";
        if (rows.Any(row => row.TotalBytes == null))
            yield return $"Possible are tp {string.Join(", ", ShardPlan.TensorDegrees(planner.Model.Shape))} "
                + $"and pp 1 to {planner.Model.Shape.Layers}; --format json gives the reasons.";
        if (leftOut > 0)
            yield return $"{Figures.Count(leftOut, "layout")} whose number of GPUs does not divide {gpus} "
                + $"{(leftOut == 1 ? "is" : "are")} left out; --format csv has all.";
    }
}
