using System.Diagnostics;
using System.Globalization;
using Harness.Sharding;
using Harness.Tests.Energy;

namespace Harness.Tests.EndToEnd;

/// <summary>
/// Ways out of a run with power limits that run no <c>finally</c>: two ranks under a real launcher, each with a GPU of its own.
/// </summary>
[Parallelizable, Platform("Linux"), System.Runtime.Versioning.SupportedOSPlatform("linux"), FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class PowerUnderMpiTests : IDisposable
{
    private readonly ScratchDirectory _scratch = new();
    private readonly FakeNvml _fake = new("device 0 uuid GPU-0", "device 1 uuid GPU-1", "device 1 limit_mw 650000 700000 200000 700000");

    public void Dispose()
    {
        _fake.Dispose();
        _scratch.Dispose();
    }

    /// <summary>An exception on rank 0 ends rank 1, which MPICH's launcher kills without a word.</summary>
    [TestCase("mpiexec.mpich")]
    [LongTestCase("mpiexec.openmpi")]
    public void LimitsAreBackWhereTheRunDirectoryIsLost(string launcher)
    {
        using var run = Start(launcher);
        Directory.Move(_scratch["out"], _scratch["elsewhere"]);
        Assert.That(End(run), Is.Not.Zero);
        AssertPutBack();
    }

    /// <summary>A file system of 4 MB that really fills up. It takes the right to mount one.</summary>
    [TestCase("mpiexec.mpich")]
    [LongTestCase("mpiexec.openmpi")]
    public void LimitsAreBackWhereTheDiskIsFull(string launcher)
    {
        Directory.CreateDirectory(_scratch["out"]);
        if (Processes.Run("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", _scratch["out"]]).ExitCode != 0)
            Assert.Ignore("no right to mount a small file system: not run");
        try
        {
            using var run = Start(launcher);
            Assert.That(() =>
            {
                using var filler = new FileStream(_scratch["out", "filler"], FileMode.CreateNew, FileAccess.Write, FileShare.None,
                    bufferSize: 0);
                while (true) filler.Write(new byte[4096]);
            }, Throws.InstanceOf<IOException>());
            Assert.That(End(run), Is.Not.Zero);
        }
        finally
        {
            Processes.Run("umount", ["--lazy", _scratch["out"]]);      // a rank that was killed may still be leaving
        }
        AssertPutBack();
    }

    /// <summary>Only rank 1 finds a directory where it keeps its readings.</summary>
    [TestCase("mpiexec.mpich")]
    [TestCase("mpiexec.openmpi")]
    public void LimitsAreBackAfterAnExceptionOnAnotherRank(string launcher)
    {
        using var run = Start(launcher);
        var readings = _scratch["out", "r-250W", "energy-rank-001.partial.bin"];
        File.Delete(readings);
        Directory.CreateDirectory(readings);
        Assert.That(End(run), Is.Not.Zero);
        AssertPutBack();
    }

    /// <summary>A rank that hangs cannot put back its device itself: the one that ends the world does.</summary>
    [TestCase("mpiexec.mpich")]
    [TestCase("mpiexec.openmpi")]
    public void LimitsAreBackAfterTheWatchdog(string launcher)
    {
        using var run = Start(launcher, "--Sharding:StallLimit=3s");
        Processes.Run("kill", ["-STOP", Rank(1)]);
        Assert.That(End(run), Is.Not.Zero);
        AssertPutBack();
    }

    /// <summary>MPICH's launcher returned 0 for ranks that ended together after a signal; jobs and sweeps rely on 3.</summary>
    [TestCase("TERM")]
    [TestCase("INT")]
    public void AnInterruptedRunGives3UnderMpichsLauncher(string signal)
    {
        using var run = Start("mpiexec.mpich");
        Processes.Run("kill", [$"-{signal}", run.Id.ToString(CultureInfo.InvariantCulture)]);
        Assert.That(End(run), Is.EqualTo(3));
        AssertPutBack();
    }

    private void AssertPutBack() => Assert.That((_fake.State("GPU-0"), _fake.State("GPU-1")), Is.EqualTo(((700000, 0), (650000, 0))));

    /// <summary>Returns when batches have been finished under the limit.</summary>
    private Process Start(string launcher, params string[] switches)
    {
        if (Environment.GetEnvironmentVariable("PATH")?.Split(':').Any(directory => File.Exists(Path.Combine(directory, launcher))) != true)
            Assert.Ignore($"{launcher} is not installed: not run (Debian: apt-get install openmpi-bin mpich)");
        string[] options = launcher == "mpiexec.openmpi" ? ["--oversubscribe", "--bind-to", "none"] : [];
        var start = Processes.Start("env",
            ["--default-signal=INT", launcher, .. options, "-n", "2", "dotnet", Path.Combine(AppContext.BaseDirectory, "harness.dll"),
            "run", "--tp", "2", "--meter", "nvml", "--power-limits", "250", "--out", _scratch["out"], "--name", "r", "--repeats", "1000",
                "--idle-baseline", "100ms", .. switches],
            ("HARNESS_NVML_LIBRARY", _fake.Library), ("OMPI_ALLOW_RUN_AS_ROOT", "1"), ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"),
                ("TERM", "dumb"));
        foreach (var name in start.Environment.Keys.Where(name => new[] { "PMI_", "PMIX_", "HYDI_", "SLURM_", "MPI_" }.Any(name.StartsWith))
            .ToArray()) start.Environment.Remove(name);
        var process = Process.Start(start)!;
        process.OutputDataReceived += (_, _) => { };
        process.ErrorDataReceived += (_, line) => TestContext.Progress.WriteLine(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        for (var waited = Stopwatch.StartNew(); !HasRows(); Thread.Sleep(20))
            if (process.HasExited || waited.Elapsed > TimeSpan.FromMinutes(2)) Assert.Fail("no rows came");
        Assert.That((_fake.State("GPU-0"), _fake.State("GPU-1")), Is.EqualTo(((250000, 0), (250000, 0))));
        return process;
    }

    private bool HasRows()
    {
        var file = new FileInfo(_scratch["out", "r-250W", "prompts.partial.csv"]);
        return file.Exists && file.Length > 2000;
    }

    private static int End(Process process)
    {
        if (process.WaitForExit(TimeSpan.FromMinutes(2))) return process.ExitCode;
        process.Kill(entireProcessTree: true);
        Assert.Fail("it did not end");
        return -1;
    }

    /// <summary>The process id of a rank of this test's run.</summary>
    private string Rank(int rank)
    {
        foreach (var directory in Directory.GetDirectories("/proc").Where(path => char.IsAsciiDigit(Path.GetFileName(path)[0])))
        {
            try
            {
                var environment = File.ReadAllText(Path.Combine(directory, "environ")).Split('\0');
                if (environment.Contains($"HARNESS_NVML_LIBRARY={_fake.Library}")
                    && (environment.Contains($"PMI_RANK={rank}") || environment.Contains($"OMPI_COMM_WORLD_RANK={rank}")))
                    return Path.GetFileName(directory);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException) { }
        }
        throw new InvalidOperationException($"rank {rank} does not run");
    }
}
