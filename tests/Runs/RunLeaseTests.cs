using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Harness.Runs;

namespace Harness.Tests.Runs;

/// <summary>Who has a run, by what lies in its directory.</summary>
[Parallelizable(ParallelScope.All), FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class RunLeaseTests : IDisposable
{
    private readonly ScratchDirectory _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Test]
    public void ItsHolderIsNamedUntilItLetsGo()
    {
        using (RunLease.Take(_scratch.Path))
        {
            Assert.That(RunLease.LivingHolder(_scratch.Path), Does.StartWith($"process {Environment.ProcessId} on "));
            Assert.That(Directory.GetFiles(_scratch.Path), Is.EqualTo(new[] { _scratch["alive.json"] }),
                "written whole, and nothing beside it");
        }
        Assert.That(RunLease.LivingHolder(_scratch.Path), Is.Null);
    }

    /// <summary>As a full disk, or a machine that went down, leaves it: it says nothing, and never again will.</summary>
    [Test]
    public void ADamagedLeaseExpiresByItsFilesTime([Values("", "{", "null", "{}", "[1]", "{\"host\":3}", "\0\0\0")] string content)
    {
        var file = _scratch.File("alive.json", content);
        File.SetLastWriteTimeUtc(file, DateTime.UtcNow.AddHours(-1));
        Assert.That(RunLease.LivingHolder(_scratch.Path), Is.Null);
    }

    [Test]
    public void ADamagedLeaseOfThisMomentIsWatchedAndExpiresWhereNobodyRenewsIt()
    {
        _scratch.File("alive.json", "");
        Assert.That(RunLease.LivingHolder(_scratch.Path), Is.Null);
    }

    [Test]
    public void ADamagedLeaseThatIsRenewedHasAHolder()
    {
        var file = _scratch.File("alive.json", "");
        using var end = new CancellationTokenSource();
        var renewing = Task.Run(async () =>
        {
            for (var beat = 0; !end.IsCancellationRequested; beat++)
            {
                File.SetLastWriteTimeUtc(file, DateTime.UtcNow.AddSeconds(beat));
                await Task.Delay(100);
            }
        });
        Assert.That(RunLease.LivingHolder(_scratch.Path), Does.Contain("alive.json"));
        end.Cancel();
        renewing.Wait();
    }

    /// <summary>Killed, and its parent has not asked after it: its entry in /proc stays.</summary>
    [Test, Platform("Linux")]
    public void AZombieHasNothing()
    {
        // exec: the shell becomes a program that never waits for the child which the shell had.
        using var parent = Process.Start(
            new ProcessStartInfo("sh", ["-c", "sleep 1000 & echo $!; exec sleep 1000"]) { RedirectStandardOutput = true })!;
        try
        {
            var child = int.Parse(parent.StandardOutput.ReadLine()!, CultureInfo.InvariantCulture);
            HeldBy(child, Stat(child)[20]);
            Assert.That(RunLease.LivingHolder(_scratch.Path), Does.StartWith($"process {child} on "));
            Process.Start("kill", ["-KILL", $"{child}"]).WaitForExit();
            while (Stat(child)[1] != "Z") Thread.Sleep(10);
            Assert.That(RunLease.LivingHolder(_scratch.Path), Is.Null);
        }
        finally
        {
            parent.Kill();
        }
    }

    [Test, Platform("Linux")]
    public void AProcessIdThatIsUsedAgainIsAnotherProcess()
    {
        HeldBy(Environment.ProcessId, "1");
        Assert.That(RunLease.LivingHolder(_scratch.Path), Is.Null);
    }

    /// <summary>A lease that a process of this machine seems to have written.</summary>
    private void HeldBy(int process, string started)
    {
        RunLease.Take(_scratch.Path).Dispose();
        var lease = JsonNode.Parse(File.ReadAllText(_scratch["alive.json"]))!;
        (lease["process"], lease["started"]) = (process, started);
        File.WriteAllText(_scratch["alive.json"], lease.ToJsonString());
    }

    /// <summary>Fields of proc(5) from the second on; the name in that one is left empty.</summary>
    private static string[] Stat(int process) => File.ReadAllText($"/proc/{process}/stat").Split(')')[^1].Split(' ');
}
