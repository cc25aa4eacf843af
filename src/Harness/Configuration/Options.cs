using Harness.Common;
using Harness.Datasets;
using Harness.Energy.Meters;
using Harness.Runs;
using Harness.Runs.Records;
using Harness.Sharding.World;
using Harness.Tensors;

namespace Harness.Configuration;

/// <summary>
/// The whole configuration of a run, one record per section; the defaults are those of <c>harness run</c> without options. What a
/// property means and takes stands in its row.
/// </summary>
public sealed record RunOptions
{
    public ModelOptions Model { get; init; } = new();
    public ShardingOptions Sharding { get; init; } = new();
    public RuntimeOptions Runtime { get; init; } = new();
    public DatasetOptions Dataset { get; init; } = new();
    public BatchOptions Batch { get; init; } = new();
    public GenerationOptions Generation { get; init; } = new();
    public EnergyOptions Energy { get; init; } = new();
    public RepeatsOptions Repeats { get; init; } = new();
    public GoodputOptions Goodput { get; init; } = new();
    public CarbonOptions Carbon { get; init; } = new();
    public OutputOptions Output { get; init; } = new();
}

/// <summary>Who makes tokenizers.</summary>
public enum TokenizerLibrary
{
    Own,

    /// <summary>Microsoft.ML.Tokenizers.</summary>
    Ml,
}

public sealed record ModelOptions
{
    public string Path { get; init; } = "";
    internal string EffectivePath => Path.Length > 0 ? Path : Demo;

    /// <summary>The checkpoint that lies beside the program.</summary>
    internal static string Demo => System.IO.Path.Combine(AppContext.BaseDirectory, "Demo", "model");

    /// <summary>Null: as the checkpoint stores them.</summary>
    public DType? Dtype { get; init; }

    /// <summary>Null: as the backend keeps them.</summary>
    public DType? KvDtype { get; init; }
    public string Tokenizer { get; init; } = "";
    public TokenizerLibrary TokenizerLibrary { get; init; }
    public bool VerifyWeights { get; init; }

    /// <summary>Part of a model's path that says which it is; demo where there is none.</summary>
    internal static string ShortName(string path) => path.Length == 0 ? "demo" : PlainName.Of(PlainName.LastPart(path));

    internal static IEnumerable<Setting> Rows =>
    [
        new Setting<string>(options => options.Model.Path, Kinds.Path)
        {
            Meaning = "Hugging Face checkpoint directory, or synthetic:NAME (random weights of a published shape); default: the demo model",
            Switch = ("--model", "DIR"), Scope = Scope.Model, InCellNames = (10, ""), Shown = ShortName,
        },
        new Setting<DType?>(options => options.Model.Dtype, Kinds.OrNone("auto", Kinds.Weights))
        {
            Meaning = "weights as f32, bf16, f16 or int8 (groups of 32 with a scale; --backend cpu); default: as stored",
            Switch = ("--dtype", "TYPE"), Scope = Scope.Model, InCellNames = (20, ""),
        },
        new Setting<DType?>(options => options.Model.KvDtype, Kinds.OrNone("auto", Kinds.OneOf(DType.F32, DType.BF16, DType.F16)))
        {
            Meaning = "keys and values in the cache as f32, bf16 or f16, to which they are rounded; default: f32 on cpu, and on torch the "
                + "type of its activations, which has no other",
            Switch = ("--kv-dtype", "TYPE"), Scope = Scope.Model, InCellNames = (25, "kv-"),
        },
        new Setting<string>(options => options.Model.Tokenizer, Kinds.Path)
        {
            Meaning = "take the tokenizer from here instead of the checkpoint",
            Switch = ("--tokenizer", "DIR"), Scope = Scope.Model, InCellNames = (30, "tok-"), Shown = Settings.Stem,
        },
        new Setting<TokenizerLibrary>(options => options.Model.TokenizerLibrary, Kinds.Word<TokenizerLibrary>())
        {
            Meaning = "own, or ml: Microsoft.ML.Tokenizers",
            Switch = ("--tokenizer-library", "NAME"), Scope = Scope.Model,
        },
        new Setting<bool>(options => options.Model.VerifyWeights, Kinds.Flag)
        {
            Meaning = "read all weights once on every node before the run, and compare them between nodes and with the checksums that "
                + "came with them",
            Switch = ("--verify-weights", ""), Scope = Scope.Model,
        },
    ];
}

/// <summary>How tensors travel between ranks.</summary>
public enum LinkKind
{
    Auto,

