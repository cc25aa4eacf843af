using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Harness.Runs;

namespace Harness.Tests.Slurm;

/// <summary>A shipped job script as a user submits it: copied, its three lines changed, nothing else.</summary>
internal sealed partial class SlurmJob
{
    /// <summary>No job here computes for longer; one that is not done by then hangs.</summary>
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(3);

    private readonly SlurmCluster _cluster;
    private readonly string _script;

    public string Id { get; }

    /// <summary>Where it was submitted.</summary>
    public string Directory { get; }

    private SlurmJob(SlurmCluster cluster, string id, string directory, string script) =>
        (_cluster, Id, Directory, _script) = (cluster, id, directory, script);

    /// <summary>What the changed script asks for.</summary>
    /// <param name="Nodes">Nodes, and ranks on each of them.</param>
    internal sealed record Request(string Script, int Nodes, int RanksPerNode)
    {
        /// <summary>One per rank, or none.</summary>
        public bool Gpus { get; init; } = true;

        public string Model { get; init; } = Path.Combine(Path.GetDirectoryName(SlurmCluster.Harness)!, "Demo", "model");
        public string Data { get; init; } = Path.Combine(Path.GetDirectoryName(SlurmCluster.Harness)!, "Demo", "gsm8k.jsonl");

        /// <summary>Of sbatch itself.</summary>
        public string[] Options { get; init; } = [];

        /// <summary>What stands behind the script's name: switches of harness run.</summary>
        public string[] Switches { get; init; } = [];
        public (string, string)[] Environment { get; init; } = [];
    }

    public static SlurmJob Submit(SlurmCluster cluster, string directory, Request request)
    {
        System.IO.Directory.CreateDirectory(directory);
        var script = Path.Combine(directory, request.Script);
        File.WriteAllText(script, Changed(File.ReadAllText(Path.Combine(SharedData.RepositoryRoot, "jobs", request.Script)), request));
        var (code, output) =
            cluster.Run(directory, "sbatch", ["--parsable", .. request.Options, request.Script, .. request.Switches], request.Environment);
        Assert.That(code, Is.Zero, output);
        return new SlurmJob(cluster, output.Trim(), directory, request.Script);
    }

    /// <summary>A script that the program has written, as it is.</summary>
    public static SlurmJob SubmitWritten(SlurmCluster cluster, string directory, string script, params (string, string)[] environment)
    {
        var (code, output) = cluster.Run(directory, "sbatch", ["--parsable", script], environment);
        Assert.That(code, Is.Zero, output);
        return new SlurmJob(cluster, output.Trim(), directory, script);
    }

    /// <summary>The log of the job, or of one task of an array.</summary>
    public string Log(int? task = null)
    {
        var name = Path.GetFileNameWithoutExtension(_script).Replace("-srun", "", StringComparison.Ordinal)
            .Replace("-mpiexec", "", StringComparison.Ordinal);
        var path = Path.Combine(Directory, $"{name}-{Id}{(task is { } number ? $"_{number}" : "")}.log");
        return File.Exists(path) ? File.ReadAllText(path) : $"(no log {path})";
    }

    /// <summary>The run directories that the job made, in the order of their names.</summary>
    public IReadOnlyList<RunReader> Runs => System.IO.Directory.Exists(Results)
        ? [.. System.IO.Directory.GetDirectories(Results, $"*-{Id}*").Order(StringComparer.Ordinal).Select(path => new RunReader(path))]
        : [];

    private string Results => Path.Combine(Directory, "results");

    /// <summary>Waits until the job is over, in whatever way.</summary>
    public End Wait(int? task = null)
    {
        var end = new End("", -1, -1);
        WaitUntil("over", () => (end = Look(task)).State is not ("PENDING" or "CONFIGURING" or "RUNNING" or "COMPLETING"), task);
        return end;
    }

    /// <summary>Waits until results of at least one batch are on the storage.</summary>
    public void WaitForResults() => WaitUntil("producing results", () =>
    {
        Assert.That(Look(null).State, Is.AnyOf("PENDING", "CONFIGURING", "RUNNING"), Log());
        return Runs is [.., var run] && run.HasPrompts && run.Prompts().Any();
    }, null);

    /// <param name="ExitCode">What the script returned.</param>
    /// <param name="Signal">What ended the script; 0 for none.</param>
    internal sealed record End(string State, int ExitCode, int Signal);

    private End Look(int? task)
    {
        var text = _cluster.Must("scontrol", "show", "job", "-o", task == null ? Id : $"{Id}_{task}");
        var state = State().Match(text).Groups[1].Value;
        var exit = Exit().Match(text);
        return new(state, Number(exit.Groups[1]), Number(exit.Groups[2]));

        static int Number(Group group) => int.Parse(group.Value, CultureInfo.InvariantCulture);
    }

    private void WaitUntil(string what, Func<bool> reached, int? task)
    {
        var clock = Stopwatch.StartNew();
        while (!reached())
        {
            if (clock.Elapsed > s_limit)
            {
                var queue = _cluster.Must("squeue", "-o", "%i %T %M %N %R");
                _cluster.Must("scancel", Id);
                Assert.Fail($"job {Id} ({_script}) is not {what} after {s_limit.TotalSeconds} s:\n{queue}\n{Log(task)}");
            }
            Thread.Sleep(250);
        }
    }

    /// <summary>The three lines between the rulers, each of which must be there exactly once.</summary>
    private static string Changed(string script, Request request)
    {
        var block = script.Split("# ====");
        Assert.That(block, Has.Length.EqualTo(3), "one block of lines to change");
        block[1] = Replace(block[1], @"^#SBATCH --nodes=.*$",
            $"#SBATCH --nodes={request.Nodes} "
            + $"--ntasks-per-node={request.RanksPerNode}{(request.Gpus ? $" --gpus-per-node={request.RanksPerNode}" : "")}");
        block[1] = Replace(block[1], @"^MODEL=.*$", $"MODEL={request.Model}");
        block[1] = Replace(block[1], @"^DATA=.*$", $"DATA={request.Data}");
        return string.Join("# ====", block);

        static string Replace(string text, string pattern, string line)
        {
            Assert.That(Regex.Count(text, pattern, RegexOptions.Multiline), Is.EqualTo(1), pattern);
            return Regex.Replace(text, pattern, line.Replace("$", "$$", StringComparison.Ordinal), RegexOptions.Multiline);
        }
    }

    [GeneratedRegex(@"\bJobState=(\w+)")]
    private static partial Regex State();

    [GeneratedRegex(@"\bExitCode=(\d+):(\d+)")]
    private static partial Regex Exit();
}
