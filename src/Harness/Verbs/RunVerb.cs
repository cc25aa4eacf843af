using System.CommandLine;
using Harness.Configuration;
using Harness.Reporting;
using Harness.Running;

namespace Harness.Verbs;

/// <summary><c>harness run</c>: generates on prompts and writes a run directory.</summary>
internal static class RunVerb
{
    public static Command Create()
    {
        var command = new Command("run",
            "Generate on prompts and write a run directory: time, tokens and joules. Without options: the demo model on the demo prompts.");
        var switches = new ConfigurationSwitches(command, Switch.All);
        var print = new Option<bool>("--print-config")
        {
            Description = "show the resolved configuration and where each value came from, and stop",
        };
        command.Options.Add(print);
        command.SetAction(parsed =>
        {
            var configuration = switches.Resolve(parsed);
            if (parsed.GetValue(print)) return Print(configuration, parsed.InvocationConfiguration.Output);
            using var stop = new StopSignal();
            return Ranks.Run(configuration.Options.Sharding, configuration.Options.Runtime.Threads,
                new RunJob(configuration, stop).Execute);
        });
        return command;
    }

    private static int Print(ResolvedConfiguration configuration, TextWriter output)
    {
        foreach (var entry in configuration.Entries())
            output.WriteLine($"{entry.Key,-30} {entry.Value,-24} {entry.Source}");
        return ExitCode.Success;
    }
}
