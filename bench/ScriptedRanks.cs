using System.Diagnostics;
using System.Globalization;
using Harness.Configuration;
using Harness.Datasets;
using Harness.Energy;
using Harness.Energy.Accounting;
using Harness.Energy.Clocks;
using Harness.Energy.Sampling;
using Harness.Models.Llama.Tokenizers;
using Harness.Running;
using Harness.Runs;
using Harness.Runs.Accounting;
using Harness.Runs.Pieces;
using Harness.Runs.Records;
using Harness.Seams;
using Harness.Sharding;

namespace Harness.Bench;

/// <summary>What one stage of rank 0's work took.</summary>
/// <param name="AllocatedBytes">Managed memory that was asked for.</param>
internal readonly record struct StageCost(string Stage, double Seconds, long AllocatedBytes);

/// <summary>
/// What rank 0 does with everybody's records, on scripted ones: as many ranks as are wanted, eight to a node, each with a GPU of its own
/// that draws a constant power, and replicas of eight tensor ranks that answer the prompts in batches of sixteen. Clocks of other nodes are
/// ahead by a known offset and drift.
/// </summary>
internal sealed class ScriptedRanks(int ranks, int prompts, int samples, string directory)
{
    private const int RanksPerNode = 8, Batch = 16, Tokens = 16, PromptTokens = 12;
    private const double Interval = 0.1, Update = 0.02, Begin = 2, IdleEnd = 1.5, Drift = 1e-3;

    private readonly List<StageCost> _costs = [];

    private ProcessGrid Grid { get; } = new(Math.Min(ranks, RanksPerNode), 1, Math.Max(1, ranks / RanksPerNode));

    private double End => samples * Interval - 1;

    private string[] Hosts => [.. Enumerable.Range(0, ranks).Select(rank => $"node-{rank / RanksPerNode:0000}")];

    /// <summary>In the order of the work.</summary>
    public IReadOnlyList<StageCost> Costs => _costs;

    /// <summary>What is still in memory when all is written.</summary>
    public long RetainedBytes { get; private set; }

