using System.Text.Json.Serialization;
using Harness.Common;
using Harness.Energy;

namespace Harness.Runs.Records;

/// <summary>
/// The row of <c>summary.csv</c>. Everything in it follows from the run's other files (<see cref="Summary"/>) or is copied from
/// its manifest. What is not known is null, and empty in the file.
/// </summary>
[JsonConverter(typeof(ColumnsAsJson<SummaryRecord>))]
public sealed record SummaryRecord
{
    public const int CurrentSchema = 2;

    /// <summary><see cref="Task"/> of prompts that a checkpoint's chat template rendered.</summary>
    public const string TemplateTask = "template";

    [Column("schema_version", "", "version of the format; new columns come last in it, and do not raise it")]
    public int SchemaVersion { get; init; } = CurrentSchema;

    [Column("run_id", "", "the run's name in all files: when it began, the model, and what tells it from others", IsOfOneRun = true)]
    public required string RunId { get; init; }

    /// <summary>One of <see cref="RunStatus"/>.</summary>
    [Column("status", "", "`complete`; `interrupted`: ended early, in order; `skipped`: the power setting could not be made; "
        + "`incomplete`: it goes on, or was killed", Heading = "status")]
    public required string Status { get; init; }

    [Column("timestamp_utc", "", "when the run began", IsOfOneRun = true)] public string? TimestampUtc { get; init; }
    [Column("commit", "", "of the program that ran")] public string? Commit { get; init; }
    [Chosen(10)]
    [Column("model", "", "the model's directory, `demo`, or `synthetic:NAME`", "`--model`")] public string? Model { get; init; }
    [Column("parameters_b", "10⁹", "parameters of the model", "its shape")] public double? ParametersBillions { get; init; }
    [Chosen(20)]
    [Column("dtype", "", "of the weights in memory")] public string? Dtype { get; init; }
    [Chosen(25, "KV cache in", Absent = "KV cache as the backend had it")]
    [Column("kv_dtype", "", "of the keys and values in memory", "`--kv-dtype`", Extension = 14)]
    public string? KvDtype
    {
        // Versions that did not write it kept them in float32 on the CPU backend.
        get => field ?? (Backend == "cpu" ? "f32" : null);
        init;
    }

    [Chosen(30)]
    [Column("backend", "", "what computed", "`--backend`")] public string? Backend { get; init; }

    [Column("gpu", "", "the devices' name; without GPUs the processor's", Heading = "device")] public string? Gpu { get; init; }
    [Column("num_gpus", "", "GPUs that were measured, each once")] public int? NumGpus { get; init; }
    [Chosen(100, "nodes")]
    [Column("nodes", "", "machines, by their boot ids")] public int? Nodes { get; init; }
    [Column("ranks", "", "tensor × pipeline × replicas")] public int? Ranks { get; init; }
    [Column("tensor_parallel", "", "ranks that share each layer", "`--tp`", Heading = "tp")] public int? TensorParallel { get; init; }
    [Column("pipeline_parallel", "", "stages that the layers are spread over", "`--pp`", Heading = "pp")]
    public int? PipelineParallel { get; init; }

    [Column("micro_batches", "", "parts of a batch that are in the pipeline at the same time", "`--micro-batches`")]
    public int? MicroBatches { get; init; }

    [Chosen(130, "batch", Figure = "batch", FigureTitle = "batch size")]
    [Column("batch_size", "sequences", "of a static batch, on each replica; empty under continuous batching", "`--batch`",
        Heading = "batch", Axis = "batch size (sequences)")]
    public int? BatchSize
    {
        // Older versions wrote the slots of a replica here under continuous batching.
        get => Concurrency == null ? field : null;
        init;
    }

    [Chosen(140, "concurrency", Figure = "concurrency", FigureTitle = "concurrency")]
    [Column("concurrency", "requests", "in flight at most, over all replicas, under continuous batching; empty with static batches",
        "`--concurrency` × replicas", Heading = "concurrency", Axis = "requests in flight", Extension = 3)]
    public int? Concurrency { get; init; }

    [Chosen(120)]
    [Column("schedule", "", "`static` or `continuous`", "`--schedule`")] public string? Schedule { get; init; }

    [Chosen(150, "requests/s")]
    [Column("request_rate_per_s", "1/s", "mean arrivals: as drawn, or (n − 1) ÷ (last − first) of a file's; empty where all requests "
        + "wait from the start", "`--rate`, `--arrivals`", Extension = 3)]
    public double? RequestRatePerSecond { get; init; }

