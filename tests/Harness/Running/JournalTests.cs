using Harness.Energy.Accounting;
using Harness.Running;
using Harness.Runs;
using Harness.Runs.Pieces;

namespace Harness.Tests.Running;

/// <summary>
/// Journals as a machine that went down leaves them: cut, with zeros where nothing had been written, or with other bytes.
/// </summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class JournalTests : IDisposable
{
    private readonly ScratchDirectory _scratch = new();

    public void Dispose() => _scratch.Dispose();

    private string Batches => _scratch[RunFile.BatchJournal.Name];

    private static BatchReport Report(int number) =>
        new(1, 0, 0, number, number + 0.5, [new SequenceReport(number, true, 0.25, null, [7, 8, 9], [0.5, 0.75, 1])], []);

    private byte[] WriteBatches(int count)
    {
        using (var journal = new BatchJournal(_scratch.Path))
        {
            for (var i = 0; i < count; i++) journal.Append(Report(i).Serialize());
            journal.Sync();
        }
        return File.ReadAllBytes(Batches);
    }

    private List<int> Numbers() => [.. BatchJournal.Read(_scratch.Path).Select(batch => BatchReport.Deserialize(batch).Batch)];

    [Test]
    public void WholeEntriesComeBackAsTheyWere()
    {
        WriteBatches(3);
        var read = BatchJournal.Read(_scratch.Path).Select(BatchReport.Deserialize).ToList();
        Assert.That(read.Select(report => report.Batch), Is.EqualTo(new[] { 0, 1, 2 }));
        Assert.That(read[2].Sequences.Single().Output, Is.EqualTo(new[] { 7, 8, 9 }));
        Assert.That(read[2].EndSeconds, Is.EqualTo(2.5));
    }

    [TestCase(0.5, ExpectedResult = 5)]
    [TestCase(0.99, ExpectedResult = 9)]
    [TestCase(0, ExpectedResult = 0)]
    public int OfACutJournalThereIsWhatIsWhole(double part)
    {
        var bytes = WriteBatches(10);
        File.WriteAllBytes(Batches, bytes[..(int)(part * bytes.Length)]);
        return Numbers().Count;
    }

    [Test]
    public void ZerosAndOtherBytesAreNoEntry()
    {
        var bytes = WriteBatches(4);
        var entry = bytes.Length / 4;
        var zeroed = (byte[])bytes.Clone();
        Array.Clear(zeroed, 2 * entry + 20, 2 * entry - 20);        // within the third
        File.WriteAllBytes(Batches, zeroed);
        Assert.That(Numbers(), Is.EqualTo(new[] { 0, 1 }));
        bytes[entry + 30] ^= 1;
        File.WriteAllBytes(Batches, bytes);
        Assert.That(Numbers(), Is.EqualTo(new[] { 0 }));
    }

    [Test]
    public void TheLastWordOnAWindowCountsAndHalfAWordDoesNot()
    {
        EnergyWindow begun = new("measured-1", WindowKind.Measured, 2, 2, 1), ended = begun with { EndSeconds = 5 };
        WindowJournal.Append(_scratch.Path, new(new("idle", WindowKind.Idle, 0, 1), null));
        WindowJournal.Append(_scratch.Path, new(begun, null));
        Assert.That(WindowJournal.Read(_scratch.Path)[1], Is.EqualTo(new JournalWindow(begun, null)));
        WindowJournal.Append(_scratch.Path, new(ended, 40));
        Assert.That(WindowJournal.Read(_scratch.Path),
            Is.EqualTo(new[] { new JournalWindow(new("idle", WindowKind.Idle, 0, 1), null), new JournalWindow(ended, 40) }));

        var path = _scratch[RunFile.WindowJournal.Name];
        var bytes = File.ReadAllBytes(path);
        File.WriteAllBytes(path, [.. bytes[..^10], .. new byte[9], (byte)'\n']);
        Assert.That(WindowJournal.Read(_scratch.Path)[1], Is.EqualTo(new JournalWindow(begun, null)));
    }
}