    /// <summary>Of all files.</summary>
    public long FileBytes => Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories).Sum(file => new FileInfo(file).Length);

    /// <summary>What the devices were scripted to draw in the measured window.</summary>
    public double ScriptedJoules => Enumerable.Range(0, ranks).Sum(Watts) * (End - Begin);

    /// <returns>The run's row, as it is in summary.csv.</returns>
    public SummaryRecord Run()
    {
        var handedIn = Enumerable.Range(0, ranks).Select(Report).ToList();
        var reports = Stage("reports and clocks", () => handedIn.ConvertAll(bytes =>
            EnergyReport.Deserialize(bytes).After(null).OnRunClock()));
        handedIn.Clear();
        var evidence = Stage("evidence", () => RunEvidence.Of(new RunOptions(), new(new Devices(), "scripted"), Grid, Hosts, reports) with
        {
            Windows = [new("idle", WindowKind.Idle, 0.2, IdleEnd), new("measured-1", WindowKind.Measured, Begin, End, 1)],
            RanToEnd = true,
        });
        using var files = RunDirectory.Create(directory, "run", "scripted", DateTimeOffset.UnixEpoch);
        var book = new ResultBook(files.RunId, Prompts(), files);
        book.Begin(1, files.Path);
        book.BeginRepeat(1);
        using var journal = new StartJournal(files.Path);
        Stage("batches", () =>
        {
            foreach (var batch in Enumerable.Range(0, prompts / Batch).Select(BatchOf))
            {
                journal.Append(batch.Serialize());
                book.Take(batch);
            }
            return true;
        });
        var piece = new PieceEvidence(1, evidence);
        Stage("files of the piece", () =>
        {
            piece.Write(files.Path, TornRepeat.Rows(evidence.Windows, RankRows(evidence), ranks, RankRow));
            piece.WriteSteps(files.Path, book.Steps(1, evidence.ClockOf));
            return true;
        });
        var (account, rows, attributions) = Stage("figures", () =>
        {
            var whole = new RunAccount([piece]);
            var steps = book.Steps(1, evidence.ClockOf).ToList();
            var (filled, shares) = whole.Fill(book.Rows, _ => steps);
            return (whole, filled, shares);
        });
        var summary = Stage("files of the run", () =>
        {
            PieceEvidence.WriteFigures(files.Path, account, rows, piece);
            files.CompleteResults(rows);
            var known = account.Describe(new() { RunId = files.RunId, Status = RunStatus.Complete, Ranks = ranks }, attributions);
            var row = Summary.Compute(known, rows, account.DurationSeconds);
            files.WriteSummary(row);
            return row;
        });
        RetainedBytes = GC.GetTotalMemory(forceFullCollection: true);
        GC.KeepAlive((evidence, account, rows, book));
        return summary;
    }

    private T Stage<T>(string name, Func<T> work)
    {
        var (start, allocated) = (Stopwatch.GetTimestamp(), GC.GetAllocatedBytesForCurrentThread());
        var result = work();
        _costs.Add(new(name, Stopwatch.GetElapsedTime(start).TotalSeconds, GC.GetAllocatedBytesForCurrentThread() - allocated));
        return result;
    }

    private static double Watts(int rank) => 300 + rank % RanksPerNode;

    /// <summary>Seconds by which rank 0's clock is ahead of a rank's at that second of the rank's own.</summary>
    private static double Ahead(int rank, double own) => rank < RanksPerNode ? 0 : rank / RanksPerNode * 0.01 + Drift * own;

    private byte[] Report(int rank)
    {
        var domain = new EnergyDomain(Hosts[rank], $"GPU-{rank:00000}", DomainKind.Gpu, "nvml", "Scripted");
        var readings = new EnergyReading[samples];
        for (var i = 0; i < samples; i++)
        {
            // Own seconds; the device works by rank 0's.
            var own = i * Interval;
            readings[i] = new()
            {
                TimeSeconds = own,
                EnergyJoules = Watts(rank) * (own + Ahead(rank, own)),
                PowerWatts = Watts(rank),
                PowerField = PowerField.Instant,
                ThrottleReasons = 0,
            };
        }
        ClockOffset At(double own) => new(Ahead(rank, own), rank < RanksPerNode ? 0 : 1e-5, own);
        return new EnergyReport(rank, [new(domain.Key, Update, 1, Update, 0.001)], [domain], [DomainFacts.NotApplicable(domain)],
            new(samples, 0, 0, 0.1, samples * Interval, 0), new(At(0), At(samples * Interval)), DateTimeOffset.UnixEpoch)
        {
            Series = [new(domain, rank, readings)],
            Phases = [.. Enumerable.Range(0, samples).Select(i => i * Interval)
                .Select(own => new PhaseStretch(own, own + Interval, 0, 0.6 * Interval, 0.3 * Interval, 0.1 * Interval))],
        }.Serialize();
    }

    private BatchReport BatchOf(int batch)
    {
        var (replica, turn) = (batch % Grid.Data, batch / Grid.Data);
        var turns = (prompts / Batch + Grid.Data - 1) / Grid.Data;
        var start = Begin + (End - Begin) * turn / turns;
        var pause = (End - Begin) / turns / (Tokens + 1);
        var numbers = Enumerable.Range(batch * Batch, Batch).ToList();
        double[] times = [.. Enumerable.Range(1, Tokens).Select(token => start + token * pause)];
        return new(1, 0, replica, batch, times[^1],
            [.. numbers.Select(number =>
                new SequenceReport(number, ReachedEndOfText: false, start, null, [.. Enumerable.Range(70, Tokens)], times))],
            [.. Enumerable.Range(0, Tokens).Select(token => new Step
            {
                Repeat = 1,
                Replica = replica,
                Batch = batch,
                MicroBatch = 0,
                Kind = token == 0 ? StepKind.Prefill : StepKind.Decode,
                StartSeconds = start + token * pause,
                EndSeconds = start + (token + 1) * pause,
                Rows = [.. numbers.Select(number => (int?)number)],
                Tokens = token == 0 ? [.. numbers.Select(_ => PromptTokens)] : null,
            })]);
    }

    private PromptSet Prompts()
    {
        Prompt[] all = [.. Enumerable.Range(0, prompts).Select(i =>
            new Prompt { Index = i, Dataset = "scripted", Text = "ab", Question = "ab", Source = "scripted" })];
        WorkItem[] items = [.. all.Select(prompt => new WorkItem(prompt.Index, prompt.Index, new int[PromptTokens], Tokens))];
        return new(all, PromptForm.Plain(new ByteTokenizer()), new(items, new HashSet<int>()), new(all, new(), "scripted"));
    }

    private RankRecord RankRow(int rank) => new()
    {
        RunId = "scripted",
        Window = "",
        Rank = rank,
        Host = Hosts[rank],
        LocalRank = rank % RanksPerNode,
        TensorRank = Grid[rank].TensorRank,
        Stage = 0,
        Replica = Grid[rank].Replica,
    };

    private List<RankRecord> RankRows(EnergyEvidence evidence)
    {
        var hosts = Hosts;
        return [.. from window in evidence.Windows
                   from rank in Enumerable.Range(0, ranks)
                   select new RankRecord
                   {
                       RunId = "scripted",
                       Window = window.Name,
                       Repeat = window.Repeat ?? 0,
                       Seconds = window.DurationSeconds,
                       Rank = rank,
                       Host = hosts[rank],
                       LocalRank = rank % RanksPerNode,
                       TensorRank = Grid[rank].TensorRank,
                       Stage = 0,
                       Replica = Grid[rank].Replica,
                   }];
    }

    /// <summary>Ranks compute on GPUs that nobody asks anything of.</summary>
    private sealed class Devices : Tensors.ITensorBackendFactory
    {
        public string Name => "torch";

        public Tensors.ITensorBackend Create(Tensors.BackendOptions options) => throw new NotSupportedException("nothing is computed here");
    }
}
