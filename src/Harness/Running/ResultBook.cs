using Harness.Datasets;
using Harness.Models.Llama.Tokenizers;
using Harness.Records;
using Harness.Reporting;
using FinishReason = Harness.Records.FinishReason;

namespace Harness.Running;

/// <summary>Rank 0's book of results: turns finished batches into rows, and stores them as they come.</summary>
internal sealed class ResultBook(string runId, IReadOnlyList<Prompt> prompts, Workload workload, ITokenizer tokenizer, IResultSink sink)
{
    private readonly List<PromptRecord> _rows = [];

    /// <summary>What <see cref="_rows"/>' energy comes from: every finished batch, as reported.</summary>
    public List<BatchReport> Batches { get; } = [];

    /// <summary>In the order of repeats and prompts, whatever order the replicas finished in.</summary>
    public IReadOnlyList<PromptRecord> Rows => [.. _rows.OrderBy(row => row.Repeat)];

    /// <summary>Prompts that do not fit the context have a row in every repeat, and count as failed.</summary>
    public void BeginRepeat(int repeat)
    {
        var rows = workload.Items.Where(item => !item.Fits).Select(item => Row(repeat, item, FinishReason.ContextLength)).ToList();
        var responses = rows.Zip(workload.Items.Where(item => !item.Fits), (row, item) => Response(row, item, [], "", null)).ToList();
        Store(rows, responses);
    }

    public void Take(BatchReport report)
    {
        var rows = new List<PromptRecord>();
        var responses = new List<ResponseRecord>();
        foreach (var sequence in report.Sequences)
        {
            var item = workload.Items[sequence.Number];
            var text = tokenizer.Decode(sequence.Output, continuation: true);
            var times = sequence.TokenSeconds;
            var (first, latency) = (times[0] - report.StartSeconds, times[^1] - report.StartSeconds);
            var row = Row(report.Repeat, item, sequence.Finish == Models.Llama.Generation.FinishReason.Eos ? FinishReason.Eos : FinishReason.Length) with
            {
                BatchIndex = report.Batch,
                OutputTokens = sequence.Output.Length,
                OutputWords = Words.Count(text),
                TtftSeconds = first,
                TpotSeconds = times.Length > 1 ? (latency - first) / (times.Length - 1) : null,
                LatencySeconds = latency,
                Correct = GsmAnswer.Judge(prompts[item.Number].ReferenceAnswer, text),
            };
            rows.Add(row);
            responses.Add(Response(row, item, sequence.Output, text, [.. times.Skip(1).Zip(times, (later, earlier) => later - earlier)]));
        }
        Batches.Add(report);
        Store(rows, responses);
    }

    private void Store(List<PromptRecord> rows, List<ResponseRecord> responses)
    {
        _rows.AddRange(rows);
        sink.Append(rows, responses);
    }

    private PromptRecord Row(int repeat, WorkItem item, string finishReason) => new()
    {
        RunId = runId,
        Repeat = repeat,
        Dataset = prompts[item.Number].Dataset,
        PromptIndex = item.PromptIndex,
        InputTokens = item.Tokens.Length,
        FinishReason = finishReason,
        Valid = false,
    };

    private ResponseRecord Response(PromptRecord row, WorkItem item, int[] output, string text, double[]? interTokenSeconds) => new()
    {
        RunId = runId,
        Repeat = row.Repeat,
        PromptIndex = item.PromptIndex,
        Id = prompts[item.Number].Id,
        Prompt = prompts[item.Number].Text,
        OutputIds = output,
        Text = text,
        FinishReason = row.FinishReason,
        ItlSeconds = interTokenSeconds,
    };
}
