namespace Harness.Configuration;

/// <summary>The whole configuration of a run, one record per section; the defaults are those of <c>harness run</c> without options.</summary>
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
    public CarbonOptions Carbon { get; init; } = new();
    public OutputOptions Output { get; init; } = new();
}

public sealed record ModelOptions
{
    /// <summary>A Hugging Face directory or synthetic:NAME; empty for the demo checkpoint.</summary>
    public string Path { get; init; } = "";
    internal string EffectivePath => Path.Length > 0 ? Path : Demo;

    /// <summary>The checkpoint that lies beside the program.</summary>
    internal static string Demo => System.IO.Path.Combine(AppContext.BaseDirectory, "Demo", "model");

    /// <summary>f32, bf16, f16, or auto: as the checkpoint stores them.</summary>
    public string Dtype { get; init; } = "auto";

    /// <summary>A directory with the tokenizer's files; empty for the checkpoint's own.</summary>
    public string Tokenizer { get; init; } = "";

    /// <summary>own, or ml: Microsoft.ML.Tokenizers.</summary>
    public string TokenizerLibrary { get; init; } = "own";
}

public sealed record ShardingOptions
{
    public int Tensor { get; init; } = 1;
    public int Pipeline { get; init; } = 1;
    public int Data { get; init; } = 1;

    /// <summary>Parts of a batch that are in the pipeline at the same time; 0 for as many as stages.</summary>
    public int MicroBatches { get; init; }
    internal int EffectiveMicroBatches => MicroBatches > 0 ? MicroBatches : Pipeline;

    /// <summary>auto, solo, threads, mpi, mpinet.</summary>
    public string Communicator { get; init; } = "auto";

    /// <summary>auto, host, nccl.</summary>
    public string Link { get; init; } = "auto";

    /// <summary>f32 or bf16: activations on the wire.</summary>
    public string CommDtype { get; init; } = "f32";

    /// <summary>
    /// A rank under MPI that has no sign of life for this long, of itself and of each rank that it waits for, takes one for dead and ends the
    /// job; longer than any pass, and than any tensor takes to load.
    /// </summary>
    public string StallLimit { get; init; } = "30min";
}

public sealed record RuntimeOptions
{
    /// <summary>cpu, torch; auto: torch where a libtorch loads and sees a CUDA device, else cpu.</summary>
    public string Backend { get; init; } = "auto";

    /// <summary>The lib folder of a libtorch or of an installed PyTorch; empty: one beside the program or on the linker's path.</summary>
    public string LibTorch { get; init; } = "";

    /// <summary>Worker threads per rank; 0 for this rank's share of the cores.</summary>
    public int Threads { get; init; }
}

public sealed record DatasetOptions
{
    /// <summary>demo, alpaca, gsm8k, sharegpt, jsonl; auto tells it from the file.</summary>
    public string Name { get; init; } = "auto";

    /// <summary>The data set's file, or the directory that holds it.</summary>
    public string Path { get; init; } = "";

    /// <summary>At most this many prompts; 0 for all.</summary>
    public int Limit { get; init; }

    /// <summary>Shuffles before Limit cuts; absent: file order.</summary>
    public long? Seed { get; init; }

    /// <summary>Worked examples put before each GSM8K question.</summary>
    public int Shots { get; init; }

    /// <summary>chat, chat-concise, instruct, instruct-concise; empty: as the data set renders its prompts.</summary>
    public string Task { get; init; } = "";

    /// <summary>Every prompt is brought to this many tokens; 0 leaves them as they are.</summary>
    public int InputTokens { get; init; }
}

public sealed record BatchOptions
{
    public int Size { get; init; } = 8;

    /// <summary>static: a batch ends when its last sequence has; continuous: a finished sequence's slot is refilled at once.</summary>
    public string Schedule { get; init; } = "static";

    /// <summary>Requests in flight at most, per replica, under continuous batching; 0 for Size.</summary>
    public int Concurrency { get; init; }
    internal int EffectiveConcurrency => Concurrency > 0 ? Concurrency : Size;

    /// <summary>Requests per second that arrive by a Poisson process; 0 for the next as soon as one has finished (closed loop).</summary>
    public double Rate { get; init; }
}

public sealed record GenerationOptions
{
    public int MaxNewTokens { get; init; } = 128;

    /// <summary>Prompt and output together; 0 for the model's own limit.</summary>
    public int MaxLength { get; init; }
    public float Temperature { get; init; }
    public int TopK { get; init; }
    public float TopP { get; init; } = 1;
    public float RepetitionPenalty { get; init; } = 1;
    public ulong Seed { get; init; }
    public bool IgnoreEos { get; init; }

    /// <summary>limit: MaxNewTokens bounds the output. reference: exactly as many tokens as the data set's own reply has (MaxNewTokens bounds it, too), end-of-text ignored.</summary>
    public string Lengths { get; init; } = "limit";
}

public sealed record EnergyOptions
{
    /// <summary>auto, none, nvml, rapl, replay:FILE, command:PROGRAM; several with commas.</summary>
    public string Meter { get; init; } = "auto";

    /// <summary>Time between samples: 100ms, 0.1s.</summary>
    public string SampleInterval { get; init; } = "100ms";

    /// <summary>How long the idle devices are watched before the load.</summary>
    public string IdleBaseline { get; init; } = "2s";

    /// <summary>Board power limits in watts, one measured run each: 250,175,150.</summary>
    public string PowerLimits { get; init; } = "";

    /// <summary>Locked SM clocks in MHz, one measured run each.</summary>
    public string SmClocks { get; init; } = "";

    /// <summary>Degrees Celsius above which a measured repeat waits; 0 for no limit.</summary>
    public double MaxStartTemperature { get; init; }

    /// <summary>Pause before each measured repeat.</summary>
    public string Cooldown { get; init; } = "0s";

    /// <summary>The longest wait for MaxStartTemperature; after it the repeat begins all the same, and is not valid.</summary>
    public string CooldownLimit { get; init; } = "10min";
}

public sealed record RepeatsOptions
{
    /// <summary>Batches generated and thrown away first.</summary>
    public int Warmup { get; init; } = 1;
    public int Count { get; init; } = 1;

    /// <summary>Repeat until the 95 % confidence interval of joules per token is within this part of the mean: 2%; empty to repeat Count times.</summary>
    public string UntilCi { get; init; } = "";
    public int Max { get; init; } = 30;
}

public sealed record CarbonOptions
{
    /// <summary>Grams of CO2e per kWh, or a file of hourly values; empty: no carbon figures.</summary>
    public string Intensity { get; init; } = "";

    /// <summary>Power usage effectiveness of the data centre, at least 1; 0: unknown.</summary>
    public double Pue { get; init; }

    /// <summary>Embodied emissions of one device in kg CO2e, its share of the server included (of the node where there are no GPUs); <see cref="NotGiven"/>: unknown.</summary>
    public double Embodied { get; init; } = NotGiven;

    /// <summary>Where 0 is a value that a person may give.</summary>
    public const double NotGiven = -1;

    /// <summary>Years over which a device is used.</summary>
    public double Lifetime { get; init; } = 4;
}

public sealed record OutputOptions
{
    /// <summary>Run directories are made in here.</summary>
    public string Directory { get; init; } = "results";

    /// <summary>The run's name; empty for time and model.</summary>
    public string Name { get; init; } = "";

    /// <summary>Begin anew also where a run of the same configuration was cut off and could be continued.</summary>
    public bool Fresh { get; init; }

    /// <summary>Where another run has the name: rename (NAME-2), or refuse (exit code 4).</summary>
    public string IfTaken { get; init; } = "rename";
}
