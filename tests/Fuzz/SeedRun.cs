using System.Text.Json;
using Harness.Common;
using Harness.Energy;
using Harness.Energy.Accounting;
using Harness.Energy.Clocks;
using Harness.Energy.Sampling;
using Harness.Runs;
using Harness.Runs.Accounting;
using Harness.Runs.Carbon;
using Harness.Runs.Records;

namespace Harness.Fuzz;

/// <summary>
/// A small run directory that <c>harness verify</c> finds nothing in: two prompts in two repeats on one GPU of 100 W beside a socket of
/// 50 W, with categories and carbon. Computed, so that it has every column of today and the same bytes every time.
/// </summary>
internal static class SeedRun
{
    public const string Host = "node-1", Bounds = "ttft=1s,itl=600ms";

    private const double Interval = 0.1, RepeatSeconds = 2, FirstRepeat = 4;
    private const int Repeats = 2, Prompts = 2, OutputTokens = 3;

    private static readonly EnergyDomain s_gpu = new(Host, "GPU-0", DomainKind.Gpu, "nvml", "H100");
    private static readonly EnergyDomain s_socket = new(Host, "package-0", DomainKind.Package, "rapl");

    private static readonly Lazy<IReadOnlyDictionary<string, byte[]>> s_files = new(() =>
    {
        using var scratch = new Scratch();
        Write(scratch.Path);
        return Directory.GetFiles(scratch.Path).ToDictionary(path => Path.GetFileName(path), File.ReadAllBytes);
    });

    /// <summary>Bytes by name.</summary>
    public static IReadOnlyDictionary<string, byte[]> Files => s_files.Value;

    public static void CopyTo(string directory, params ReadOnlySpan<string> without)
    {
        Directory.CreateDirectory(directory);
        foreach (var (name, content) in Files)
            if (!without.Contains(name)) File.WriteAllBytes(Path.Combine(directory, name), content);
    }

    private static void Write(string directory)
    {
        var piece = new PieceEvidence(1, Evidence());
        var account = new RunAccount([piece]);
        List<Step> steps = [.. from repeat in Enumerable.Range(1, Repeats) from step in Steps(repeat) select step];
        var (rows, attributions) = account.Fill([.. Rows()], _ => steps);
        piece.WriteSteps(directory, steps);
        piece.Write(directory, piece.Evidence.Windows.Select(RankRow));
        PieceEvidence.WriteFigures(directory, account, rows, piece);

        var known = Known() with
        {
            PaperEnergyJoules = account.PaperJoules(),
            Gpu = account.GpuName,
            NumGpus = account.Gpus,
            Pieces = 1,
            Itl = Distribution.Of(rows.SelectMany(row => Response(row).ItlSeconds!)),
            Goodput = new() { Slo = Bounds },
        };
        var summary = Summary.Compute(account.Describe(known, attributions), rows, account.DurationSeconds);
        var inputs = new CarbonInputs(_ => 380, IsHourly: false, Pue: 1.2, EmbodiedKilograms: 100, LifetimeYears: 4);
        var carbon = CarbonTerms.Of(inputs, account, summary, rows)!;
        summary = carbon.AddTo(summary);
        var manifest = new Manifest(known)
        {
            [Manifest.IdentitySection] = "seed",
            ["configuration"] = new Dictionary<string, object>
            {
                ["Repeats:Count"] = new { value = $"{Repeats}", source = "command line" },
            },
            ["hardware"] = new { hosts = new[] { Host } },
            ["starts"] = new[] { new { start = 1, begun_utc = "2026-01-02T03:04:05Z", hosts = new[] { Host } } },
        };
        AtomicFile.Write(Path.Combine(directory, RunFile.Manifest.Name), manifest.Write);
        AtomicFile.Write(Path.Combine(directory, RunFile.Prompts.Name), stream => CsvRows.WriteTable(stream, rows));
        AtomicFile.Write(Path.Combine(directory, RunFile.Responses.Name), stream => JsonRows.Write(stream, rows.Select(Response)));
        AtomicFile.Write(RunFile.Carbon.In(directory), stream => JsonSerializer.Serialize(stream, carbon, JsonRows.Document));
        AtomicFile.Write(Path.Combine(directory, RunFile.Categories.Name), stream =>
            CsvRows.WriteTable(stream, CategoryRecord.Of(summary, rows)));
        AtomicFile.Write(Path.Combine(directory, RunFile.Summary.Name), stream => CsvRows.WriteTable(stream, [summary]));
    }

