using Harness.Common;
using Harness.Runs;
using Harness.Runs.Records;
using Harness.Sweeping;

namespace Harness.Tests.Sweeping;

/// <summary>What is read from the run directories of a cell, and under which name it goes on.</summary>
internal sealed class CellDirectoriesTests
{
    private ScratchDirectory _scratch = null!;

    [SetUp]
    public void Begin() => _scratch = new();

    [TearDown]
    public void End() => _scratch.Dispose();

    private SweepCell Cell(string batch = "2", string limits = "") => new SweepGrid(null, new Dictionary<string, string?>
    {
        ["Batch:Size"] = batch,
        ["Output:Directory"] = _scratch["out"],
        ["Output:Name"] = "cell",
        ["Energy:PowerLimits"] = limits,
    }).Cells[0];

    /// <param name="status">Null for a run that was killed.</param>
    private void Run(string name, string? status, bool valid = false, string? reasons = null, string batch = "2")
    {
        var run = new SummaryRecord { RunId = name, Status = status ?? RunStatus.Incomplete, Valid = valid, InvalidReasons = reasons };
        using var directory = RunDirectory.Create(_scratch["out"], name, "demo", DateTimeOffset.UnixEpoch);
        Assert.That(Path.GetFileName(directory.Path), Is.EqualTo(name));
        directory.WriteManifest(new Manifest(run)
        {
            ["configuration"] = new Dictionary<string,
            object>
            { ["Batch:Size"] = new { value = batch, source = "x" } }
        });
        if (status != null) directory.WriteSummary(run);
    }

    private (CellState, string) Look(SweepCell? cell = null)
    {
        var directories = CellDirectories.Look(cell ?? Cell());
        return (directories.State, directories.NextRunName());
    }

    [Test]
    public void ACellGoesOnWhereItStopped()
    {
        Assert.That(Look(), Is.EqualTo((CellState.ToDo, "cell")));
        Run("cell", null);
        Assert.That(Look(), Is.EqualTo((CellState.Unfinished, "cell")));
        Run("cell-2", RunStatus.Complete, valid: false, "no_meter;sample_gap");
        Assert.That(Look(), Is.EqualTo((CellState.Invalid, "cell")), "what is begun is brought to an end first");
        Run("cell-3", RunStatus.Interrupted, valid: false, "interrupted");
        Assert.That(Look(), Is.EqualTo((CellState.Invalid, "cell-3")));
        Run("cell-4", RunStatus.Complete, valid: false, "no_meter");
        Assert.That(Look().Item1, Is.EqualTo(CellState.Done), "it lacks nothing but a meter");
    }

    [TestCase("complete", true, null, "Done")]
    [TestCase("complete", false, "no_meter", "Done")]
    [TestCase("complete", false, "throttled", "Invalid")]
    [TestCase("complete", false, null, "Invalid")]
    [TestCase("skipped", false, null, "Invalid")]
    [TestCase("interrupted", false, "no_meter;interrupted", "Unfinished")]
    public void StatusAndValidityMakeTheState(string status, bool valid, string? reasons, string state)
    {
        Run("cell", status, valid, reasons);
        Assert.That(Look().Item1.ToString(), Is.EqualTo(state));
        Assert.That(Look().Item2, Is.EqualTo(state == "Unfinished" ? "cell" : "cell-2"), "nothing is written over");
    }

    [Test]
    public void PowerSettingsStandBehindTheAttempt()
    {
        var cell = Cell(limits: "250");
        Run("cell-250W", RunStatus.Complete, valid: false, "throttled");
        Run("cell-175W", RunStatus.Complete, valid: true);
        Run("cell", RunStatus.Complete, valid: true);
        Assert.That(Look(cell), Is.EqualTo((CellState.Invalid, "cell-2")));
        Run("cell-2-250W", RunStatus.Complete, valid: true);
        Assert.That(Look(cell).Item1, Is.EqualTo(CellState.Done));
    }

    [Test]
    public void ARunOfAnotherConfigurationIsNotTheCells()
    {
        Run("cell-x1", RunStatus.Complete, valid: true);
        Run("cellar", RunStatus.Complete, valid: true);
        Assert.That(Look(), Is.EqualTo((CellState.ToDo, "cell")));
        Run("cell-2", RunStatus.Complete, valid: true, batch: "3");
        Assert.That(Look(), Is.EqualTo((CellState.ToDo, "cell-3")), "an attempt that is another's is passed over");
        Run("cell", RunStatus.Complete, valid: true, batch: "3");
        Assert.That(() => Look(), Throws.TypeOf<UserErrorException>().With.Message.EndsWith(
            "cell holds a run of another configuration: Batch:Size (--batch) is '3' there and '2' here; give this sweep a directory "
                + "(--out) or a name (--name) of its own"));
    }

    [Test]
    public void ADirectoryThatHasSaidNothingYetIsUnfinished()
    {
        Directory.CreateDirectory(_scratch["out", "cell"]);
        Assert.That(Look(), Is.EqualTo((CellState.Unfinished, "cell")));
    }
}
