using Harness.Common;
using Harness.Energy;
using Harness.Energy.Accounting;
using Harness.Running;
using Harness.Runs;
using Harness.Runs.Pieces;

namespace Harness.Tests.Running;

/// <summary>
/// Journals as a machine that went down leaves them: cut, with zeros where nothing had been written, or with other bytes.
/// </summary>
[Parallelizable(ParallelScope.All), FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class JournalTests : IDisposable
{
    private static readonly StartRecord s_start = new() { Start = 1, BegunUtc = "2025-11-21T01:56:00Z", Hosts = ["n"], MeteredRanks = [0] };
    private static readonly EnergyWindow s_begun = new("measured-1", WindowKind.Measured, 2, 2, 1);
    private static readonly EnergyWindow s_ended = s_begun with { EndSeconds = 5 };

    private readonly ScratchDirectory _scratch = new();

    public void Dispose() => _scratch.Dispose();

    private string Journal => _scratch[RunFile.Journal.Name];

    private static BatchReport Report(int number) =>
        new(1, 0, 0, number, number + 0.5, [new SequenceReport(number, true, 0.25, null, [7, 8, 9], [0.5, 0.75, 1])], []);

    /// <summary>What a start leaves that two batches long went well.</summary>
    /// <returns>The journal's length after each entry, by the file's own account.</returns>
    private List<long> Write()
    {
        using var journal = new StartJournal(_scratch.Path);
        var lengths = new List<long>();
        void Then(Action append)
        {
            append();
            lengths.Add(new FileInfo(Journal).Length);
        }
        Then(() => journal.Append(s_start));
        Then(() => journal.Append(new JournalWindow(new("idle", WindowKind.Idle, 0, 1), null)));
        Then(() => journal.Append(new JournalWindow(s_begun, null)));
        for (var i = 0; i < 2; i++) Then(() => journal.Append(Report(i).Serialize()));
        Then(() => journal.Append(new JournalWindow(s_ended, 2)));
        Then(() => journal.Append(s_start with { End = "complete", Batches = 2 }));
        return lengths;
    }

    private List<int> Numbers() => [.. StartJournal.Batches(_scratch.Path).Select(batch => BatchReport.Deserialize(batch).Batch)];

    [Test]
    public void WholeEntriesComeBackAsTheyWere()
    {
        Write();
        var read = BatchReport.In(_scratch.Path).ToList();
        Assert.That(read.Select(report => report.Batch), Is.EqualTo(new[] { 0, 1 }));
        Assert.That(read[1].Sequences.Single().Output, Is.EqualTo(new[] { 7, 8, 9 }));
        Assert.That((read[1].Sequences.Single().ReachedEndOfText, read[1].EndSeconds), Is.EqualTo((true, 1.5)));
        var (start, windows) = StartJournal.Read(_scratch.Path);
        Assert.That((start!.BegunUtc, start.End, start.Batches), Is.EqualTo((s_start.BegunUtc, "complete", 2)));
        Assert.That((start.Hosts, start.MeteredRanks), Is.EqualTo((new[] { "n" }, new[] { 0 })));
        Assert.That(windows,
            Is.EqualTo(new[] { new JournalWindow(new("idle", WindowKind.Idle, 0, 1), null), new JournalWindow(s_ended, 2) }),
            "the last word on a window counts");
    }

    /// <summary>At every length, and with zeros in place of what is cut off, the entries up to there are there, and nothing else.</summary>
    [Test]
    public void OfAJournalThatIsCutThereIsWhatIsWhole([Values] bool zeros)
    {
        var ends = Write();
        var bytes = File.ReadAllBytes(Journal);
        for (var length = 0; length <= bytes.Length; length++)
        {
            File.WriteAllBytes(Journal, [.. bytes[..length], .. new byte[zeros ? bytes.Length - length : 0]]);
            var whole = ends.Count(end => end <= length);
            // A zero that was a zero is no loss: what is read may only be more by an entry whose last bytes are zeros, and is then true.
            if (zeros && whole < ends.Count && bytes[length..(int)ends[whole]].All(one => one == 0)) whole++;
            var (start, windows) = StartJournal.Read(_scratch.Path);
            Assert.That((start != null, start?.End, windows.Count, Numbers().Count, windows.Contains(new(s_begun, null))),
                Is.EqualTo((whole >= 1, whole == 7 ? "complete" : null, Math.Clamp(whole - 1, 0, 2), Math.Clamp(whole - 3, 0, 2),
                    whole is >= 3 and < 6)), $"{length} bytes, {whole} entries");
        }
    }

    [Test]
    public void BehindOtherBytesThereIsNothing()
    {
        var ends = Write();
        var bytes = File.ReadAllBytes(Journal);
        bytes[ends[3] + 30] ^= 1;           // within the second batch
        File.WriteAllBytes(Journal, bytes);
        Assert.That(Numbers(), Is.EqualTo(new[] { 0 }));
        Assert.That(StartJournal.Read(_scratch.Path).Start!.End, Is.Null);
    }

    [TestCase("\u0009{}")]
    [TestCase("\u0001{}")]
    [TestCase("\u0001null")]
    [TestCase("\u0002{\"window\":null}")]
    public void AnEntryThatIsWholeAndStrangeIsRefusedByName(string content)
    {
        using (var journal = new JournalFile(Journal)) journal.Append(System.Text.Encoding.UTF8.GetBytes(content));
        Assert.That(() => StartJournal.Read(_scratch.Path), Throws.TypeOf<UserErrorException>().With.Message.Contains(Journal)
            .And.Message.Contains("--fresh"));
    }

    /// <summary>A batch as another build without a version of its own might have written it: at any length it is no batch.</summary>
    [Test]
    public void ABatchOfAnotherFormIsRefusedByName()
    {
        var batch = Report(0).Serialize();
        for (var length = 1; length < batch.Length; length++)
        {
            File.Delete(Journal);
            using (var journal = new StartJournal(_scratch.Path)) journal.Append(batch[..length]);
            Assert.That(() => BatchReport.In(_scratch.Path).ToList(),
                Throws.TypeOf<UserErrorException>().With.Message.Contains(Journal), $"{length}");
        }
    }

    [Test]
    public void OfReadingsThereIsWhatIsWhole()
    {
        var domain = new EnergyDomain("n", "package-0", DomainKind.Package, "rapl");
        var path = RunFile.EnergyJournal.OfRank(3).In(_scratch.Path);
        var ends = new List<long>();
        using (var journal = new EnergyJournal(_scratch.Path, 3, "head"))
            for (var i = 0; i < 3; i++)
            {
                journal.Append([new(domain, 3, [new() { TimeSeconds = i, EnergyJoules = 0.1 * i }, new() { TimeSeconds = i + 0.5 }])]);
                ends.Add(new FileInfo(path).Length);
            }
        var bytes = File.ReadAllBytes(path);
        for (var length = bytes.Length; length >= 0; length--)
        {
            File.WriteAllBytes(path, bytes[..length]);
            var (head, readings) = EnergyJournal.Read(_scratch.Path, 3)!.Value;
            var whole = ends.Count(end => end <= length);
            Assert.That(readings.SelectMany(series => series.Readings).Select(reading => (reading.TimeSeconds, reading.EnergyJoules)),
                Is.EqualTo(Enumerable.Range(0, whole).SelectMany(i => new[] { (i, 0.1 * i), (i + 0.5, (double?)null) })), $"{length}");
            Assert.That(head, Is.EqualTo(length >= 12 ? "head" : ""), "4 bytes of length, 4 of the checksum, 4 of its own");
        }
        File.Delete(path);
        Assert.That(EnergyJournal.Read(_scratch.Path, 3), Is.Null);
    }
}