    private static EnergyEvidence Evidence() => new()
    {
        SampleIntervalSeconds = Interval,
        Limits = new(),
        Domains = [s_gpu, s_socket],
        Sensors = [new(s_gpu.Key, 0.02, 1, 0.02, 0.001), new(s_socket.Key, 0.02, 1, null, 0.001)],
        Facts = [.. new[] { s_gpu, s_socket }.Select(DomainFacts.NotApplicable)],
        Ranks = [new(0, Host, 0, [s_gpu.Key, s_socket.Key], new(ClockOffset.Zero, ClockOffset.Zero), new(80, 0, 0.001, 0.01, 8, 0))],
        WorldSize = 1,
        ComputesOnGpus = true,
        RanToEnd = true,
        OriginUtc = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero),
        Series = [Series(s_gpu, 100, PowerField.Instant), Series(s_socket, 50, null)],
        Windows =
        [
            new("load", WindowKind.Load, 0, 2),
            new("idle", WindowKind.Idle, 2, FirstRepeat),
            .. Enumerable.Range(1, Repeats).Select(repeat =>
                new EnergyWindow($"measured-{repeat}", WindowKind.Measured, StartOf(repeat), StartOf(repeat) + RepeatSeconds, repeat)),
        ],
        Phases =
        [
            new(0, [.. Enumerable.Range(1, Repeats).Select(StartOf).SelectMany(start => new PhaseStretch[]
            {
                new(start, start + 0.5, 0.5, 0, 0, 0),
                new(start + 0.5, start + 1.5, 0, 0.75, 0.125, 0.125),
            })]),
        ],
    };

    private static double StartOf(int repeat) => FirstRepeat + (repeat - 1) * RepeatSeconds;

    private static SampleSeries Series(EnergyDomain domain, double watts, PowerField? field) => new(domain, 0,
    [
        .. Enumerable.Range(0, (int)Math.Round((StartOf(Repeats + 1) + 0.5) / Interval)).Select(i => new EnergyReading
        {
            TimeSeconds = i * Interval,
            EnergyJoules = watts * i * Interval,
            PowerWatts = field == null ? null : watts,
            PowerField = field,
        }),
    ]);

    /// <summary>A prefill of both prompts, then a token of each at a time.</summary>
    private static IEnumerable<Step> Steps(int repeat)
    {
        int?[] rows = [.. Enumerable.Range((repeat - 1) * Prompts, Prompts)];
        for (var i = 0; i < OutputTokens; i++)
            yield return new()
            {
                Repeat = repeat,
                Replica = 0,
                Batch = 0,
                MicroBatch = 0,
                Kind = i == 0 ? StepKind.Prefill : StepKind.Decode,
                StartSeconds = StartOf(repeat) + 0.5 * i,
                EndSeconds = StartOf(repeat) + 0.5 * (i + 1),
                Rows = rows,
                Tokens = i == 0 ? [10, 10] : null,
            };
    }

    private static IEnumerable<PromptRecord> Rows() =>
        from repeat in Enumerable.Range(1, Repeats)
        from prompt in Enumerable.Range(0, Prompts)
        select new PromptRecord
        {
            RunId = "seed",
            Repeat = repeat,
            Dataset = "jsonl",
            PromptIndex = prompt,
            BatchIndex = 0,
            InputTokens = 10,
            OutputTokens = OutputTokens,
            OutputWords = 1,
            FinishReason = FinishReason.Length,
            TtftSeconds = 0.5,
            TpotSeconds = 0.5,
            LatencySeconds = 1.5,
            ItlP99Seconds = 0.5,
            StartSeconds = StartOf(repeat),
            Correct = prompt == 0,
            Category = prompt == 0 ? "code" : "math",
        };

    private static ResponseRecord Response(PromptRecord row) => new()
    {
        RunId = row.RunId,
        Repeat = row.Repeat,
        PromptIndex = row.PromptIndex,
        Prompt = "How many?",
        OutputIds = [1, 2, 3],
        Text = "Two.",
        FinishReason = row.FinishReason,
        ItlSeconds = [0.5, 0.5],
    };

    private static RankRecord RankRow(EnergyWindow window) => new()
    {
        RunId = "seed",
        Repeat = window.Repeat ?? 0,
        Window = window.Name,
        Host = Host,
        Seconds = window.DurationSeconds,
    };

    private static SummaryRecord Known() => new()
    {
        RunId = "seed",
        Status = RunStatus.Complete,
        TimestampUtc = "2026-01-02T03:04:05Z",
        Model = "synthetic",
        Dtype = "bf16",
        Backend = "torch",
        Nodes = 1,
        Ranks = 1,
        TensorParallel = 1,
        PipelineParallel = 1,
        MicroBatches = 1,
        BatchSize = Prompts,
        Schedule = "static",
        MaxNewTokens = OutputTokens,
        Dataset = "jsonl",
        NumPrompts = Prompts,
    };
}
