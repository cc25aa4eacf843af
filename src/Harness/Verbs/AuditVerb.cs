using System.CommandLine;
using System.Text.Json;
using Harness.Common;
using Harness.Energy.Recordings;
using Harness.Reporting;
using Harness.Reports.Auditing;

namespace Harness.Verbs;

/// <summary><c>harness audit</c>: recordings that others made, judged by the rules of a run.</summary>
internal static class AuditVerb
{
    private const string Text = "text", Json = "json";

    public static Command Create()
    {
        var command = new Command("audit",
            "Judge recordings of power and energy that other programs made, as a run's own are judged; fails where the joules are not to "
            + "be believed.");
        var recordings = new Argument<string[]>("FILE")
        {
            Description = $"recordings of one time, of one or more nodes: {RecordingFile.Formats}",
            Arity = ArgumentArity.OneOrMore
        };
        var windows = new Option<string[]>("--window")
        {
            HelpName = "START..END",
            Description = "what to look at instead of the whole: dates, Unix seconds, or seconds (of a power.csv its own, else since the "
                + "first reading); may be repeated",
        };
        var files = new Option<string[]>("--windows")
        {
            HelpName = "FILE",
            Description = $"the same from {RecordedWindows.Forms}; may be repeated",
        };
        var offset = new Option<string?>("--utc-offset")
        {
            HelpName = "+HH:MM",
            Description = "the zone of times that name none, as nvidia-smi's and vLLM's; needed beside times that are UTC",
        };
        var format = new Option<string>("--format")
        {
            HelpName = "NAME",
            Description = $"{Text} or {Json}",
            DefaultValueFactory = _ => Text,
        };
        command.Arguments.Add(recordings);
        foreach (var option in new Option[] { windows, files, offset, format }) command.Options.Add(option);
        command.SetAction(parsed =>
        {
            var form = parsed.GetValue(format)!;
            if (form is not (Text or Json)) throw new UserErrorException($"--format '{form}' is neither {Text} nor {Json}");
            var findings = Audit.Of(new(parsed.GetValue(recordings)!, parsed.GetValue(windows) ?? [], parsed.GetValue(files) ?? [],
                parsed.GetValue(offset) is { } zone ? RecordedTime.Offset(zone) : null));
            parsed.InvocationConfiguration.Output.Write(form == Text ? AuditText.Of(findings)
                : JsonSerializer.Serialize(findings, JsonRows.Document) + "\n");
            return findings.Valid ? ExitCode.Success : ExitCode.Failure;
        });
        return command;
    }
}
