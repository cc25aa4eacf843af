using System.CommandLine;
using Harness.Common;
using Harness.Reporting;
using Harness.Reports.Publishing;

namespace Harness.Verbs;

/// <summary><c>harness report</c>: runs as a page, a Markdown table and figures.</summary>
internal static class ReportVerb
{
    public static Command Create()
    {
        var command = new Command("report",
            "Show all runs below the directories in one page that opens from disk; also as a Markdown table and as figures for papers.");
        var directories = new Argument<string[]>("DIR")
        {
            Description = "run directories, or directories that hold them",
            Arity = ArgumentArity.OneOrMore
        };
        var page = new Option<string?>("--out") { HelpName = "FILE.html", Description = "the page" };
        var markdown = new Option<string?>("--markdown")
        {
            HelpName = "FILE.md",
            Description = "a table for papers and READMEs; - for standard output"
        };
        var figures = new Option<string?>("--figures")
        {
            HelpName = "DIR",
            Description = "the figures as SVG and PNG files (600 dpi), sized for one column of a two-column paper"
        };
        var references = new Option<string[]>("--reference")
        {
            HelpName = "FILE.csv",
            Description = "published figures to lay beneath those of the runs: rows of the ML.ENERGY leaderboard; may be repeated"
        };
        command.Arguments.Add(directories);
        foreach (var option in new Option[] { page, markdown, figures, references }) command.Options.Add(option);
        var slo = SloSwitch.AddTo(command);
        command.SetAction(parsed =>
        {
            var outputs = new ReportOutputs(parsed.GetValue(page), parsed.GetValue(markdown), parsed.GetValue(figures));
            if (outputs is { Page: null, Markdown: null, Figures: null })
                throw new UserErrorException("nothing to write; add --out FILE.html, --markdown FILE.md or --figures DIR");
            var progress = ProgressReporter.ForConsole();
            return new Report(parsed.InvocationConfiguration.Output, new NoteWriter(progress))
            {
                Progress = progress,
                References = parsed.GetValue(references) ?? [],
                Slo = SloSwitch.Of(parsed, slo),
            }.Write(parsed.GetValue(directories)!, outputs);
        });
        return command;
    }
}
