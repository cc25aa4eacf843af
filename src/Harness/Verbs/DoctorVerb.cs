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
    private enum Format { Table, Json }

    public static Command Create()
    {
        var command = new Command("doctor",
            "List what this build and this machine can do, with the remedy for each thing missing; succeeds where harness run without "
            + "options can work.");
        var output = new Option<string>("--out")
        {
            HelpName = "DIR",
            Description = "where run directories would be made",
            DefaultValueFactory = _ => new OutputOptions().Directory
        };
        var format = new Option<string>("--format")
        {
            HelpName = "NAME",
            Description = "table or json; default: table",
            DefaultValueFactory = _ => EnumWord.Of(Format.Table),
        };
        var libTorch = new Option<string>("--libtorch")
        {
            HelpName = "DIR",
            Description = "the lib folder of a libtorch or of an installed PyTorch",
            DefaultValueFactory = _ => ResolvedConfiguration.InEnvironment(Settings.Of(options => options.Runtime.LibTorch).Key) ?? "",
        };
        command.Options.Add(output);
        command.Options.Add(format);
        command.Options.Add(libTorch);
        command.SetAction(parsed =>
        {
            var word = parsed.GetValue(format)!;
            var chosen = EnumWord.Find<Format>(word) ?? throw Quantity.Wrong(word, format.Name, "table or json");
            var findings = Doctor.Examine(new Places { Output = parsed.GetValue(output)!, LibTorch = parsed.GetValue(libTorch)! });
            var can = Doctor.CanRun(findings);
            var text = parsed.InvocationConfiguration.Output;
            if (chosen == Format.Json)
                text.WriteLine(JsonSerializer.Serialize(new { CanRunDefaultJob = can, Findings = findings }, JsonRows.Document));
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
