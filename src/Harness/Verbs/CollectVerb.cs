using System.CommandLine;
using Harness.Reports.Collecting;

namespace Harness.Verbs;

/// <summary><c>harness collect</c>: the summaries of many runs in one table.</summary>
internal static class CollectVerb
{
    public static Command Create()
    {
        var command = new Command("collect",
            "Merge the summaries of all runs below the directories into one CSV; invalid and incomplete ones are marked.");
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
        var slurm = new Option<bool>("--slurm")
        {
            Description = "ask sacct for the joules that Slurm counted for each run's job step: two columns more"
        };
        command.Arguments.Add(directories);
        command.Options.Add(output);
        command.Options.Add(slurm);
        command.SetAction(parsed =>
            new Collect(parsed.InvocationConfiguration.Output, parsed.GetValue(slurm) ? new SlurmAccounting() : null)
                .Run(parsed.GetValue(directories)!, parsed.GetValue(output)!, Console.Error));
        return command;
    }
}