    /// <summary>Through host memory.</summary>
    Host,
    Nccl,
}

public sealed record ShardingOptions
{
    public int Tensor { get; init; } = 1;
    public int Pipeline { get; init; } = 1;
    public int Data { get; init; } = 1;
    public int MicroBatches { get; init; }
    internal int EffectiveMicroBatches => MicroBatches > 0 ? MicroBatches : Pipeline;
    public CommunicatorKind Communicator { get; init; }
    public LinkKind Link { get; init; }
    public DType CommDtype { get; init; }
    public TimeSpan StallLimit { get; init; } = TimeSpan.FromMinutes(30);

    internal static IEnumerable<Setting> Rows =>
    [
        new Setting<int>(options => options.Sharding.Tensor, Kinds.Whole(1))
        {
            Meaning = "tensor-parallel degree",
            Switch = ("--tp", "N"), Scope = Scope.Model, InCellNames = (50, "tp"),
        },
        new Setting<int>(options => options.Sharding.Pipeline, Kinds.Whole(1))
        {
            Meaning = "pipeline stages",
            Switch = ("--pp", "N"), Scope = Scope.Model, InCellNames = (60, "pp"),
        },
        new Setting<int>(options => options.Sharding.Data, Kinds.Whole(1))
        {
            Meaning = "data-parallel replicas, each with its own prompts",
            Switch = ("--dp", "N"), InCellNames = (70, "dp"),
        },
        new Setting<int>(options => options.Sharding.MicroBatches, Kinds.Whole(0))
        {
            Meaning = "parts of a batch in the pipeline at a time; default: one per stage",
            Switch = ("--micro-batches", "N"), InCellNames = (80, "mb"),
        },
        new Setting<CommunicatorKind>(options => options.Sharding.Communicator, Kinds.Word<CommunicatorKind>())
        {
            Meaning = "auto, solo, threads, mpi or mpinet",
            Switch = ("--communicator", "NAME"), Scope = Scope.Model, InCellNames = (90, ""),
        },
        new Setting<LinkKind>(options => options.Sharding.Link, Kinds.Word<LinkKind>())
        {
            Meaning = "tensor transport between ranks: auto, host or nccl",
            Switch = ("--link", "NAME"), Scope = Scope.Model, InCellNames = (100, "link-"),
        },
        new Setting<DType>(options => options.Sharding.CommDtype, Kinds.OneOf(DType.F32, DType.BF16))
        {
            Meaning = "activations travel between ranks as f32 or bf16",
            Switch = ("--comm-dtype", "TYPE"), Scope = Scope.Model, InCellNames = (110, "comm-"),
        },
        // A timer takes 2³² - 2 ms at most, and the watchdog looks four times in this.
        new Setting<TimeSpan>(options => options.Sharding.StallLimit, Kinds.Time("1s", "43200min"))
        {
            Meaning = "a rank under MPI that has no sign of life for this long, of itself and of each rank that it waits for, takes one "
                + "for "
                + "dead and ends the job; longer than any pass, and than any tensor takes to load",
        },
    ];
}

/// <summary>What computes.</summary>
public enum BackendKind
{
    /// <summary>Torch where a libtorch loads and sees a CUDA device, else the CPU backend.</summary>
    Auto,
    Cpu,
    Torch,
}

public sealed record RuntimeOptions
{
    public BackendKind Backend { get; init; }
    public string LibTorch { get; init; } = "";
    public int Threads { get; init; }

    internal static IEnumerable<Setting> Rows =>
    [
        new Setting<BackendKind>(options => options.Runtime.Backend, Kinds.Word<BackendKind>())
        {
            Meaning = "cpu or torch; default: torch where a libtorch loads and sees a CUDA device, else cpu",
            Switch = ("--backend", "NAME"), Scope = Scope.Model, InCellNames = (40, ""),
        },
        new Setting<string>(options => options.Runtime.LibTorch, Kinds.Path)
        {
            Meaning = "the lib folder of a libtorch or of an installed PyTorch; default: one beside the program or on LD_LIBRARY_PATH",
            Switch = ("--libtorch", "DIR"), Scope = Scope.Model,
        },
        new Setting<int>(options => options.Runtime.Threads, Kinds.Whole(0, 4096))
        {
            Meaning = "worker threads per rank; default: this rank's share of the cores",
            Switch = ("--threads", "N"), Scope = Scope.Model, InCellNames = (120, "thr"),
        },
    ];
}

