using Harness.Common;
using Harness.Reporting;
using Harness.Runs;
using Harness.Runs.Records;
using Harness.Tests.EndToEnd;

namespace Harness.Tests.Reporting;

/// <summary>Streams that take nothing: full (ENOSPC of /dev/full), closed, hung up.</summary>
[Platform("Linux"), System.Runtime.Versioning.SupportedOSPlatform("linux")]
internal sealed class StandardStreamsTests
{
    private static FileStream Full() => new("/dev/full", FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);

    [Test]
    public void LinesThatNobodyCanReadAreDropped()
    {
        using var full = new StreamWriter(new PatientStream(Full())) { AutoFlush = true };
        using var closed = new StreamWriter(new PatientStream(null)) { AutoFlush = true };
        foreach (var writer in new[] { full, closed }) Assert.That(() => writer.WriteLine(new string('x', 100_000)), Throws.Nothing);
    }

    [Test]
    public void WhatWasAskedForIsWholeOrSaidNotToBe()
    {
        Assert.That(() => new ProductStream(Full()).Write("run_id"u8),
            Throws.TypeOf<UserErrorException>().With.Message.StartsWith("cannot write to standard output: No space left on device"));
        Assert.That(() => new ProductStream(null).Write("run_id"u8),
            Throws.TypeOf<UserErrorException>().With.Message.StartsWith("standard output is closed"));
        var whole = new MemoryStream();
        new ProductStream(whole).Write("run_id"u8);
        Assert.That(whole.ToArray(), Is.EqualTo("run_id"u8.ToArray()));
    }

    /// <summary>Also that no file of the run gets the number of a closed stream: its lines would stand in there.</summary>
    [Test]
    public void ARunNeedsNoStreams()
    {
        using var scratch = new ScratchDirectory();
        var program = Path.Combine(AppContext.BaseDirectory, "harness.dll");
        int Shell(string command)
        {
            using var shell = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo("sh",
                ["-c", command])
            { WorkingDirectory = scratch.Path, RedirectStandardError = true })!;
            shell.StandardError.ReadToEnd();
            shell.WaitForExit();
            return shell.ExitCode;
        }
        Assert.That(Shell($"dotnet '{program}' run --limit 2 --meter none --name closed <&- >&- 2>&-"), Is.Zero);
        Assert.That(Shell($"dotnet '{program}' run --limit 2 --meter none --name full >/dev/full 2>/dev/full"), Is.Zero);
        foreach (var name in new[] { "closed", "full" })
        {
            var run = new RunOutput(scratch["results", name]);
            Assert.That(run.Summary["status"], Is.EqualTo("complete"));
            Assert.That(new Harness.Runs.Verifying.RunVerification(run.Path).Check(), Is.Empty);
        }
    }

    private static readonly string[] s_run = ["run", "--meter", "none", "--name", "r", "--ignore-eos"];

    [Test]
    public void AHangupEndsARunInOrder()
    {
        using var scratch = new ScratchDirectory();
        using var process = HarnessProcess.Start(scratch.Path, s_run);
        AssertHungUp(process, scratch["results", "r"], 3, RunStatus.Interrupted);
    }

    [Test]
    public void AHangupEndsNothingUnderNohup()
    {
        using var scratch = new ScratchDirectory();
        using var process = HarnessProcess.StartUnderNohup(scratch.Path, s_run);
        AssertHungUp(process, scratch["results", "r"], 0, RunStatus.Complete);
    }

    private static void AssertHungUp(HarnessProcess process, string directory, int exitCode, string status)
    {
        var rows = Path.Combine(directory, "prompts.partial.csv");
        for (var tries = 0; !File.Exists(rows); tries++)
        {
            if (process.HasExited || tries > 6000) Assert.Fail($"it did not begin: {process.Wait()}");
            Thread.Sleep(20);
        }
        process.Signal("HUP");
        Assert.That(process.Wait().ExitCode, Is.EqualTo(exitCode));
        Assert.That(new RunReader(directory).Summary().Status, Is.EqualTo(status));
    }
}
