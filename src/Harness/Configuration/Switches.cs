namespace Harness.Configuration;

/// <summary>One switch that people type daily, and the configuration keys that it sets.</summary>
/// <param name="Value">What stands after it in the help; empty for a switch that stands alone.</param>
public sealed record Switch(string Name, string Value, string Help, params string[] Keys)
{
    /// <summary>Switches of every verb that loads a model.</summary>
    public static readonly Switch[] Model =
    [
        new("--model", "DIR", "Hugging Face checkpoint directory, or synthetic:NAME (random weights of a published shape); default: the demo model", "Model:Path"),
        new("--dtype", "TYPE", "weights as f32, bf16 or f16; default: as stored", "Model:Dtype"),
        new("--tokenizer", "DIR", "take the tokenizer from here instead of the checkpoint", "Model:Tokenizer"),
        new("--tokenizer-library", "NAME", "own, or ml: Microsoft.ML.Tokenizers", "Model:TokenizerLibrary"),
        new("--tp", "N", "tensor-parallel degree", "Sharding:Tensor"),
        new("--pp", "N", "pipeline stages", "Sharding:Pipeline"),
        new("--comm-dtype", "TYPE", "activations travel between ranks as f32 or bf16", "Sharding:CommDtype"),
        new("--communicator", "NAME", "auto, solo, threads, mpi or mpinet", "Sharding:Communicator"),
        new("--link", "NAME", "tensor transport between ranks: auto, host or nccl", "Sharding:Link"),
        new("--backend", "NAME", "cpu or torch; default: torch where a libtorch loads and sees a CUDA device, else cpu", "Runtime:Backend"),
        new("--libtorch", "DIR", "the lib folder of a libtorch or of an installed PyTorch; default: one beside the program or on LD_LIBRARY_PATH", "Runtime:LibTorch"),
        new("--threads", "N", "worker threads per rank; default: this rank's share of the cores", "Runtime:Threads"),
    ];

    /// <summary>Switches of <c>harness run</c> alone.</summary>
    public static readonly Switch[] Run =
    [
        new("--data", "PATH", "data set file, or the directory that holds it", "Dataset:Path"),
        new("--dataset", "NAME", "demo, alpaca, gsm8k, sharegpt or jsonl; default: told from the file", "Dataset:Name"),
        new("--limit", "N", "at most N prompts", "Dataset:Limit"),
        new("--shots", "N", "worked examples before each GSM8K question", "Dataset:Shots"),
        new("--task", "NAME", "ask as chat, chat-concise, instruct or instruct-concise; default: as the data set renders its prompts", "Dataset:Task"),
        new("--input-tokens", "N", "cut or repeat every prompt to exactly N tokens", "Dataset:InputTokens"),
        new("--batch", "N", "prompts per batch", "Batch:Size"),
        new("--schedule", "NAME", "static, or continuous: a finished sequence's slot is refilled at once", "Batch:Schedule"),
        new("--concurrency", "N", "requests in flight per replica, under continuous batching; default: --batch", "Batch:Concurrency"),
        new("--rate", "R", "requests per second that arrive by a Poisson process, under continuous batching", "Batch:Rate"),
        new("--dp", "N", "data-parallel replicas, each with its own prompts", "Sharding:Data"),
        new("--micro-batches", "N", "parts of a batch in the pipeline at a time; default: one per stage", "Sharding:MicroBatches"),
        new("--max-new-tokens", "N", "output tokens per prompt, at most", "Generation:MaxNewTokens"),
        new("--max-length", "N", "prompt plus output, at most; default: the model's limit", "Generation:MaxLength"),
        new("--ignore-eos", "", "generate on after end-of-text", "Generation:IgnoreEos"),
        new("--lengths", "NAME", "limit, or reference: exactly as many tokens as the data set's own reply has", "Generation:Lengths"),
        new("--temperature", "T", "0 takes the likeliest token (default)", "Generation:Temperature"),
        new("--top-k", "K", "draw among the K likeliest tokens; 0: no limit", "Generation:TopK"),
        new("--top-p", "P", "draw among the likeliest tokens that hold probability P", "Generation:TopP"),
        new("--repetition-penalty", "R", "divide the logits of seen tokens by R", "Generation:RepetitionPenalty"),
        new("--seed", "N", "of the prompts' order and of the draws; default: file order, draws from 0", "Dataset:Seed", "Generation:Seed"),
        new("--meter", "NAME", "auto, none, nvml, rapl, replay:FILE or command:PROGRAM; several with commas", "Energy:Meter"),
        new("--sample-interval", "TIME", "between energy samples, such as 100ms", "Energy:SampleInterval"),
        new("--idle-baseline", "TIME", "how long the idle devices are watched first, such as 10s", "Energy:IdleBaseline"),
        new("--power-limits", "W,W", "board power limits to sweep, in watts", "Energy:PowerLimits"),
        new("--sm-clocks", "MHZ,MHZ", "locked SM clocks to sweep, in MHz", "Energy:SmClocks"),
        new("--max-start-temperature", "C", "wait before a repeat until the devices are this cool", "Energy:MaxStartTemperature"),
        new("--cooldown", "TIME", "pause before each repeat", "Energy:Cooldown"),
        new("--repeats", "N", "measured repeats", "Repeats:Count"),
        new("--warmup", "N", "batches thrown away first", "Repeats:Warmup"),
        new("--until-ci", "P%", "repeat until joules per token are known to P percent", "Repeats:UntilCi"),
        new("--max-repeats", "N", "bound of --until-ci", "Repeats:Max"),
        new("--carbon-intensity", "G", "grams of CO2e per kWh, or a file of hourly values: writes the SCI", "Carbon:Intensity"),
        new("--pue", "P", "power usage effectiveness of the data centre", "Carbon:Pue"),
        new("--embodied", "KG", "embodied kg CO2e of one device, its share of the server included", "Carbon:Embodied"),
        new("--lifetime", "YEARS", "over which a device is used", "Carbon:Lifetime"),
        new("--out", "DIR", "run directories are made in here", "Output:Directory"),
        new("--name", "NAME", "the run's name; default: time and model", "Output:Name"),
        new("--fresh", "", "begin anew, where a run that was cut off could be continued", "Output:Fresh"),
    ];

    public static Switch? Of(string key) => Model.Concat(Run).FirstOrDefault(s => s.Keys.Contains(key));
}