public sealed record DatasetOptions
{
    /// <summary>Null: told from the file.</summary>
    public string? Name { get; init; }
    public string Path { get; init; } = "";

    /// <summary>0: all.</summary>
    public int Limit { get; init; }

    /// <summary>Null: file order.</summary>
    public long? Seed { get; init; }
    public int Shots { get; init; }

    /// <summary>Null: by the checkpoint's chat template where it has one and the prompts are questions, else as the data set renders
    /// them.</summary>
    public string? Task { get; init; }

    /// <summary>Empty: what the template and the conversations say.</summary>
    public string System { get; init; } = "";

    /// <summary>0: as they are.</summary>
    public int InputTokens { get; init; }

    /// <summary>Of a conversation that are asked, at most.</summary>
    public int Turns { get; init; } = 1;

    internal static IEnumerable<Setting> Rows =>
    [
        new Setting<string?>(options => options.Dataset.Name,
            Kinds.OrNone("auto", Kinds.Checked($"one of {DatasetCatalog.KnownNames}", (text, _) => DatasetCatalog.CheckName(text))))
        {
            Meaning = "demo, alpaca, gsm8k, sharegpt or jsonl; default: told from the file",
            Switch = ("--dataset", "NAME"), InCellNames = (250, ""),
        },
        new Setting<string>(options => options.Dataset.Path, Kinds.Path)
        {
            Meaning = "data set file, or the directory that holds it",
            Switch = ("--data", "PATH"), InCellNames = (260, ""), Shown = Settings.Stem,
        },
        new Setting<int>(options => options.Dataset.Limit, Kinds.Whole(0))
        {
            Meaning = "at most N prompts; 0: all",
            Switch = ("--limit", "N"), InCellNames = (270, "n"),
        },
        new Setting<long?>(options => options.Dataset.Seed, Kinds.SeedOrNone)
        {
            Meaning = "of the prompts' order, which is drawn before --limit cuts (default: file order)",
            Switch = ("--seed", "N"), InCellNames = (290, "order"),
        },
        new Setting<int>(options => options.Dataset.Shots, Kinds.Whole(0))
        {
            Meaning = "worked examples before each GSM8K question",
            Switch = ("--shots", "N"), InCellNames = (280, "shots"),
        },
        new Setting<string?>(options => options.Dataset.Task, Kinds.OrNone("", Kinds.Checked($"one of {PromptTask.Known}", (text, row) =>
        {
            if (!PromptTask.IsKnown(text)) throw row.Wrong(text, $"one of {PromptTask.Known}");
        })))
        {
            Meaning = "ask by the checkpoint's chat template (template), as the data set renders its prompts (plain), or as chat, "
                + "chat-concise, instruct or instruct-concise; default: template for questions where the checkpoint has one, else plain",
            Switch = ("--task", "NAME"), InCellNames = (300, ""),
        },
        new Setting<string>(options => options.Dataset.System, Kinds.Text)
        {
            Meaning = "system prompt that the checkpoint's chat template renders in front of every conversation",
            Switch = ("--system", "TEXT"), InCellNames = (310, "system-"),
        },
        new Setting<int>(options => options.Dataset.InputTokens, Kinds.Whole(0))
        {
            Meaning = "cut or repeat every prompt to exactly N tokens; 0: as they are",
            Switch = ("--input-tokens", "N"), InCellNames = (180, "in"),
        },
        new Setting<int>(options => options.Dataset.Turns, Kinds.Whole(1))
        {
            Meaning = "turns of a ShareGPT conversation that are asked, each behind the model's answer to the one before; default: the "
                + "first",
            Switch = ("--turns", "N"), InCellNames = (185, "turns"),
        },
    ];
}

/// <summary>When a sequence begins.</summary>
public enum ScheduleKind
{
    /// <summary>With its batch, which ends when its last sequence has.</summary>
    Static,

    /// <summary>As soon as another has finished.</summary>
    Continuous,
}

public sealed record BatchOptions
{
    public int Size { get; init; } = 8;
    public ScheduleKind Schedule { get; init; }
    public int Concurrency { get; init; }
    internal int EffectiveConcurrency => Concurrency > 0 ? Concurrency : Size;

    /// <summary>Per second; 0: the next as soon as one has finished (closed loop).</summary>
    public double Rate { get; init; }

    /// <summary>Shape of the gamma distribution of the gaps between arrivals.</summary>
    public double Burstiness { get; init; } = 1;

