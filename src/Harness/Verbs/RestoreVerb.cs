using System.CommandLine;
using Harness.Energy.Control;
using Harness.Reporting;

namespace Harness.Verbs;

/// <summary><c>harness restore</c>: puts back the power limits and clocks that a killed run left changed on this host.</summary>
internal static class RestoreVerb
{
    public static Command Create()
    {
        var command = new Command("restore",
            "After a run with --power-limits or --sm-clocks was killed: put the GPUs of this host back as they were.");
        var run = new Argument<string>("RUN") { Description = "the killed run's directory, or one that holds it" };
        command.Arguments.Add(run);
        command.SetAction(parsed =>
        {
            var lines = PowerControl.RestoreDirectory(parsed.GetValue(run)!, Environment.MachineName);
            foreach (var line in lines) Console.WriteLine(line);
            if (lines.Count == 0) Console.WriteLine("nothing to restore: no rank of this run left a GPU changed");
            return lines.All(line => line.Contains(": restored ", StringComparison.Ordinal)) ? ExitCode.Success : ExitCode.Failure;
        });
        return command;
    }
}
