using System.Text;

namespace Harness.Tests.Architecture;

/// <summary>A namespace: what it is for, in the words of docs/architecture.md.</summary>
internal sealed record Room(string Namespace, string Holds)
{
    /// <summary>The assembly that it is in, by its folder below src.</summary>
    public string Library => Namespace.Split('.') switch
    {
        [_, "Models", "Llama", ..] => "Models/Llama",
        [_, var name, ..] when s_libraries.Contains(name) => name,
        _ => "Harness",
    };

    /// <summary>Beside the executable, in the order of their references.</summary>
    private static readonly string[] s_libraries =
        ["Common", "Tensors", "Sharding", "Energy", "Runs", "Reports", "Datasets", "TorchSharp", "MpiNet", "MLTokenizers"];
}

/// <summary>The rooms of the house from the ground up: each makes use of rooms before it alone.</summary>
internal static class Rooms
{
    public static readonly IReadOnlyList<Room> All =
    [
        new("Harness.Common", "what every part may use: the user's error, files that are whole or not there, CSV, JSON, units, seeds"),
        new("Harness.Tensors", "`ITensorBackend`, the whole tensor seam"),
        new("Harness.Tensors.Cpu", "the managed SIMD backend: kernels, arena, worker team"),
        new("Harness.Sharding", "process grid, shard plan, `ICommunicator`, `ITensorLink`: what ranks are"),
        new("Harness.Sharding.Waits", "how a rank waits, with a core of its own and without"),
        new("Harness.Sharding.Communicators", "one rank, and ranks that are threads"),
        new("Harness.Sharding.Links", "tensors between ranks through host memory"),
        new("Harness.Sharding.Launch", "who started this process; checks before a run, last acts and the watchdog of one that fails"),
        new("Harness.Sharding.Mpi", "libmpi, for the ABI of Open MPI and that of MPICH"),
        new("Harness.Sharding.World", "which of these brings the ranks together"),
        new("Harness.Models.Llama.Configuration", "what config.json says, and every key that the reference reads"),
        new("Harness.Models.Llama.Checkpoints", "headers and slices of weights"),
        new("Harness.Models.Llama", "the forward pass: a block, and the stage that holds some of them"),
        new("Harness.Models.Llama.Generation", "sequences, schedules, sampling: from prompts to tokens"),
        new("Harness.Models.Llama.Tokenizers", "text to ids and back"),
        new("Harness.Models.Llama.Templates", "chat templates: jinja2's language as transformers sets it up, bounded in work and depth"),
        new("Harness.Energy", "domains, readings, the meter seam"),
        new("Harness.Energy.Clocks", "one rank's clock against another's"),
        new("Harness.Energy.Sampling", "the thread that reads a meter, and what its sensors can resolve"),
        new("Harness.Energy.Accounting",
            "from samples, windows and steps to joules of devices, windows and prompts, and whether they may be believed"),
        new("Harness.Energy.Records", "power.csv, windows.jsonl and phases.csv"),
        new("Harness.Energy.Recordings", "what other programs recorded of devices, and the windows of their benchmarks"),
        new("Harness.Energy.Statistics", "intervals of repeats, and when they are narrow enough"),
        new("Harness.Energy.Nvml", "NVIDIA's library, bound when the program runs"),
        new("Harness.Energy.AmdSmi", "AMD's library, bound when the program runs, and its driver's files"),
        new("Harness.Energy.Meters", "each meter, and the choice among them"),
        new("Harness.Energy.Control", "power limits and clocks, and how they are put back"),
        new("Harness.Runs.Records", "the rows of a run's files and how they follow from each other"),
        new("Harness.Runs", "the run directory: its files, lease, writer and reader"),
        new("Harness.Runs.Accounting", "the figures of a run that took several starts"),
        new("Harness.Runs.Pieces", "what a start leaves for the next one"),
        new("Harness.Runs.Carbon", "from joules to the software carbon intensity"),
        new("Harness.Runs.Verifying", "every figure computed again from the raw files"),
        new("Harness.Reports.Auditing", "recordings of others, judged as runs are"),
        new("Harness.Reports.Collecting", "many runs as one table"),
        new("Harness.Reports.Exporting", "many runs in other tools' formats"),
        new("Harness.Reports.Publishing", "many runs as a page, a Markdown table and figures"),
        new("Harness.TorchSharp.Loading", "libtorch and the CUDA driver, found and explained"),
        new("Harness.TorchSharp.Nccl", "NCCL, bound when the program runs"),
        new("Harness.TorchSharp", "the backend on libtorch, and its links over NCCL"),
        new("Harness.MpiNet", "MPI.NET behind the communicator seam"),
        new("Harness.MLTokenizers", "Microsoft.ML.Tokenizers behind the tokenizer seam"),
        new("Harness.Datasets.Files", "records of JSON, JSON lines and Parquet, packed or not"),
        new("Harness.Datasets", "prompts of Alpaca, GSM8K, ShareGPT, JSON lines, and the demo; when they arrive"),
        new("Harness.Configuration",
            "the table of settings, and one tree of their values from defaults, file, environment and command line"),
        new("Harness.Reporting", "standard streams, exit codes, progress, the first answers and the summary table"),
        new("Harness.Seams", "which implementation of a seam a word on the command line names"),
        new("Harness.Planning", "which layouts fit the devices, and how fast they can be, before anything is loaded"),
        new("Harness.Running", "what a rank does from launch to its last barrier"),
        new("Harness.Sweeping", "a grid's cells, one run each: names, what fits, what is done, children and Slurm arrays"),
        new("Harness.Diagnosing", "what this build and this machine can do"),
        new("Harness.Verbs", "each verb of the command line"),
        new("Harness", "Program.cs, the table of contents"),
    ];

    /// <summary>The picture and the table of docs/architecture.md.</summary>
    public static string Markdown()
    {
        var library = All.ToDictionary(room => room.Namespace, room => room.Library);
        var arrows = SourceTree.Uses().Select(use => (From: library[use.From], To: library[use.To])).Where(arrow => arrow.From != arrow.To)
            .ToHashSet();
        var order = All.Select(room => room.Library).Distinct().ToList();
        var text = new StringBuilder("```mermaid\nflowchart BT\n");
        foreach (var from in order)
            foreach (var to in order.Where(to => arrows.Contains((from, to)) && !IsImplied(from, to)))
                text.Append($"  {Node(from)} --> {Node(to)}\n");
        text.Append("```\n\n| namespace | holds |\n|---|---|\n");
        foreach (var room in All) text.Append($"| `{room.Namespace}` | {room.Holds} |\n");
        return text.ToString();

        // An arrow that a way over others says already is left out of the picture.
        bool IsImplied(string from, string to) => order.Any(over => over != to && arrows.Contains((from, over)) && Reaches(over, to));
        bool Reaches(string from, string to) =>
            arrows.Contains((from, to)) || order.Any(over => arrows.Contains((from, over)) && Reaches(over, to));
        static string Node(string name) => $"{name.Replace('/', '_')}[\"src/{name}\"]";
    }
}