    /// <summary>A file of times; empty: they are drawn, or all requests wait from the start.</summary>
    public string Arrivals { get; init; } = "";

    internal static IEnumerable<Setting> Rows =>
    [
        new Setting<int>(options => options.Batch.Size, Kinds.Whole(1))
        {
            Meaning = "prompts per batch",
            Switch = ("--batch", "N"), InCellNames = (130, "b"),
        },
        new Setting<ScheduleKind>(options => options.Batch.Schedule, Kinds.Word<ScheduleKind>())
        {
            Meaning = "static, or continuous: a finished sequence's slot is refilled at once",
            Switch = ("--schedule", "NAME"), InCellNames = (140, ""),
        },
        new Setting<int>(options => options.Batch.Concurrency, Kinds.Whole(0))
        {
            Meaning = "requests in flight per replica, under continuous batching; default: --batch",
            Switch = ("--concurrency", "N"), InCellNames = (150, "c"),
        },
        new Setting<double>(options => options.Batch.Rate, Kinds.Number(0, 1e6))
        {
            Meaning = "requests per second that arrive by themselves, under continuous batching, by a Poisson process unless --burstiness "
                + "says otherwise; 0: the next as soon as one has finished",
            Switch = ("--rate", "R"), InCellNames = (160, "rate"),
        },
        new Setting<double>(options => options.Batch.Burstiness, Kinds.Number(0.001, 1e6))
        {
            Meaning = "shape of the gamma distribution of the gaps between requests: 1 (default) is a Poisson process, less comes in "
                + "bursts, more is more even",
            Switch = ("--burstiness", "B"), InCellNames = (162, "burst"),
        },
        new Setting<string>(options => options.Batch.Arrivals, Kinds.Path)
        {
            Meaning = "CSV file that says when requests arrive, and how long they are where it says that: columns TIMESTAMP, "
                + "ContextTokens, GeneratedTokens as in the Azure LLM inference traces, or arrival_s, input_tokens, output_tokens; --rate "
                + "stretches its times",
            Switch = ("--arrivals", "FILE"), InCellNames = (164, "at-"), Shown = Settings.Stem,
        },
    ];
}

/// <summary>What bounds an output.</summary>
public enum OutputLengths
{
    /// <summary>The most new tokens.</summary>
    Limit,

    /// <summary>The length of the data set's own reply, and the most new tokens; end-of-text does not.</summary>
    Reference,
}

public sealed record GenerationOptions
{
    public int MaxNewTokens { get; init; } = 128;

    /// <summary>0: the model's own limit.</summary>
    public int MaxLength { get; init; }
    public float Temperature { get; init; }
    public int TopK { get; init; }
    public float TopP { get; init; } = 1;
    public float RepetitionPenalty { get; init; } = 1;
    public ulong Seed { get; init; }
    public bool IgnoreEos { get; init; }

    /// <summary>Null: as the file of <c>--arrivals</c> says, else the limit.</summary>
    public OutputLengths? Lengths { get; init; }

    internal static IEnumerable<Setting> Rows =>
    [
        new Setting<int>(options => options.Generation.MaxNewTokens, Kinds.Whole(1))
        {
            Meaning = "output tokens per prompt, at most",
            Switch = ("--max-new-tokens", "N"), InCellNames = (190, "new"),
        },
        new Setting<int>(options => options.Generation.MaxLength, Kinds.Whole(0))
        {
            Meaning = "prompt plus output, at most; default: the model's limit",
            Switch = ("--max-length", "N"), InCellNames = (170, "len"),
        },
        new Setting<float>(options => options.Generation.Temperature, Kinds.Number(0f, 100))
        {
            Meaning = "0 takes the likeliest token (default)",
            Switch = ("--temperature", "T"), InCellNames = (200, "temp"),
        },
        new Setting<int>(options => options.Generation.TopK, Kinds.Whole(0))
        {
            Meaning = "draw among the K likeliest tokens; 0: no limit",
            Switch = ("--top-k", "K"), InCellNames = (210, "topk"),
        },
        new Setting<float>(options => options.Generation.TopP,
            Kinds.Number<float>("a number above 0 and up to 1", share => share is > 0 and <= 1))
        {
            Meaning = "draw among the likeliest tokens that hold probability P",
            Switch = ("--top-p", "P"), InCellNames = (220, "topp"),
        },
        new Setting<float>(options => options.Generation.RepetitionPenalty,
            Kinds.Number<float>("a number above 0", penalty => penalty is > 0 and < float.PositiveInfinity))
        {
            Meaning = "divide the logits of seen tokens by R",
            Switch = ("--repetition-penalty", "R"), InCellNames = (230, "rep"),
        },
        new Setting<ulong>(options => options.Generation.Seed, Kinds.Seed)
        {
            Meaning = "of the draws (default: 0)",
            Switch = ("--seed", "N"), InCellNames = (240, "seed"),
        },
        new Setting<bool>(options => options.Generation.IgnoreEos, Kinds.Flag)
        {
            Meaning = "generate on after end-of-text",
            Switch = ("--ignore-eos", ""),
        },
        new Setting<OutputLengths?>(options => options.Generation.Lengths, Kinds.OrNone("auto", Kinds.Word<OutputLengths>()))
        {
            Meaning = "limit, or reference: exactly as many tokens as the data set's own reply has; default: what the file of --arrivals "
                + "says, where it has lengths, else limit",
            Switch = ("--lengths", "NAME"),
        },
    ];
}

