using System.CommandLine;
using System.Text.Json;
using Harness.Common;
using Harness.Configuration;
using Harness.Diagnosing;
using Harness.Reporting;

namespace Harness.Verbs;

/// <summary><c>harness doctor</c>: what this build and this machine can do, and the remedy for each thing missing.</summary>
internal static class DoctorVerb
{
    public static Command Create()
    {
        var command = new Command("doctor", "List what this build and this machine can do, with the remedy for each thing missing; succeeds where harness run without options can work.");
        var output = new Option<string>("--out") { HelpName = "DIR", Description = "where run directories would be made", DefaultValueFactory = _ => new OutputOptions().Directory };
        var format = new Option<string>("--format") { HelpName = "NAME", Description = "table or json; default: table", DefaultValueFactory = _ => "table" };
        var libTorch = new Option<string>("--libtorch")
        {
            HelpName = "DIR",
            Description = "the lib folder of a libtorch or of an installed PyTorch",
            DefaultValueFactory = _ => ResolvedConfiguration.InEnvironment("Runtime:LibTorch") ?? "",
        };
        command.Options.Add(output);
        command.Options.Add(format);
        command.Options.Add(libTorch);
        command.SetAction(parsed =>
        {
            var chosen = parsed.GetValue(format)!;
            if (chosen is not ("table" or "json")) throw new UserErrorException($"--format is '{chosen}', but table or json is expected");
            var findings = Doctor.Examine(new Places { Output = parsed.GetValue(output)!, LibTorch = parsed.GetValue(libTorch)! });
            var can = Doctor.CanRun(findings);
            var text = parsed.InvocationConfiguration.Output;
            if (chosen == "json") text.WriteLine(JsonSerializer.Serialize(new { CanRunDefaultJob = can, Findings = findings }, JsonRows.Document));
            else WriteTable(text, findings, can);
            return can ? ExitCode.Success : ExitCode.Failure;
        });
        return command;
    }

    private static void WriteTable(TextWriter text, IReadOnlyList<Finding> findings, bool can)
    {
        var width = findings.Max(finding => finding.Subject.Length);
        foreach (var finding in findings)
        {
            text.WriteLine($"{finding.State.ToString().ToLowerInvariant(),-7}  {finding.Subject.PadRight(width)}  {finding.Found}");
            if (finding.Remedy != null) text.WriteLine($"{new string(' ', 11 + width)}→ {finding.Remedy}");
        }
        text.WriteLine();
        text.WriteLine(can ? "harness run works here" : "harness run does not work here: see what failed above");
    }
}
