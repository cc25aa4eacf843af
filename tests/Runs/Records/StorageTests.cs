using System.Diagnostics;
using Harness.Common;
using Harness.Runs;
using Harness.Runs.Records;

namespace Harness.Tests.Runs.Records;

[TestFixture]
public sealed class StorageTests
{
    private ScratchDirectory _scratch = null!;

    [SetUp]
    public void SetUp() => _scratch = new ScratchDirectory();

    [TearDown]
    public void TearDown() => _scratch.Dispose();

    [Test]
    public void AFailedWriteLeavesTheOldFileAndNothingElse()
    {
        var path = _scratch.File("summary.csv", "old");
        Assert.That(
            () => AtomicFile.Write(path, stream =>
            {
                stream.Write("half of the ne"u8);
                throw new IOException("the network went away.");
            }),
            Throws.TypeOf<UserErrorException>().With.Message.StartWith($"cannot write {path}: the network went away; "));
        Assert.That(Directory.GetFiles(_scratch.Path), Is.EqualTo(new[] { path }));
        Assert.That(File.ReadAllText(path), Is.EqualTo("old"));
    }

    [Test]
    public void TheFileIsAbsentUntilItIsComplete()
    {
        var path = _scratch["a.csv"];
        AtomicFile.Write(path, stream =>
        {
            stream.Write("whole"u8);
            Assert.That(File.Exists(path), Is.False);
        });
        Assert.That(File.ReadAllText(path), Is.EqualTo("whole"));
        Assert.That(Directory.GetFiles(_scratch.Path), Has.Length.EqualTo(1));
    }

    [Test]
    public void WhereTheDirectoryIsGoneThatIsWhatTheLineSays() =>
        Assert.That(() => AtomicFile.Write(_scratch["gone", "a.csv"], _ => { }), Throws.TypeOf<UserErrorException>()
            .With.Message.StartWith($"cannot write {_scratch["gone", "a.csv"]}: ").And.Message.Not.Contains("\n"));

    [Test]
    public void AFileThatIsAppendedToMustBeUnderItsName()
    {
        Directory.CreateDirectory(_scratch["directory"]);
        File.WriteAllText(_scratch["there"], "");
        Assert.That(() => StorageFailure.MustBeThere(_scratch["there"]), Throws.Nothing);
        foreach (var path in (string[])[_scratch["deleted"], _scratch["moved", "with its directory"], _scratch["directory"]])
            Assert.That(() => StorageFailure.MustBeThere(path), Throws.TypeOf<FileNotFoundException>(), path);
    }

    [Test]
    [Platform("Linux")]
    public void AFullDeviceIsNamedAsSuch() =>
        // /dev/full answers every write as a full disk does.
        Assert.That(
            () => StorageFailure.Guard("prompts.csv", () =>
            {
                using var full = new FileStream("/dev/full", FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
                full.Write("x"u8);
            }),
            Throws.TypeOf<UserErrorException>().With.Message.EqualTo(
                "cannot write prompts.csv: the disk or the quota is full; free some space, or choose another directory with --out; what "
                    + "was finished before is kept"));

    /// <summary>A file system of 64 kB that really fills up. It takes the right to mount one.</summary>
    [Test]
    [Platform("Linux")]
    public void OnAFullDiskWhatWasFinishedIsKept()
    {
        if (Run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", _scratch.Path) != 0)
            Assert.Ignore("no right to mount a small file system: not run");
        try
        {
            using var run = RunDirectory.Create(_scratch.Path, "run", "m", DateTimeOffset.UtcNow);
            var batch = Enumerable.Range(0, 50).Select(i => Samples.Prompt(i)).ToList();
            var kept = 0;
            var failure = Assert.Throws<UserErrorException>(() =>
            {
                for (; kept < 10_000; kept += batch.Count) run.Append(batch, []);
            })!;
            Assert.That(failure.Message, Does.StartWith($"cannot write {run.Path}/prompts.partial.csv: the disk or the quota is full; "));
            Assert.That(kept, Is.GreaterThan(0));
            Assert.That(File.ReadAllText(run.PathOf("prompts.partial.csv")), Does.EndWith("\n"));
            Assert.That(new RunReader(run.Path).Prompts().Count(), Is.EqualTo(kept));
            Assert.That(() => run.WriteSummary(Samples.Summary(new string('r', 65536))), Throws.TypeOf<UserErrorException>());
            Assert.That(Directory.GetFiles(run.Path).Select(f => Path.GetFileName(f)),
                Is.EquivalentTo(new[] { "prompts.partial.csv", "responses.partial.jsonl" }));
        }
        finally
        {
            Run("umount", _scratch.Path);
        }
    }

    private static int Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        process.StandardError.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode;
    }
}
