using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;

namespace Harness.Tests.Sharding;

/// <summary>Runs MpiProbe under a real launcher, in an environment of its own, and ends it when it takes too long.</summary>
internal sealed record Mpiexec(string Launcher, string[] Options)
{
    /// <summary>Cores that the ranks take for theirs; null for what there are.</summary>
    public int? Cores { get; init; }

    public static Mpiexec OpenMpi { get; } = new("mpiexec.openmpi", ["--oversubscribe", "--bind-to", "none"]);

    /// <summary>Open MPI as between nodes without shared memory or remote reads.</summary>
    public static Mpiexec OpenMpiOverTcp { get; } = new("mpiexec.openmpi", [.. OpenMpi.Options, "--mca", "btl", "tcp,self"]);

    public static Mpiexec Mpich { get; } = new("mpiexec.mpich", []);

    /// <summary>The same with less cores than ranks, so that these wait by sleeping.</summary>
    public Mpiexec OnOneCore => this with { Cores = 1 };

    public override string ToString() => string.Join(' ', [Launcher, .. Options]) + (Cores is { } cores ? $", {cores} core" : "");

    public sealed record Result(int ExitCode, string Output, TimeSpan Elapsed)
    {
        public int Count(string text) => Output.Split(text).Length - 1;
    }

    /// <param name="ranks">Processes to start.</param>
    /// <param name="library">libmpi to force, or null.</param>
    /// <param name="limit">After this the test fails.</param>
    /// <param name="arguments">The probe's.</param>
    public Result Run(int ranks, string? library, TimeSpan limit, params string[] arguments) =>
        Run(Probe, ranks, library, limit, arguments);

    /// <param name="program">A managed assembly, started with dotnet.</param>
    /// <param name="ranks">Processes to start.</param>
    /// <param name="library">libmpi to force, or null.</param>
    /// <param name="limit">After this the test fails.</param>
    /// <param name="arguments">The program's.</param>
    public Result Run(string program, int ranks, string? library, TimeSpan limit, string[] arguments)
    {
        if (Environment.GetEnvironmentVariable("PATH")?.Split(':').Any(d => File.Exists(Path.Combine(d, Launcher))) != true)
            Assert.Ignore($"{Launcher} is not installed: not run (Debian: apt-get install openmpi-bin mpich)");
        var start = new ProcessStartInfo(Launcher) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var a in (string[])[.. Options, "-n", $"{ranks}", DotNet, program, .. arguments]) start.ArgumentList.Add(a);
        foreach (var name in start.Environment.Keys.Where(IsLaunchers).ToArray()) start.Environment.Remove(name);
        foreach (var (name, value) in s_environment) start.Environment[name] = value;
        if (Cores is { } cores) start.Environment["DOTNET_PROCESSOR_COUNT"] = $"{cores}";
        if (library != null) start.Environment["HARNESS_MPI_LIBRARY"] = library;

        var output = new StringBuilder();
        void Collect(object _, DataReceivedEventArgs e)
        {
            lock (output) output.AppendLine(e.Data);
        }
        var clock = Stopwatch.StartNew();
        using var process = Process.Start(start)!;
        process.OutputDataReceived += Collect;
        process.ErrorDataReceived += Collect;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        if (!process.WaitForExit(limit))
        {
            process.Kill(entireProcessTree: true);
            process.WaitForExit();
            Assert.Fail($"{this} -n {ranks} {string.Join(' ', arguments)} did not end in {limit.TotalSeconds} s; so far:\n{output}");
        }
        process.WaitForExit();
        return new Result(process.ExitCode, output.ToString(), clock.Elapsed);
    }

    private static readonly (string, string)[] s_environment =
    [
        ("TERM", "dumb"), ("UCX_ERROR_SIGNALS", ""), ("OMPI_ALLOW_RUN_AS_ROOT", "1"), ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"),
        ("OMPI_MCA_mpi_yield_when_idle", "1"),
    ];

    /// <summary>What an outer launcher, or a Slurm job that runs these tests, would pass on to ours.</summary>
    private static bool IsLaunchers(string name) =>
        new[] { "OMPI_", "PMI_", "PMIX_", "MPI_", "HYDI_", "SLURM_", "HARNESS_" }.Any(p => name.StartsWith(p, StringComparison.Ordinal));

    private static string DotNet => Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", "dotnet"));

    /// <summary>Built beside the tests, in the same configuration: tests/bin/CONFIGURATION/FRAMEWORK.</summary>
    private static string Probe
    {
        get
        {
            var framework = new DirectoryInfo(AppContext.BaseDirectory);
            return Path.Combine(SharedData.RepositoryRoot, "tests", "MpiProbe", "bin", framework.Parent!.Name, framework.Name,
                "MpiProbe.dll");
        }
    }
}
