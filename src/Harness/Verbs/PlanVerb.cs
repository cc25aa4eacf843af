using System.CommandLine;
using System.Text;
using System.Text.Json;
using Harness.Common;
using Harness.Planning;
using Harness.Reporting;

namespace Harness.Verbs;

/// <summary><c>harness plan</c>: which layouts of a model fit, before anything is loaded.</summary>
internal static class PlanVerb
{
    private const int TableColumns = 100;

    /// <summary>Every row has every key: what is missing is null.</summary>
    private static readonly JsonSerializerOptions s_rows = new(JsonRows.Document) { DefaultIgnoreCondition = default };

    public static Command Create()
    {
        var command = new Command("plan",
            "List the layouts (tensor-parallel degree × pipeline stages) of up to --gpus GPUs: bytes per rank and link, what fits, and "
            + "why not. Needs a config.json, no weights.");
        var switches = new PlanSwitches(command);
        command.SetAction(parsed =>
        {
            var question = switches.Resolve(parsed);
            Write(parsed.InvocationConfiguration.Output, question,
                [.. question.Planner.Rows(question.Gpus, question.Tensor, question.Pipeline)]);
            return ExitCode.Success;
        });
        return command;
    }

    private static void Write(TextWriter output, PlanQuestion question, PlanRow[] rows)
    {
        switch (question.Format)
        {
            case PlanFormat.Json:
                output.WriteLine(JsonSerializer.Serialize(rows, s_rows));
                break;
            case PlanFormat.Csv:
                using (var stream = new MemoryStream())
                {
                    CsvRows.WriteTable(stream, rows);
                    output.Write(Encoding.UTF8.GetString(stream.ToArray()));
                }
                break;
            default:
                var console = ResultConsole.On(output);
                if (!console.Profile.Out.IsTerminal) console.Profile.Width = TableColumns;
                PlanTable.Write(console, question.Planner, rows, question.Gpus);
                break;
        }
    }
}