    [Chosen(152, "burstiness")]
    [Column("burstiness", "", "shape of the gamma distribution of the gaps between arrivals, whose index of dispersion is 1 over it: 1 is "
        + "a Poisson process; empty where arrivals are not drawn", "`--burstiness`", Extension = 13)]
    public double? Burstiness
    {
        // Versions that did not write it drew by a Poisson process alone.
        get => field ?? (RequestRatePerSecond == null || Arrivals != null ? null : 1);
        init;
    }

    [Chosen(154, "arrivals")]
    [Column("arrivals", "", "of the file that says when requests arrive, the first 12 digits of its SHA-256; empty without one. All of "
        + "them are in manifest.json", "`--arrivals`", Extension = 13)]
    public string? Arrivals { get; init; }

    [Chosen(160, "max. new tokens", Figure = "max-length", FigureTitle = "maximum generated length")]
    [Column("max_new_tokens", "tokens", "that a prompt may generate at most", "`--max-new-tokens`", Heading = "max. new tokens",
        Axis = "maximum generated length (tokens)")]
    public int? MaxNewTokens { get; init; }

    [Chosen(170, "input tokens", Absent = "input as it is", Figure = "input-length", FigureTitle = "input length")]
    [Column("fixed_input_tokens", "tokens", "that every prompt was brought to; empty where they were left as they are",
        "`--input-tokens`", Heading = "input tokens", Axis = "input length (tokens)", Extension = 3)]
    public int? FixedInputTokens { get; init; }

    [Chosen(180, "power limit", Unit = " W")]
    [Column("power_limit_w", "W", "set on each device; empty where it was left as it was", "`--power-limits`", Heading = "limit (W)",
        Extension = 1)]
    public double? PowerLimitWatts { get; init; }

    [Chosen(190, "SM clock", Unit = " MHz", Absent = "SM clock not locked")]
    [Column("sm_clock_mhz", "MHz", "to which each device was locked; empty where it was left as it was", "`--sm-clocks`", Extension = 1)]
    public int? SmClockMhz { get; init; }

    [Chosen(50)]
    [Column("dataset", "", "of the prompts", "`--data`", Heading = "data")] public string? Dataset { get; init; }
    [Chosen(60, "task")]
    [Column("task", "", "the form in which prompts were asked: `template` for the checkpoint's chat template, or a task; empty for the "
        + "data set's own", "`--task`")]
    public string? Task { get; init; }

    [Chosen(62, "chat template")]
    [Column("chat_template", "", "of the template that rendered the prompts, the first 12 digits of its SHA-256; all of them, its file and "
        + "the system prompt are in manifest.json", Extension = 12)]
    public string? ChatTemplate { get; init; }

    [Chosen(64, "system prompt")]
    [Column("system_prompt", "", "of the system prompt that the run gave the template, the first 12 digits of the SHA-256 of its UTF-8; "
        + "empty where it gave none", "`--system`", Extension = 12)]
    public string? SystemPrompt { get; init; }

    [Chosen(165, "lengths", Absent = "lengths to the limit")]
    [Column("lengths", "", "what outputs were made as long as: `reference` for the data set's own replies, `arrivals` for what the file of "
        + "arrivals says, of outputs, prompts or both; empty where they end by themselves or at the limit", "`--lengths`, `--arrivals`",
        Extension = 13)]
    public string? Lengths { get; init; }

    [Chosen(66, "turns", Absent = "one turn")]
    [Column("turns", "", "of a conversation that are asked at most, each a row of prompts.csv; empty where only the first is", "`--turns`",
        Extension = 13)]
    public int? Turns { get; init; }

    [Column("num_prompts", "", "of one repeat; with `--turns` the turns of all conversations")] public int? NumPrompts { get; init; }

    [Column("completed", "", "responses of all measured repeats; figures of tokens, words and times are of these", "rows of prompts.csv",
        Heading = "responses")]
    public int? Completed { get; init; }

    [Column("failed", "", "prompts of all measured repeats that were not answered", "rows of prompts.csv")]
    public int? Failed { get; init; }

    [Column("duration_s", "s", "Σ of the measured windows")] public double? DurationSeconds { get; init; }
    [Column("total_input_tokens", "tokens", "of completed prompts", "Σ input_tokens of prompts.csv")]
    public long? TotalInputTokens { get; init; }

    [Column("cached_input_tokens", "tokens", "with `--turns`, of `total_input_tokens` those that were in the cache from the turn before, "
        + "and cost no prefill; empty without", "Σ cached_tokens of prompts.csv", Extension = 13)]
    public long? CachedInputTokens { get; init; }

