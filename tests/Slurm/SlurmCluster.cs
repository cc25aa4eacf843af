using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Harness.Tests.Slurm;

/// <summary>
/// A real Slurm of emulated nodes (cluster/start-slurm.sh), and its commands. Where the machine cannot run it, everything
/// that needs it is reported as not run, with the script's reason.
/// </summary>
internal sealed class SlurmCluster : IDisposable
{
    public const int Nodes = 4, GpusPerNode = 4;

    private const int CannotRunHere = 77;

    private static readonly TimeSpan s_commandLimit = TimeSpan.FromMinutes(2);

    /// <summary>munge accepts no directory that is closed to others, as a scratch directory is.</summary>
    private readonly string _state =
        Directory.CreateDirectory(Path.Combine(Path.GetTempPath(), $"harness-slurm-{Guid.NewGuid():N}")).FullName;

    public SlurmCluster()
    {
        try
        {
            var (code, output) =
                Run(null, "bash", [Script("start-slurm.sh"), _state, "--nodes", $"{Nodes}", "--cpus", "4", "--gpus", $"{GpusPerNode}",
                "--subnet", FreeSubnet(), "--port", $"{FreePort()}", "--until-pid", $"{Environment.ProcessId}", .. Shared("--share")]);
            if (code == CannotRunHere) Assert.Ignore($"Slurm tests not run: {output.Trim()}");
            Assert.That(code, Is.Zero, output);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Common to all nodes, as a cluster's project storage.</summary>
    public string Storage => Path.Combine(_state, "shared");

    public static string DotNet => Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", "dotnet"));

    /// <summary>The program that the users' scripts would start.</summary>
    public static string Harness => Path.Combine(AppContext.BaseDirectory, "harness.dll");

    /// <summary>Runs a command where the cluster's users work, in the environment that their jobs will have.</summary>
    /// <param name="directory">Where it runs; null for anywhere.</param>
    public (int ExitCode, string Output) Run(string? directory, string program, IEnumerable<string> arguments,
        params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            WorkingDirectory = directory ?? "/"
        };
        foreach (var name in start.Environment.Keys.Where(IsAnotherJobs).ToArray()) start.Environment.Remove(name);
        foreach (var (name, value) in (IEnumerable<(string, string)>)[.. JobEnvironment, .. environment]) start.Environment[name] = value;
        start.Environment["PATH"] += ":/usr/sbin:/sbin";
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        if (!process.WaitForExit(s_commandLimit))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"{program} {string.Join(' ', arguments)} did not end in {s_commandLimit.TotalSeconds} s");
        }
        return (process.ExitCode, output.Result + errors.Result);
    }

    /// <summary>Runs a command that must succeed, and returns what it said.</summary>
    public string Must(string program, params string[] arguments)
    {
        var (code, output) = Run(null, program, arguments);
        Assert.That(code, Is.Zero, output);
        return output;
    }

    /// <summary>Processes that run on an emulated node, as this machine numbers them: those in its host name's namespace.</summary>
    public IEnumerable<int> ProcessesOn(string node)
    {
        var outer = File.ReadAllText(Path.Combine(_state, "run", $"{node}.pid")).Split(' ')[0];
        var first = File.ReadAllText($"/proc/{outer}/task/{outer}/children").Split(' ')[0];
        var name = HostNameSpace(first);
        return from process in Directory.GetDirectories("/proc").Select(Path.GetFileName)
               where process!.All(char.IsAsciiDigit) && HostNameSpace(process!) == name
               select int.Parse(process!, CultureInfo.InvariantCulture);

        static string? HostNameSpace(string process) => new FileInfo($"/proc/{process}/ns/uts").LinkTarget;
    }

    public void Dispose()
    {
        Run(null, "bash", [Script("stop-slurm.sh"), _state, "--purge", "--quiet"]);
        if (Directory.Exists(_state)) Directory.Delete(_state, recursive: true);
    }

    /// <summary>The emulated nodes share this machine's cores: ranks yield and are bound nowhere. A real node wants neither.</summary>
    private IEnumerable<(string, string)> JobEnvironment =>
    [
        ("SLURM_CONF", Path.Combine(_state, "etc", "slurm.conf")),
        ("HARNESS", $"{DotNet} {Harness}"),
        ("HARNESS_JOBS", Path.Combine(SharedData.RepositoryRoot, "jobs")),
        ("OMPI_MCA_mpi_yield_when_idle", "1"),
        ("OMPI_MCA_hwloc_base_binding_policy", "none"),
        ("OMPI_ALLOW_RUN_AS_ROOT", "1"),
        ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"),
    ];

    private static bool IsAnotherJobs(string name) =>
        new[] { "SLURM_", "SBATCH_", "OMPI_", "PMI_", "PMIX_", "MPI_", "HYDI_", "HARNESS" }.Any(prefix =>
            name.StartsWith(prefix, StringComparison.Ordinal));

    private static string Script(string name) => Path.Combine(SharedData.RepositoryRoot, "tests", "Slurm", "cluster", name);

    /// <summary>Each node has a /tmp of its own; what the jobs need of the machine's is shared.</summary>
    private static IEnumerable<string> Shared(string option) =>
        new[] { SharedData.RepositoryRoot, Path.GetDirectoryName(DotNet)! }.SelectMany(path => new[] { option, path });

    /// <summary>A /24 that no interface of this machine has, so that two clusters may run beside each other.</summary>
    private static string FreeSubnet()
    {
        var taken = NetworkInterface.GetAllNetworkInterfaces().SelectMany(i => i.GetIPProperties().UnicastAddresses)
            .Select(a => a.Address.ToString()).ToList();
        return Enumerable.Range(100, 100).OrderBy(_ => Random.Shared.Next()).Select(i => $"10.77.{i}")
            .First(subnet => !taken.Any(address => address.StartsWith(subnet + ".", StringComparison.Ordinal)));
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Any, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
