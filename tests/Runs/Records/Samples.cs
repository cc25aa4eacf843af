using Harness.Runs;
using Harness.Runs.Records;

namespace Harness.Tests.Runs.Records;

internal static class Samples
{
    public static PromptRecord Prompt(int index, string finishReason = FinishReason.Eos) => new()
    {
        RunId = "r",
        Repeat = 0,
        Dataset = "gsm8k",
        PromptIndex = index,
        BatchIndex = index / 4,
        InputTokens = 10 + index,
        OutputTokens = 3 + index,
        OutputWords = 2 + index,
        FinishReason = finishReason,
        TtftSeconds = 0.1 * (index + 1),
        TpotSeconds = 0.01 / (index + 1),
        LatencySeconds = 1.0 / 3 + index,
        Correct = index % 3 == 0 ? null : index % 3 == 1,
    };

    public static ResponseRecord Response(int index) => new()
    {
        RunId = "r",
        Repeat = 0,
        PromptIndex = index,
        Prompt = $"Question {index}:\n\"Janet’s\"",
        OutputIds = [index, 2],
        Text = "a, b\r\nc",
        FinishReason = FinishReason.Eos,
        ItlSeconds = [0.1 + 0.2],
    };

    public static SummaryRecord Summary(string runId, string status = RunStatus.Complete) => new() { RunId = runId, Status = status };
}
