using Harness.Datasets;
using Harness.Energy.Accounting;
using Harness.Energy.Clocks;
using Harness.Models.Llama.Tokenizers;
using Harness.Runs;
using Harness.Runs.Accounting;
using Harness.Runs.Records;

namespace Harness.Running;

/// <summary>Rank 0's book of results: turns finished batches into rows, and stores them as they come.</summary>
internal sealed class ResultBook(string runId, PromptSet set, IResultSink sink)
{
    private readonly PackedPromptRows _rows = new();
    private const int ShownResponses = 3;

    private readonly List<ResponseRecord> _firstResponses = [];
    private readonly Dictionary<int, string> _directories = [];
    private readonly Dictionary<(int Repeat, int Replica), double> _ends = [];
    private readonly Dictionary<(int Piece, int Replica), double> _entered = [];

    /// <summary>Of each row, which pass over the prompts it is of, and the prompt's number; of one that did not fit, none.</summary>
    private readonly List<(int Pass, int Number)> _origins = [];
    private readonly HashSet<int> _begun = [];

    /// <summary>Answers in conversations that go on, by the number of the first turn.</summary>
    private readonly Dictionary<(int Repeat, int Pass, int First), List<string>> _conversations = [];
    private readonly Dictionary<int, int> _answers = [];

    public string RunId => runId;

    /// <summary>In the order in which they were stored.</summary>
    public IReadOnlyList<PromptRecord> Rows => _rows;

    /// <summary>For the terminal: the answers to the first prompts that fit.</summary>
    public IReadOnlyList<ResponseRecord> FirstResponses => _firstResponses;

    /// <summary>The start whose batches are entered.</summary>
    public int Piece { get; private set; } = 1;

    /// <summary>Batches of this piece, or groups of requests that were finished together.</summary>
    public int Batches { get; private set; }

