using System.CommandLine;
using Harness.Reporting;
using Harness.Reports.Collecting;
using Harness.Runs.Records;

namespace Harness.Verbs;

/// <summary><c>harness collect</c>: the summaries of many runs in one table.</summary>
internal static class CollectVerb
{
    public static Command Create()
    {
        var command = new Command("collect",
            "Merge the summaries of all runs below the directories into one table; invalid and incomplete ones are marked.");
        var directories = new Argument<string[]>("DIR")
        {
            Description = "run directories, or directories that hold them",
            Arity = ArgumentArity.OneOrMore
        };
        var output = new Option<string>("--out")
        {
            HelpName = "FILE.csv",
            Description = "where to write; - for standard output",
            DefaultValueFactory = _ => "-"
        };
        var format = new Option<string?>("--format")
        {
            HelpName = "FORM",
            Description = "csv, or parquet: columns with types; default: csv, or what a FILE.parquet says"
        };
        var slurm = new Option<bool>("--slurm")
        {
            Description = "ask sacct for the joules that Slurm counted for each run's job step: two columns more"
        };
        command.Arguments.Add(directories);
        command.Options.Add(output);
        command.Options.Add(format);
        command.Options.Add(slurm);
        var slo = SloSwitch.AddTo(command);
        command.SetAction(parsed =>
        {
            var progress = ProgressReporter.ForConsole();
            return new Collect(parsed.InvocationConfiguration.Output, parsed.GetValue(slurm) ? new SlurmAccounting() : null)
            {
                Slo = SloSwitch.Of(parsed, slo),
                Form = TableForms.Of(parsed.GetValue(format), parsed.GetValue(output)!),
                Progress = progress,
            }.Run(parsed.GetValue(directories)!, parsed.GetValue(output)!, new NoteWriter(progress));
        });
        return command;
    }
}

/// <summary><c>--slo</c> of the verbs that judge runs afterwards.</summary>
internal static class SloSwitch
{
    private const string Name = "--slo";

    public static Option<string?> AddTo(Command command)
    {
        var option = new Option<string?>(Name)
        {
            HelpName = "BOUNDS",
            Description = "goodput of every run under these bounds, such as ttft=200ms,itl=50ms,latency=5s; without it, under those that "
                + "it was run with"
        };
        command.Options.Add(option);
        return option;
    }

    public static Slo Of(ParseResult parsed, Option<string?> option) =>
        parsed.GetValue(option) is { } text ? Slo.Parse(text, Name) : Slo.None;
}
