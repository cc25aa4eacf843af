using System.Text;
using Harness.Common;
using Harness.Reports.Collecting;
using Harness.Runs;
using Harness.Runs.Records;

namespace Harness.Reports.Publishing;

/// <summary>Where the report goes; null leaves a form out.</summary>
/// <param name="Page">An HTML file.</param>
/// <param name="Markdown">A file, or <c>-</c> for standard output.</param>
/// <param name="Figures">A directory for SVG and PNG files.</param>
public sealed record ReportOutputs(string? Page, string? Markdown, string? Figures);

/// <summary>Runs as people look at them: a page, a Markdown table, the figures of a paper.</summary>
public sealed class Report(TextWriter standardOutput, TextWriter log)
{
    /// <summary>Files of published figures, which lie beneath those of the runs.</summary>
    public IReadOnlyList<string> References { get; init; } = [];

    /// <summary>Bounds that goodput of all runs is to be of; without any each keeps what it wrote itself.</summary>
    public Slo Slo { get; init; } = Slo.None;

    /// <inheritdoc cref="RunsBelow.Progress"/>
    public IProgressReporter Progress { get; init; } = new NoProgress();

    /// <returns>0, or 1 where a run could not be read; the others are reported all the same.</returns>
    /// <exception cref="UserErrorException">There is no run, or an output cannot be written.</exception>
    public int Write(IReadOnlyList<string> directories, ReportOutputs outputs)
    {
        var found = new RunsBelow("report", log) { Progress = Progress };
        var runs = RunSet.Load(directories, found);
        if (runs.Count == 0)
            throw new UserErrorException($"no run found below {string.Join(", ", directories)}; name directories that 'harness run' "
                + "wrote, or that hold some");
        if (!Slo.IsNone) runs = Judged(runs, found);
        var figures = ReportFigures.Of(runs, found, PublishedFigures.Read(References, found.Say));
        var slo = Slo.IsNone ? SloOf(runs, found) : Slo;
        if (outputs.Page is { } page) WriteFile(page, ReportPage.Html(PageModel.Json(runs, figures, slo, DateTimeOffset.UtcNow, found)));
        if (outputs.Markdown == "-") standardOutput.Write(MarkdownReport.Of(runs, figures));
        else if (outputs.Markdown is { } file) WriteFile(file, MarkdownReport.Of(runs, figures));
        if (figures.ScopeWarning is { } warning) found.Say(warning);
        if (References.Count > 0 && figures.PublishedNote == null)
            found.Say("no figure of these runs has axes that the published rows have: none of them is drawn");
        int? drawn = outputs.Figures is { } folder ? WriteFigures(folder, runs, figures, slo, found) : null;
        found.Say($"{Figures.Count(runs.Count, "run")}, {runs.Count(run => run.Summary.Status == RunStatus.Incomplete)} incomplete, "
            + $"{runs.Count(run => !run.Summary.Valid)} without valid energy"
            + (found.Unreadable > 0 ? $", {found.Unreadable} unreadable" : "")
            + (outputs.Page != null ? $"; page {outputs.Page}" : "") + (outputs.Markdown is { } md and not "-" ? $"; table {md}" : "")
            + (drawn != null ? $"; {drawn} figures in {outputs.Figures}" : ""));
        return found.Unreadable > 0 ? 1 : 0;
    }

    private IReadOnlyList<ReportedRun> Judged(IReadOnlyList<ReportedRun> runs, RunsBelow found)
    {
        var goodput = new GoodputOfRuns(Slo, found);
        IReadOnlyList<ReportedRun> judged =
            [.. found.Shown("goodput", runs).Select(run => run with
            {
                Summary = run.Summary with { Goodput = goodput.Of(run.Summary, run.Directory) },
            })];
        goodput.SayWhatIsMissing();
        return judged;
    }

    /// <summary>The bounds that all runs with bounds of their own have in common; none where they differ.</summary>
    private static Slo SloOf(IEnumerable<ReportedRun> runs, RunsBelow found) =>
        runs.Where(run => run.Summary.Goodput.Slo != null).DistinctBy(run => run.Summary.Goodput.Slo).Take(2).ToList() is [var only]
            ? found.Try(() => Slo.Parse(only.Summary.Goodput.Slo!, $"{RunFile.Summary.In(only.Directory)}: column slo")) ?? Slo.None
            : Slo.None;

    private static int WriteFigures(string folder, IReadOnlyList<ReportedRun> runs, ReportFigures figures, Slo slo, RunsBelow found)
    {
        var (drawn, canPng) = (0, true);
        IEnumerable<Figure> all =
            [.. figures.Sweeps, .. figures.Phases, figures.CapFigure, .. figures.Pareto.Select(front => front.Figure()),
                .. GoodputFigures.Of(runs, slo, found), .. RunFigures.Of(runs, found)];
        foreach (var figure in all.Where(figure => figure.Empty == null))
        {
            var plot = new FigurePlot(figure, run => runs[run].Summary.Valid);
            WriteFile(Path.Combine(folder, $"{figure.Id}.svg"), FigureImage.Svg(plot));
            drawn++;
            try
            {
                if (canPng) WriteFile(Path.Combine(folder, $"{figure.Id}.png"), FigureImage.Png(plot));
            }
            catch (Exception e) when (e is TypeInitializationException or DllNotFoundException)
            {
                canPng = false;
                found.LeaveOut($"no PNG files: {(e.InnerException ?? e).Message.Split(". ")[0]}; the SVG files are complete");
            }
        }
        return drawn;
    }

    private static void WriteFile(string path, string text) => WriteFile(path, Encoding.UTF8.GetBytes(text));

    private static void WriteFile(string path, byte[] content)
    {
        StorageFailure.Guard(path, () => Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!));
        AtomicFile.Write(path, stream => stream.Write(content));
    }
}