public sealed record EnergyOptions
{
    /// <summary>Null: what suits the backend.</summary>
    public string? Meter { get; init; }
    public TimeSpan SampleInterval { get; init; } = TimeSpan.FromMilliseconds(100);
    public TimeSpan IdleBaseline { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Watts, one measured run each.</summary>
    public ValueList<double> PowerLimits { get; init; } = new();

    /// <summary>MHz, one measured run each.</summary>
    public ValueList<int> SmClocks { get; init; } = new();

    /// <summary>Degrees Celsius; 0: no limit.</summary>
    public double MaxStartTemperature { get; init; }
    public TimeSpan Cooldown { get; init; }
    public TimeSpan CooldownLimit { get; init; } = TimeSpan.FromMinutes(10);

    internal static IEnumerable<Setting> Rows =>
    [
        new Setting<string?>(options => options.Energy.Meter, Kinds.OrNone("auto", Kinds.Checked(MeterFactory.Usage, (text, row) =>
        {
            if (!MeterFactory.Knows(text)) throw row.Wrong(text, MeterFactory.Usage);
        })))
        {
            Meaning = "auto, none, nvml, amdsmi, host, rapl, perf, craypm, hwmon, replay:FILE or command:PROGRAM; several with commas",
            Switch = ("--meter", "NAME"),
        },
        new Setting<TimeSpan>(options => options.Energy.SampleInterval, Kinds.Time("1ms", "60s"))
        {
            Meaning = "between energy samples, such as 100ms",
            Switch = ("--sample-interval", "TIME"),
        },
        new Setting<TimeSpan>(options => options.Energy.IdleBaseline, Kinds.Time("0s", "1440min"))
        {
            Meaning = "how long the idle devices are watched first, such as 10s",
            Switch = ("--idle-baseline", "TIME"),
        },
        new Setting<ValueList<double>>(options => options.Energy.PowerLimits, Kinds.Numbers<double>())
        {
            Meaning = "board power limits to sweep, in watts",
            Switch = ("--power-limits", "W,W"),
        },
        new Setting<ValueList<int>>(options => options.Energy.SmClocks, Kinds.Numbers<int>())
        {
            Meaning = "locked SM clocks to sweep, in MHz",
            Switch = ("--sm-clocks", "MHZ,MHZ"),
        },
        new Setting<double>(options => options.Energy.MaxStartTemperature, Kinds.Number(0.0, 200))
        {
            Meaning = "wait before a repeat until the devices are this cool, in °C; 0: no limit",
            Switch = ("--max-start-temperature", "C"),
        },
        new Setting<TimeSpan>(options => options.Energy.Cooldown, Kinds.Time("0s", "1440min"))
        {
            Meaning = "pause before each repeat",
            Switch = ("--cooldown", "TIME"),
        },
        new Setting<TimeSpan>(options => options.Energy.CooldownLimit, Kinds.Time("0s", "1440min"))
        {
            Meaning = "the longest wait for MaxStartTemperature; after it the repeat begins all the same, and is not valid",
        },
    ];
}

public sealed record RepeatsOptions
{
    public int Warmup { get; init; } = 1;
    public int Count { get; init; } = 1;

    /// <summary>Half width of the interval as a part of the mean; null: <see cref="Count"/> repeats.</summary>
    public double? UntilCi { get; init; }
    public int Max { get; init; } = 30;

