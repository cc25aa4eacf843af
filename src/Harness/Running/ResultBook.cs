using Harness.Datasets;
using Harness.Energy.Clocks;
using Harness.Models.Llama.Generation;
using Harness.Models.Llama.Tokenizers;
using Harness.Runs;
using Harness.Runs.Accounting;
using Harness.Runs.Pieces;
using Harness.Runs.Records;
using FinishReason = Harness.Runs.Records.FinishReason;
using Step = Harness.Energy.Accounting.Step;

namespace Harness.Running;

/// <summary>Rank 0's book of results: turns finished batches into rows, and stores them as they come.</summary>
internal sealed class ResultBook(string runId, PromptSet set, IResultSink sink)
{
    private readonly PackedPromptRows _rows = new();
    private const int ShownResponses = 3;

    private readonly List<ResponseRecord> _firstResponses = [];
    private readonly Dictionary<int, string> _journals = [];
    private readonly Dictionary<(int Repeat, int Replica), double> _ends = [];

    /// <summary>Of each row, which pass over the prompts it is of, and the prompt's number; of one that did not fit, none.</summary>
    private readonly List<(int Pass, int Number)> _origins = [];
    private readonly HashSet<int> _begun = [];
    private readonly Dictionary<int, int> _answers = [];

    public string RunId => runId;

    /// <summary>In the order in which they were stored.</summary>
    public IReadOnlyList<PromptRecord> Rows => _rows;

    /// <summary>For the terminal: the answers to the first prompts that fit.</summary>
    public IReadOnlyList<ResponseRecord> FirstResponses => _firstResponses;

    /// <summary>The piece of the run that is being written.</summary>
    public int Piece { get; private set; } = 1;

    /// <summary>Where finished batches are kept whole; null: nowhere.</summary>
    public BatchJournal? Journal { get; private set; }

    /// <summary>Batches of this piece, or groups of requests that were finished together.</summary>
    public int Batches { get; private set; }

    /// <summary>Begins the piece that this start writes.</summary>
    /// <param name="directory">Where its batches are kept, with all that rows do not tell, until the run is complete.</param>
    public void Begin(int piece, string directory)
    {
        BeginPiece(piece, directory);
        Journal = new(directory);
    }

    /// <summary>Nothing more comes.</summary>
    public void Close()
    {
        Journal?.Dispose();
        Journal = null;
    }

    /// <summary>Prompts that do not fit the context have a row in every repeat, and count as failed.</summary>
    public void BeginRepeat(int repeat)
    {
        if (!_begun.Add(repeat)) return;
        var unfit = set.Workload.Items.Where(item => !item.Fits).ToList();
        var rows = unfit.Select(item => Row(repeat, item, FinishReason.ContextLength)).ToList();
        _origins.AddRange(unfit.Select(item => (0, item.Number)));
        Store(rows, [.. rows.Zip(unfit, (row, item) => Response(row, item, [], "", null))]);
    }

    /// <summary>What was finished just now.</summary>
    public void Take(BatchReport report)
    {
        Journal?.Append(report.Serialize());
        Enter(report);
    }

    /// <summary>What an earlier piece of the run finished.</summary>
    /// <param name="directory">Of its start, where its journal holds these batches and no others.</param>
    public void Recall(int piece, string directory, IEnumerable<BatchReport> reports)
    {
        BeginPiece(piece, directory);
        foreach (var report in reports)
        {
            BeginRepeat(report.Repeat);
            Enter(report);
        }
    }

    private void BeginPiece(int piece, string directory)
    {
        (Piece, Batches) = (piece, 0);
        _journals[piece] = directory;
        _ends.Clear();
    }

    /// <summary>
    /// Of a batch only rows stay in memory: its steps and tokens are read back from its piece's journal when they are needed.
    /// </summary>
    private void Enter(BatchReport report)
    {
        if (report.HasFinished)
        {
            Batches++;
            _ends[(report.Repeat, report.Replica)] = Math.Max(report.EndSeconds, _ends.GetValueOrDefault((report.Repeat, report.Replica)));
        }
        var rows = new List<PromptRecord>();
        var responses = new List<ResponseRecord>();
        foreach (var sequence in report.Sequences)
        {
            var item = set.Workload.Items[sequence.Number];
            var text = set.Tokenizer.Decode(sequence.Output, continuation: true);
            var times = sequence.TokenSeconds;
            var (first, latency) = (times[0] - sequence.StartSeconds, times[^1] - sequence.StartSeconds);
            _origins.Add((report.Pass, sequence.Number));
            var row = Row(report.Repeat, item, sequence.Finish == Models.Llama.Generation.FinishReason.Eos ? FinishReason.Eos
                : FinishReason.Length) with
            {
                BatchIndex = report.Batch,
                StartSeconds = sequence.StartSeconds,
                QueueSeconds = sequence.QueueSeconds,
                OutputTokens = sequence.Output.Length,
                OutputWords = Words.Count(text),
                TtftSeconds = first,
                TpotSeconds = times.Length > 1 ? (latency - first) / (times.Length - 1) : null,
                LatencySeconds = latency,
                Correct = GsmAnswer.Judge(set.Prompts[item.Number].ReferenceAnswer, text),
            };
            rows.Add(row);
            _answers[report.Repeat] = _answers.GetValueOrDefault(report.Repeat) + 1;
            responses.Add(Response(row, item, sequence.Output, text, [.. times.Skip(1).Zip(times, (later, earlier) => later - earlier)]));
        }
        _firstResponses.AddRange(responses.Take(ShownResponses - _firstResponses.Count));
        Store(rows, responses);
    }