    [Column("total_output_tokens", "tokens", "of completed prompts", "Σ output_tokens of prompts.csv", Heading = "output tokens")]
    public long? TotalOutputTokens { get; init; }

    [Column("total_output_words", "words", "of completed prompts", "Σ output_words of prompts.csv")]
    public long? TotalOutputWords { get; init; }

    [Column("words_per_s", "words/s", "throughput", "total_output_words ÷ duration_s")] public double? WordsPerSecond { get; init; }
    [Column("tokens_per_s", "tokens/s", "throughput", "total_output_tokens ÷ duration_s", Heading = "output tokens/s")]
    public double? TokensPerSecond { get; init; }

    [Column("responses_per_s", "1/s", "throughput", "completed ÷ duration_s")] public double? ResponsesPerSecond { get; init; }

    [Columns("ttft", PromptTimes.Ttft, "TTFT", Source = PromptTimes.OfTtft)] public Distribution Ttft { get; init; } = new();
    [Columns("tpot", PromptTimes.Tpot, "TPOT", Source = PromptTimes.OfTpot)] public Distribution Tpot { get; init; } = new();
    [Columns("latency", PromptTimes.Latency, "latency", Source = PromptTimes.OfLatency)] public Distribution Latency { get; init; } = new();

    [Columns] public RunJoules Energy { get; init; } = new();

    [Column("accuracy", "", "share of judged responses that are correct", "correct of prompts.csv", Heading = "accuracy")]
    public double? Accuracy { get; init; }

    [Column("energy_per_correct_j", "J", "energy per correct answer: wrong answers cost, too", "total_energy_j ÷ correct answers",
        Heading = "J/correct")]
    public double? EnergyPerCorrectJoules { get; init; }

    [Column("energy_source", "", "what the joules come from, as in `nvml_counter`; several joined by `+`")]
    public string? EnergySource { get; init; }

    [Column("valid", "", "whether the energy is to be believed; false unless everything was checked. Times and tokens stand in any case",
        Heading = "energy", IsOfOneRun = true)]
    public bool Valid { get; init; }

    [Column("invalid_reasons", "", "why not: codes of measurement.md, joined by semicolons", Heading = "reasons", IsOfOneRun = true)]
    public string? InvalidReasons { get; init; }

    [Column("paper_energy_j", "J", "the method of 'From Words to Watts', to set beside ours",
        "integrated power of rank 0's node × number of nodes", Extension = 2)]
    public double? PaperEnergyJoules { get; init; }

    [Columns(Extension = 4)] public SteadyColumns Steady { get; init; } = new();

    [Column("accuracy_low", "", "lower end of the accuracy's 95 % interval; its trials are the distinct prompts, since a repeat of a "
        + "prompt is no trial of its own", "Wilson", Extension = 5)]
    public double? AccuracyLow { get; init; }

    [Column("accuracy_high", "", "upper end of the same interval", "Wilson", Extension = 5)] public double? AccuracyHigh { get; init; }

    [Columns(Extension = 6)] public CarbonColumns Carbon { get; init; } = new();

    [Column("pieces", "", "starts that finished something: 1, or more where a run was cut off and continued", Extension = 7)]
    public int? Pieces { get; init; }

    [Chosen(45, "energy of", Absent = "energy of an unknown scope")]
    [Column("energy_scope", "", "what `total_energy_j` and all figures of energy cover: `gpu`, `module` (a superchip: GPUs, CPU and "
        + "memory), `cpu`, `memory`, `node`, or several joined by `+`. Figures of two scopes are not comparable", Heading = "energy of",
        Extension = 8)]
    public string? EnergyScope
    {
        // Versions that did not write it say it by the source of GPUs' joules.
        get => field ?? EnergyScopes.OfGpuSource(EnergySource);
        init;
    }

    [Columns("itl", PromptTimes.Itl, "ITL", Source = PromptTimes.OfItl, Extension = 10)] public Distribution Itl { get; init; } = new();

    [Columns(Extension = 11)] public GoodputColumns Goodput { get; init; } = new();

    [Column("core_wait_share", "", "of the time in which a rank's threads ran or were ready to run, the share in which they had no core: "
        + "of the rank and measured window where it was largest; times are those of a shared machine, or of ranks with fewer cores than "
        + "threads, where it is much above 0", "the largest of ranks.csv", Extension = 15, IsOfOneRun = true)]
    public double? CoreWaitShare { get; init; }

    /// <summary>Whether the joules of a scope are among the run's own, rather than beside them.</summary>
    public bool IsEnergyOf(EnergyScope scope) => EnergyScope?.Split('+').Contains(EnumWord.Of(scope)) == true;
}
