using Harness.Energy;
using Harness.Energy.Accounting;
using Harness.Energy.Clocks;
using Harness.Energy.Records;
using Harness.Energy.Sampling;
using Harness.Running;
using Harness.Runs.Accounting;

namespace Harness.Tests.Runs.Accounting;

/// <summary>Which hardware a run's joules are those of, from what its ranks hand in.</summary>
public sealed class WhatJoulesCoverTests
{
    private static readonly ClockMap s_clock = new(ClockOffset.Zero, ClockOffset.Zero);
    private static readonly SamplerCost s_cost = new(0, 0, 0, null, 0, 0);

    /// <summary>Two sandboxes of one machine, each with a name and a boot id of its own, see one GPU of 100 W.</summary>
    [Test]
    public void AGpuIsItsUuidWhereverTwoRanksMeetIt()
    {
        var reports = RunEvidence.OneHostPerGpu([Report(0, "a", "GPU-1", DomainKind.Gpu), Report(1, "b", "GPU-1", DomainKind.Gpu)]);
        Assert.That(reports.Select(report =>
            (report.Domains[0].Key, report.Sensors[0].Key, report.Facts[0].Domain.Key, report.Series[0].Domain.Key)),
            Is.All.EqualTo(("a/GPU-1", "a/GPU-1", "a/GPU-1", "a/GPU-1")));
        var repeat = Energy(reports, computesOnGpus: true).Repeats.Single();
        Assert.That(repeat.Joules, Is.EqualTo(100 * 20).Within(1e-6));
        var sockets = RunEvidence.OneHostPerGpu(
            [Report(0, "a", "package-0", DomainKind.Package), Report(1, "b", "package-0", DomainKind.Package)]);
        Assert.That(Energy(sockets, computesOnGpus: false).Repeats.Single().Joules, Is.EqualTo(200 * 20).Within(1e-6),
            "a socket is its machine's");
    }

    [Test]
    public void WhatIsCountedIsSaid()
    {
        var one = Report(0, "n", "package-0-die-0", DomainKind.Package);
        var other = Report(0, "n", "package-0-die-1", DomainKind.Package);
        EnergyReport both = one with { Domains = [one.Domains[0], other.Domains[0]], Series = [one.Series[0], other.Series[0]] };
        Assert.That(Energy([both], computesOnGpus: false).Remarks,
            Is.EqualTo(new[] { "n/package-0-die-1 shows the counter of package-0-die-0 a second time: the two are counted once" }));

        var module = Report(0, "n", "GPU-1", DomainKind.Gpu, "NVIDIA GH200 480GB", watts: 100 / 1.7);
        Assert.That(Energy([module], computesOnGpus: true).Remarks, Is.EqualTo(new[]
        {
            "n/GPU-1: its counter covers the superchip's module, CPU and memory included (1.70 times its GPU's power); the module's "
                + "joules are counted",
        }));
        Assert.That(Energy([Report(0, "n", "GPU-1", DomainKind.Gpu, "NVIDIA H100", watts: 100)], computesOnGpus: true).Remarks, Is.Empty);
    }

    /// <summary>
    /// 100 W by the counter, read ten times a second for 40 s; as it comes from a rank, its series without the model's name.
    /// </summary>
    private static EnergyReport Report(int rank, string host, string device, DomainKind kind, string name = "", double? watts = null)
    {
        var domain = new EnergyDomain(host, device, kind, "nvml", name);
        var readings = Enumerable.Range(0, 400).Select(i => i * 0.1)
            .Select(t => new EnergyReading
            {
                TimeSeconds = t,
                EnergyJoules = 100 * t,
                PowerWatts = watts,
                PowerField = watts == null ? null
            : PowerField.Instant
            });
        return new EnergyReport(rank, [new SensorCharacteristics(domain.Key, 0.1, 10, 0.1, 0.001)], [domain],
            [DomainFacts.NotApplicable(domain)], s_cost, s_clock, DateTimeOffset.UnixEpoch)
        {
            Series = [new SampleSeries(domain with { Name = "" }, rank, [.. readings])],
        };
    }

    private static EnergyAccount Energy(IReadOnlyList<EnergyReport> reports, bool computesOnGpus) => new(new()
    {
        SampleIntervalSeconds = 0.1,
        Limits = new(),
        Domains = [.. reports.SelectMany(report => report.Domains).DistinctBy(domain => domain.Key)],
        Sensors = [.. reports.SelectMany(report => report.Sensors)],
        Facts = [.. reports.SelectMany(report => report.Facts)],
        Ranks = [.. reports.Select(report => new RankPlace(report.Rank, report.Domains[0].Host, 0, [.. report.Domains.Select(domain =>
            domain.Key)], s_clock, s_cost))],
        WorldSize = reports.Count,
        ComputesOnGpus = computesOnGpus,
        RanToEnd = true,
        Series = [.. reports.SelectMany(report => report.Series)],
        Windows = [new EnergyWindow("measured-1", WindowKind.Measured, 10, 30, 1)],
    });
}
