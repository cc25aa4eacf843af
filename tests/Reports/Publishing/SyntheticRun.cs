using System.Text.Json;
using Harness.Common;
using Harness.Energy;
using Harness.Energy.Accounting;
using Harness.Energy.Records;
using Harness.Runs;
using Harness.Runs.Records;

namespace Harness.Tests.Reports.Publishing;

/// <summary>
/// A run directory whose truth is known: every device draws its scripted watts from the first window to the last, and every
/// prompt takes as long and answers as much as was scripted. Joules follow by arithmetic: watts × seconds.
/// </summary>
internal sealed record SyntheticRun(string Name)
{
    private const double LoadSeconds = 2, IdleSeconds = 3;

    public string Model { get; init; } = "llama-7b";
    public string Dataset { get; init; } = "gsm8k";
    public int TensorParallel { get; init; } = 1;
    public int PipelineParallel { get; init; } = 1;
    public int BatchSize { get; init; } = 8;

    /// <summary>Requests in flight under continuous batching; null for static batches.</summary>
    public int? Concurrency { get; init; }
    public int MaxNewTokens { get; init; } = 128;
    public int? FixedInputTokens { get; init; }
    public double? PowerLimitWatts { get; init; }

    /// <summary>One device each; none is a run without a meter.</summary>
    public double[] DeviceWatts { get; init; } = [100];
    public double Seconds { get; init; } = 20;
    public int Prompts { get; init; } = 16;
    public int TokensPerPrompt { get; init; } = 50;
    public string? InvalidReasons { get; init; }
    public string Status { get; init; } = RunStatus.Complete;
    public IReadOnlyList<string?> Categories { get; init; } = [null];
    public double SampleInterval { get; init; } = 0.1;
    public IReadOnlyDictionary<string, object>? Manifest { get; init; }

    /// <summary>The 99th percentile of a prompt's inter-token latencies by its mean; null: of a version that did not tell it.</summary>
    public double? ItlP99ByTpot { get; init; } = 2;

    /// <summary>Bounds that the run had.</summary>
    public string? Slo { get; init; }

    /// <summary>Parts of the joules: prefill, decode, communication, waiting, and the rest; null: not told.</summary>
    public double[]? Phases { get; init; }

    public double Watts => DeviceWatts.Sum();
    public double Joules => Watts * Seconds;
    public double JoulesPerToken => Joules / (Prompts * TokensPerPrompt);
    private bool Measured => DeviceWatts.Length > 0;

    /// <summary>Prompt i waits longer than those before it, so that times are spread from 10 % to 100 % of the run.</summary>
    public double LatencyOf(int prompt) => Seconds * (0.1 + 0.9 * (prompt + 1) / Prompts);

    public SyntheticRun Write(ScratchDirectory scratch)
    {
        var directory = scratch[Name];
        Directory.CreateDirectory(directory);
        var known = new SummaryRecord
        {
            RunId = Name.Replace('/', '-'),
            Status = Status,
            TimestampUtc = "2026-01-02T03:04:05Z",
            Model = Model,
            Dtype = "bf16",
            Backend = "torch",
            Gpu = "H100",
            NumGpus = DeviceWatts.Length,
            Nodes = 1,
            Ranks = TensorParallel * PipelineParallel,
            TensorParallel = TensorParallel,
            PipelineParallel = PipelineParallel,
            MicroBatches = PipelineParallel,
            BatchSize = BatchSize,
            Concurrency = Concurrency,
            Schedule = Concurrency == null ? "static" : "continuous",
            MaxNewTokens = MaxNewTokens,
            FixedInputTokens = FixedInputTokens,
            PowerLimitWatts = PowerLimitWatts,
            Dataset = Dataset,
            NumPrompts = Prompts,
            Goodput = new() { Slo = Slo },
        };
        var manifest = new Manifest(known);
        foreach (var (section, tree) in Manifest ?? new Dictionary<string, object>
        {
            ["configuration"] = new Dictionary<string,
                object>
            { ["Sharding:Tensor"] = new { Value = $"{TensorParallel}", Source = "command line" } },
            ["hardware"] = new { Hosts = new[] { "node-1" } },
        }) manifest[section] = tree;
        AtomicFile.Write(Path.Combine(directory, "manifest.json"), manifest.Write);
        if (Status == RunStatus.Incomplete) return this;

        var rows = Enumerable.Range(0, Prompts).Select(Prompt).ToList();
        WriteCsv(RunFile.Prompts.In(directory), rows);
        AtomicFile.Write(RunFile.Responses.In(directory), stream => JsonRows.Write(stream, rows.Select(Response)));
        File.WriteAllText(RunFile.Energy.In(directory), Phases == null ? "{}" : JsonSerializer.Serialize(new
        {
            phases = new PhaseJoules(Phases[0] * Joules, Phases[1] * Joules, Phases[2] * Joules, Phases[3] * Joules, Phases[4] * Joules),
        }));
        if (Measured) WritePower(directory);
        var reasons = InvalidReasons ?? (Measured ? null : "no_meter");
        known = known with { InvalidReasons = reasons };
        if (Measured) known = known with { Energy = new() { Total = Joules }, EnergySource = "nvml_counter", Valid = reasons == null };
        var summary = Summary.Compute(known, rows, Seconds);
        if (CategoryRecord.Of(summary, rows) is { Count: > 0 } categories)
            WriteCsv(RunFile.Categories.In(directory), categories);
        WriteCsv(RunFile.Summary.In(directory), [summary]);
        return this;
    }