    /// <summary>
    /// When the last prompts that a replica finished in a repeat of this piece had ended, by the clock of its first rank; null where it has
    /// finished none.
    /// </summary>
    public double? EndOf(int repeat, int replica) => _ends.TryGetValue((repeat, replica), out var end) ? end : null;

    /// <summary>Rows of a repeat, in all its pieces, besides those of prompts that do not fit.</summary>
    public int AnswersOf(int repeat) => _answers.GetValueOrDefault(repeat);

    /// <summary>Before a run is called complete: every prompt of every repeat has its row.</summary>
    /// <param name="repeats">Null where that was left to the figures.</param>
    public void CheckWhole(int? repeats)
    {
        if (Completeness.Gaps(_rows, set.Prompts.Count, repeats).FirstOrDefault() is { } gap)
            throw new InvalidOperationException($"the run has come to its end, but {gap}; what was finished is kept");
    }

    /// <summary>Every forward pass of a piece, on rank 0's clock; those of a killed piece up to its last finished batch.</summary>
    /// <param name="clockOf">The clock of a replica's first rank.</param>
    public IEnumerable<Step> Steps(int piece, Func<int, ClockMap> clockOf) => Steps(piece, clockOf, [], RowsOf(piece));

    /// <summary>A piece's rows by repeat, pass and prompt.</summary>
    private Dictionary<(int Repeat, int Pass, int Number), int> RowsOf(int piece)
    {
        var found = new Dictionary<(int Repeat, int Pass, int Number), int>();
        for (var i = 0; i < _rows.Count; i++)
            if (_rows[i] is var row && row.Piece == piece && row.FinishReason != FinishReason.ContextLength)
                found[(row.Repeat, _origins[i].Pass, _origins[i].Number)] = i;
        return found;
    }

    /// <param name="clocks">Of the replicas that were asked for.</param>
    private IEnumerable<Step> Steps(int piece, Func<int, ClockMap> clockOf, Dictionary<int, ClockMap> clocks,
        Dictionary<(int Repeat, int Pass, int Number), int> rowOf) =>
        from report in BatchJournal.Read(_journals[piece]).Select(BatchReport.Deserialize)
        let replica = report.Replica
        let clock = clocks.TryGetValue(replica, out var known) ? known : clocks[replica] = clockOf(replica)
        from step in report.Steps
        select new Step
        {
            Repeat = report.Repeat,
            Replica = replica,
            Pass = report.Pass > 0 ? report.Pass : null,
            Batch = report.Batch,
            MicroBatch = step.MicroBatch,
            Kind = step.Kind.ToString().ToLowerInvariant(),
            StartSeconds = clock.ToRunClock(step.StartSeconds),
            EndSeconds = clock.ToRunClock(step.EndSeconds),
            Rows = [.. step.Shares.Select(share => rowOf.TryGetValue((report.Repeat, report.Pass, share.SequenceId), out var row)
                ? row : (int?)null)],
            Tokens = step.Kind == StepKind.Decode ? null : [.. step.Shares.Select(share => share.Tokens)],
            DecodeRows = step.Kind == StepKind.Mixed ? step.Shares.Count(share => !share.IsPrefill) : null,
        };

    private void Store(List<PromptRecord> rows, List<ResponseRecord> responses)
    {
        _rows.AddRange(rows);
        sink.Append(rows, responses);
    }

    private PromptRecord Row(int repeat, WorkItem item, string finishReason) => new()
    {
        RunId = runId,
        Repeat = repeat,
        Dataset = set.Prompts[item.Number].Dataset,
        PromptIndex = item.PromptIndex,
        InputTokens = item.Tokens.Length,
        FinishReason = finishReason,
        Category = set.Prompts[item.Number].Category,
        Piece = Piece,
    };

    private ResponseRecord Response(PromptRecord row, WorkItem item, int[] output, string text, double[]? interTokenSeconds) => new()
    {
        RunId = runId,
        Repeat = row.Repeat,
        PromptIndex = item.PromptIndex,
        Id = set.Prompts[item.Number].Id,
        Prompt = set.Prompts[item.Number].Text,
        OutputIds = output,
        Text = text,
        FinishReason = row.FinishReason,
        ItlSeconds = interTokenSeconds,
    };
}
