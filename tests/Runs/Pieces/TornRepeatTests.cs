using Harness.Energy;
using Harness.Energy.Accounting;
using Harness.Energy.Clocks;
using Harness.Energy.Records;
using Harness.Energy.Sampling;
using Harness.Runs.Accounting;
using Harness.Runs.Pieces;

namespace Harness.Tests.Runs.Pieces;

/// <summary>
/// Two replicas, each on a GPU of 100 W, in a repeat of 10 … 30 s that was cut off: what a replica did behind its last finished batch is
/// done again, and its joules are no part of the repeat.
/// </summary>
public sealed class TornRepeatTests
{
    private static readonly EnergyWindow s_repeat = new("measured-1", WindowKind.Measured, 10, 30, 1);

    [Test]
    public void EachDeviceCountsUpToTheLastBatchOfItsOwnReplica()
    {
        var energy = new EnergyAccount(Cut(Evidence("GPU-0", "GPU-1"), 25, 15));
        var measured = energy.Repeats.Single();
        var torn = energy.Windows.Single(record => record.Window.Kind == WindowKind.Torn);
        Assert.Multiple(() =>
        {
            Assert.That(measured.Window.EndSeconds, Is.EqualTo(25));
            Assert.That(measured.Devices.Select(device => device.Joules), Is.EqualTo(new[] { 1500, 500 }).Within(1e-6));
            Assert.That(torn.Devices.Select(device => device.Joules), Is.EqualTo(new[] { 500, 1500 }).Within(1e-6));
            Assert.That(energy.JoulesBetween(measured.Window, 12, 20), Is.EqualTo(100 * 8 + 100 * 3).Within(1e-6));
            Assert.That(energy.JoulesBetween(measured.Window, 20, 25), Is.EqualTo(100 * 5).Within(1e-6), "the other device's part is over");
        });

        // Replica 1's second batch was under way until 30 s, and has no row.
        var attribution = energy.Attribute(measured.Window, [Step(10, 25, 0, 0), Step(10, 15, 1, 1), Step(15, 30, 1, null)])!;
        Assert.That(attribution.Prompts[0].Joules, Is.EqualTo(1500).Within(1e-6));
        Assert.That(attribution.Prompts[1].Joules, Is.EqualTo(500).Within(1e-6));
        Assert.That(attribution.UnattributedJoules, Is.Zero.Within(1e-6));
        Assert.That(attribution.MeasuredJoules, Is.EqualTo(measured.Joules).Within(1e-6));
    }

    [Test]
    public void ADeviceWhoseReplicaFinishedNothingCountsNothingAndSpoilsNothing()
    {
        var energy = new EnergyAccount(Cut(Evidence("GPU-0", "GPU-1"), 25, null));
        var measured = energy.Repeats.Single();
        Assert.That(measured.Devices.Select(device => device.Joules), Is.EqualTo(new[] { 1500, 0 }).Within(1e-6));
        Assert.That(measured.Devices[1].InvalidReasons, Is.Empty);
        var attribution = energy.Attribute(measured.Window, [Step(10, 25, 0, 0), Step(10, 30, 1, null)])!;
        Assert.That((attribution.MeasuredJoules, attribution.UnattributedJoules), Is.EqualTo((1500.0, 0.0)).Within(1e-6));
    }

    [Test]
    public void ADeviceThatReplicasShareCountsUpToTheLaterOfThem()
    {
        var windows = Cut(Evidence("GPU-0", "GPU-0"), 25, 15).Windows;
        Assert.That(windows, Is.EqualTo(new[] { s_repeat with { EndSeconds = 25 }, new EnergyWindow("torn-1", WindowKind.Torn, 25, 30) }));
    }

    [Test]
    public void OfARepeatInWhichNothingWasFinishedNothingCounts() => Assert.That(Cut(Evidence("GPU-0", "GPU-1"), null, null).Windows,
        Is.EqualTo(new[] { new EnergyWindow("torn-1", WindowKind.Torn, 10, 30) }));

    [Test]
    public void WindowsWithCutsReadBackAsTheyWere()
    {
        var records = new EnergyAccount(Cut(Evidence("GPU-0", "GPU-1"), 25, 15)).Windows;
        var text = new StringWriter();
        WindowRecords.Write(text, records.Select(WindowRecord.Of));
        var read = WindowRecords.Read(new StringReader(text.ToString()), "windows.jsonl").Select(record => record.Window).ToList();
        Assert.That(read[0].PartOf("n/GPU-1"), Is.EqualTo(s_repeat with { EndSeconds = 15 }));
        Assert.That(read[0].PartOf("n/GPU-0"), Is.EqualTo(s_repeat with { EndSeconds = 25 }));
        Assert.That(read[1].PartOf("n/GPU-1").StartSeconds, Is.EqualTo(15));
        Assert.That(read[1].PartOf("n/GPU-0").StartSeconds, Is.EqualTo(25));
    }

    private static EnergyEvidence Cut(EnergyEvidence evidence, params double?[] cuts) =>
        evidence with { Windows = TornRepeat.Cut(evidence, s_repeat, replica => cuts[replica], s_repeat.EndSeconds) };

    private static Step Step(double start, double end, int replica, int? row) =>
        Energy.Accounting.Step(start, end, replica, new StepEntry(row, 1, StepPhase.Decode));

    /// <param name="devices">Which each replica's one rank reads: 100 W by the counter, ten times a second for 40 s.</param>
    private static EnergyEvidence Evidence(params string[] devices)
    {
        EnergyDomain[] domains = [.. devices.Distinct().Select(device => new EnergyDomain("n", device, DomainKind.Gpu, "nvml"))];
        var readings = Enumerable.Range(0, 400).Select(i => i * 0.1)
            .Select(seconds => new EnergyReading { TimeSeconds = seconds, EnergyJoules = 100 * seconds }).ToList();
        return new()
        {
            SampleIntervalSeconds = 0.1,
            Limits = new(),
            Domains = domains,
            Sensors = [.. domains.Select(domain => new SensorCharacteristics(domain.Key, 0.1, 10, 0.1, 0.001))],
            Facts = [.. domains.Select(DomainFacts.NotApplicable)],
            Ranks = [.. devices.Select((device, rank) => new RankPlace(rank, "n", rank, [$"n/{device}"],
                new(ClockOffset.Zero, ClockOffset.Zero), new(0, 0, 0, null, 0, 0)))],
            WorldSize = devices.Length,
            ComputesOnGpus = true,
            RanToEnd = true,
            Series = [.. domains.Select(domain => new SampleSeries(domain, 0, readings))],
            Windows = [s_repeat],
        };
    }
}