    /// <summary>What is taken from now on is of this start.</summary>
    /// <param name="directory">Where its journal has its batches, with all that rows do not tell, until the run is complete.</param>
    public void Begin(int piece, string directory)
    {
        (Piece, Batches) = (piece, 0);
        _directories[piece] = directory;
        _ends.Clear();
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

    /// <summary>What an earlier start of the run finished.</summary>
    /// <param name="directory">Of the start.</param>
    /// <param name="reports">Of each replica those up to the last that counts.</param>
    public void Recall(int piece, string directory, IEnumerable<BatchReport> reports)
    {
        Begin(piece, directory);
        foreach (var report in reports)
        {
            BeginRepeat(report.Repeat);
            Take(report);
        }
    }

    /// <summary>
    /// What was finished. Of a batch only rows stay in memory: its steps and tokens are read back from its start's journal when they are
    /// needed.
    /// </summary>
    public void Take(BatchReport report)
    {
        _entered[(Piece, report.Replica)] = report.EndSeconds;
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
            _origins.Add((report.Pass, sequence.Number));
            _answers[report.Repeat] = _answers.GetValueOrDefault(report.Repeat) + 1;
            var prompt = PromptOf(report, item);
            if (sequence.Output.Length == 0)
            {
                rows.Add(Asked(Row(report.Repeat, item, FinishReason.ContextLength), item, sequence));
                responses.Add(Response(rows[^1], item, [], "", null) with { Prompt = prompt });
                _conversations.Remove(ConversationOf(report, item));
                continue;
            }
            var text = set.AnswerOf(sequence.Output);
            Remember(report, item, text);
            var times = sequence.TokenSeconds;
            var (first, latency) = (times[0] - sequence.StartSeconds, times[^1] - sequence.StartSeconds);
            double[] gaps = [.. GapsOf(sequence)];
            var reason = sequence.ReachedEndOfText ? FinishReason.Eos : FinishReason.Length;
            var row = Asked(Row(report.Repeat, item, reason), item, sequence) with
            {
                BatchIndex = report.Batch,
                StartSeconds = sequence.StartSeconds,
                QueueSeconds = sequence.QueueSeconds,
                OutputTokens = sequence.Output.Length,
                OutputWords = Words.Count(text),
                TtftSeconds = first,
                TpotSeconds = times.Length > 1 ? (latency - first) / (times.Length - 1) : null,
                LatencySeconds = latency,
                ItlP99Seconds = new Statistics(gaps).Percentile(99),
                Correct = GsmAnswer.Judge(set.Prompts[item.Number].ReferenceAnswer, text),
            };
            rows.Add(row);
            responses.Add(Response(row, item, sequence.Output, text, gaps) with { Prompt = prompt });
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

    /// <summary>The time from each token of a sequence to the next, in seconds.</summary>
    private static IEnumerable<double> GapsOf(SequenceReport sequence) =>
        sequence.TokenSeconds.Skip(1).Zip(sequence.TokenSeconds, (later, earlier) => later - earlier);

    /// <summary>The inter-token latencies of all rows, in seconds: too many to keep in memory while the run goes on.</summary>
    public IEnumerable<double> Gaps() =>
        from piece in _directories.Keys
        from report in Counting(piece, BatchReport.SequencesIn)
        from sequence in report.Sequences
        from gap in GapsOf(sequence)
        select gap;

    /// <summary>Of a piece's journal those of each replica up to the last that counts.</summary>
    private IEnumerable<BatchReport> Counting(int piece, Func<string, IEnumerable<BatchReport>> read) => read(_directories[piece])
        .Where(report => _entered.TryGetValue((piece, report.Replica), out var last) && report.EndSeconds <= last);

    /// <summary>
    /// Every forward pass of a piece, on rank 0's clock; those of a killed piece up to the last batch of each replica that counts.
    /// </summary>
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
        from report in Counting(piece, BatchReport.In)
        let clock = clocks.TryGetValue(report.Replica, out var known) ? known : clocks[report.Replica] = clockOf(report.Replica)
        from step in report.Steps
        select step with
        {
            StartSeconds = clock.ToRunClock(step.StartSeconds),
            EndSeconds = clock.ToRunClock(step.EndSeconds),
            Rows = [.. step.Rows.Select(number =>
                rowOf.TryGetValue((report.Repeat, report.Pass, number!.Value), out var row) ? row : (int?)null)],
        };

    private void Store(List<PromptRecord> rows, List<ResponseRecord> responses)
    {
        _rows.AddRange(rows);
        sink.Append(rows, responses);
    }

    /// <summary>What a turn read: of a later one the conversation so far, with the answers that were given.</summary>
    private string PromptOf(BatchReport report, WorkItem item)
    {
        if (item.Turn == 1) return set.Prompts[item.Number].Text;
        var answers = _conversations.GetValueOrDefault(ConversationOf(report, item)) ?? [];
        return answers.Count < item.Turn - 1 ? item.Question : set.Form.Render(set.Workload.Conversation(item, answers));
    }

    private void Remember(BatchReport report, WorkItem item, string answer)
    {
        if (!set.Workload.HasTurns) return;
        var key = ConversationOf(report, item);
        if (!_conversations.TryGetValue(key, out var answers)) _conversations[key] = answers = [];
        answers.Add(answer);
        if (set.Workload.TurnsOf(key.First).Last() == item.Number) _conversations.Remove(key);
    }

    private static (int Repeat, int Pass, int First) ConversationOf(BatchReport report, WorkItem item) =>
        (report.Repeat, report.Pass, item.Number - item.Turn + 1);

    /// <summary>A row with what is known of its prompt when it is asked.</summary>
    private static PromptRecord Asked(PromptRecord row, WorkItem item, SequenceReport sequence) =>
        item.Turn == 1 ? row with { CachedTokens = row.Turn == null ? null : sequence.CachedTokens }
            : row with { InputTokens = sequence.PromptTokens, CachedTokens = sequence.CachedTokens };

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
        Turn = set.Workload.HasTurns ? item.Turn : null,
    };

    private ResponseRecord Response(PromptRecord row, WorkItem item, int[] output, string text, double[]? interTokenSeconds) => new()
    {
        RunId = runId,
        Repeat = row.Repeat,
        PromptIndex = item.PromptIndex,
        Turn = row.Turn,
        Id = set.Prompts[item.Number].Id,
        Prompt = set.Prompts[item.Number].Text,
        OutputIds = output,
        Text = text,
        FinishReason = row.FinishReason,
        ItlSeconds = interTokenSeconds,
    };
}