    internal static IEnumerable<Setting> Rows =>
    [
        new Setting<int>(options => options.Repeats.Warmup, Kinds.Whole(0))
        {
            Meaning = "batches generated and thrown away first",
            Switch = ("--warmup", "N"),
        },
        new Setting<int>(options => options.Repeats.Count, Kinds.Whole(1))
        {
            Meaning = "measured repeats",
            Switch = ("--repeats", "N"),
        },
        new Setting<double?>(options => options.Repeats.UntilCi, Kinds.Percentage)
        {
            Meaning = "repeat until the 95 % confidence interval of joules per token is within P percent of their mean",
            Switch = ("--until-ci", "P%"),
        },
        new Setting<int>(options => options.Repeats.Max, Kinds.Whole(2))
        {
            Meaning = "bound of --until-ci",
            Switch = ("--max-repeats", "N"),
        },
    ];
}

public sealed record GoodputOptions
{
    public Slo Slo { get; init; } = Slo.None;

    internal static IEnumerable<Setting> Rows =>
    [
        new Setting<Slo>(options => options.Goodput.Slo, Kinds.Objective)
        {
            Meaning = "bounds within which a request is good, such as ttft=200ms,itl=50ms,latency=5s: writes goodput and joules per good "
                + "request",
            Switch = ("--slo", "BOUNDS"), IsOfIdentity = false,
        },
    ];
}

public sealed record CarbonOptions
{
    /// <summary>Empty: no carbon figures.</summary>
    public string Intensity { get; init; } = "";
    public double? Pue { get; init; }

    /// <summary>kg CO2e; of the node where there are no GPUs.</summary>
    public double? Embodied { get; init; }
    public double Lifetime { get; init; } = 4;

    internal static IEnumerable<Setting> Rows =>
    [
        new Setting<string>(options => options.Carbon.Intensity, Kinds.Text)
        {
            Meaning = "grams of CO2e per kWh, or a file of hourly values: writes the SCI",
            Switch = ("--carbon-intensity", "G"), Shown = Settings.Stem,
        },
        new Setting<double?>(options => options.Carbon.Pue, Kinds.NumberOrNone(0, "a number of at least 1", pue => pue is >= 1 and < 10))
        {
            Meaning = "power usage effectiveness of the data centre",
            Switch = ("--pue", "P"),
        },
        new Setting<double?>(options => options.Carbon.Embodied,
            Kinds.NumberOrNone(-1, "kg of CO2e, at least 0", kilograms => kilograms >= 0 && double.IsFinite(kilograms)))
        {
            Meaning = "embodied kg CO2e of one device, its share of the server included; of the node where there are no GPUs",
            Switch = ("--embodied", "KG"),
        },
        new Setting<double>(options => options.Carbon.Lifetime, Kinds.Number<double>("years, above 0", years => years is > 0 and <= 100))
        {
            Meaning = "years over which a device is used",
            Switch = ("--lifetime", "YEARS"),
        },
    ];
}

/// <summary>What becomes of a run whose name another has.</summary>
public enum TakenName
{
    /// <summary>It is called NAME-2.</summary>
    Rename,

    /// <summary>It ends with an exit code of its own.</summary>
    Refuse,
}

public sealed record OutputOptions
{
    public string Directory { get; init; } = "results";

    /// <summary>Empty: time and model.</summary>
    public string Name { get; init; } = "";
    public bool Fresh { get; init; }
    public TakenName IfTaken { get; init; }

    internal static IEnumerable<Setting> Rows =>
    [
        new Setting<string>(options => options.Output.Directory, Kinds.Checked("a directory", (text, row) =>
        {
            if (text.Length == 0) throw row.Wrong(text, "a directory");
        }))
        {
            Meaning = "run directories are made in here",
            Switch = ("--out", "DIR"), IsOfIdentity = false,
        },
        new Setting<string>(options => options.Output.Name, Kinds.Checked("a name without slashes, or empty", (text, _) =>
        {
            if (text.Length > 0) RunName.Checked(text);
        }))
        {
            Meaning = "the run's name; default: time and model",
            Switch = ("--name", "NAME"), IsOfIdentity = false,
        },
        new Setting<bool>(options => options.Output.Fresh, Kinds.Flag)
        {
            Meaning = "begin anew, where a run that was cut off could be continued",
            Switch = ("--fresh", ""), IsOfIdentity = false,
        },
        new Setting<TakenName>(options => options.Output.IfTaken, Kinds.Word<TakenName>())
        {
            Meaning = "where another run has the name: rename (NAME-2), or refuse (exit code 4)", IsOfIdentity = false,
        },
    ];
}