    private PromptRecord Prompt(int index) => new()
    {
        RunId = Name,
        Repeat = 1,
        Dataset = Dataset,
        PromptIndex = index,
        BatchIndex = index / BatchSize,
        InputTokens = 10 + index,
        OutputTokens = TokensPerPrompt,
        OutputWords = TokensPerPrompt / 2,
        FinishReason = FinishReason.Eos,
        TtftSeconds = 0.1 * LatencyOf(index),
        TpotSeconds = 0.9 * LatencyOf(index) / (TokensPerPrompt - 1),
        LatencySeconds = LatencyOf(index),
        ItlP99Seconds = ItlP99ByTpot * 0.9 * LatencyOf(index) / (TokensPerPrompt - 1),
        EnergyJoules = Measured ? Joules / Prompts : null,
        Correct = index % 4 != 0,
        Category = Categories[index % Categories.Count],
        Valid = Measured && InvalidReasons == null,
    };

    private ResponseRecord Response(PromptRecord row) => new()
    {
        RunId = row.RunId,
        Repeat = row.Repeat,
        PromptIndex = row.PromptIndex,
        Prompt = "How many?",
        OutputIds = [1, 2],
        Text = "Two.",
        FinishReason = row.FinishReason,
        ItlSeconds = [0.125],
    };

    private void WritePower(string directory)
    {
        EnergyWindow[] windows =
        [
            new("load", WindowKind.Load, 5, 5 + LoadSeconds),
            new("idle", WindowKind.Idle, 5 + LoadSeconds, 5 + LoadSeconds + IdleSeconds),
            new("measured-1", WindowKind.Measured, 5 + LoadSeconds + IdleSeconds, 5 + LoadSeconds + IdleSeconds + Seconds, 1),
        ];
        var end = windows[^1].EndSeconds;
        var samples = (int)Math.Round((end - 5) / SampleInterval) + 1;
        PowerRecords.Write(RunFile.Power.In(directory), DeviceWatts.Select((watts, device) => new SampleSeries(
            new EnergyDomain("node-1", $"GPU-{device}", DomainKind.Gpu, "nvml"), device,
            [.. Enumerable.Range(0, samples).Select(i => new EnergyReading
            {
                TimeSeconds = 5 + i * SampleInterval,
                PowerWatts = watts,
                PowerField = PowerField.Instant,
                EnergyJoules = watts * i * SampleInterval,
            })])));
        using var text = new StreamWriter(RunFile.Windows.In(directory));
        WindowRecords.Write(text, windows.Select(window => new WindowRecord(window, [])));
    }

    private static void WriteCsv<T>(string path, IEnumerable<T> rows) => AtomicFile.Write(path, stream =>
    {
        CsvRows.WriteHeader<T>(stream);
        CsvRows.Write(stream, rows);
    });
}
