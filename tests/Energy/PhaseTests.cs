using System.Text;
using Harness.Common;
using Harness.Energy;
using Harness.Energy.Accounting;
using Harness.Energy.Clocks;
using Harness.Energy.Records;
using Harness.Energy.Sampling;

namespace Harness.Tests.Energy;

/// <summary>What a device's joules were used for, on scripted devices and scripted ranks.</summary>
internal sealed class PhaseTests
{
    private const double Interval = 0.1, Start = 10, PowerTriples = 20, End = 30;

    private static readonly ClockMap s_clock = new(ClockOffset.Zero, ClockOffset.Zero);
    private static readonly EnergyWindow s_window = new("measured-1", WindowKind.Measured, Start, End, 1);

    /// <summary>
    /// Two tensor ranks on each of two stages, each with a device of its own that draws 100, 200, 300 and 400 W, and from second 20 on three
    /// times that; figures per watt by hand.
    /// </summary>
    [Test]
    public void ThePhasesOfTwoStagesOfTwoRanksAddUpToEachDevicesJoules()
    {
        var first = Log(log =>
        {
            log.AddPass(11, 13, 1, communicationSeconds: 0.4, waitingSeconds: 0);
            log.AddWait(13, 15);
            log.AddPass(15, 16, 0, communicationSeconds: 0.2, waitingSeconds: 0);
            log.AddWait(16, 17);
            log.AddPass(19.5, 20.5, 0, communicationSeconds: 0.5, waitingSeconds: 0);   // 0.5 s at w, 0.5 s at 3 w: half of 2 w
        });
        var last = Log(log =>
        {
            log.AddPass(11, 15, 1, communicationSeconds: 0.6, waitingSeconds: 2);
            log.AddPass(15, 17, 0.25, communicationSeconds: 0.2, waitingSeconds: 1);    // a mixed pass: 0.2 of prompts, 0.6 of tokens
        });
        var account = Account([first, first, last, last], (rank, _) => [$"GPU-{rank}"]);
        PhaseJoules[] perWatt = [new(1.6, 1.8, 1.6, 3, 32), new(1.4 + 0.2, 0.6, 0.8, 3, 34)];
        Assert.Multiple(() =>
        {
            for (var rank = 0; rank < 4; rank++)
            {
                var (watts, expected) = (100 * (rank + 1), perWatt[rank / 2]);
                var phases = account.PhasesOfRank(rank, s_window.Name)!.Value;
                Assert.That(Parts(phases), Is.EqualTo(Parts(expected).Select(part => watts * part)).Within(1e-9 * 40 * watts));
                Assert.That(Parts(phases).Sum(), Is.EqualTo(account.JoulesOfRank(rank, s_window.Name)).Within(1e-9 * 40 * watts));
            }
            var run = account.Phases(s_window)!.Value;
            Assert.That(run.Prefill, Is.EqualTo(1.6 * 300 + 1.6 * 700).Within(1e-6));
            Assert.That(Parts(run).Sum(), Is.EqualTo(account.Repeats.Single().Joules).Within(1e-9 * 40_000));
        });
    }

    /// <summary>A device of several ranks, which all read it, or of which one reads it for the node: each rank has a like part.</summary>
    [TestCase(true)]
    [TestCase(false)]
    public void RanksThatShareADeviceShareItsJoulesEqually(bool allRead)
    {
        var account = Account([Log(log => log.AddPass(Start, PowerTriples, 1, 0, 0)), Log(log => log.AddWait(PowerTriples, End))],
            (rank, _) => allRead || rank == 0 ? ["package-0"] : [], DomainKind.Package);
        Assert.That(Parts(account.PhasesOfRank(0, s_window.Name)!.Value), Is.EqualTo(new[] { 500.0, 0, 0, 1500, 2000 }).Within(1e-6));
        Assert.That(account.PhasesOfRank(1, s_window.Name), Is.EqualTo(allRead ? account.PhasesOfRank(0, s_window.Name) : null),
            "one that reads nothing has no joules");
        Assert.That(Parts(account.Phases(s_window)!.Value).Sum(), Is.EqualTo(4000).Within(1e-6), "the device counts once");
    }

    /// <summary>A socket that is read beside a GPU is not counted; two GPUs of a superchip show the one counter of its module.</summary>
    [Test]
    public void PartsAreThoseOfWhatIsCounted()
    {
        var busy = Log(log => log.AddPass(Start, PowerTriples, 0, 2, 0));
        EnergyDomain gpu = new("node", "GPU-0", DomainKind.Gpu, EnergyDomain.Program);
        var beside = Account([busy], [[gpu, new("node", "package-4", DomainKind.Package, EnergyDomain.Program)]]);
        Assert.That(beside.JoulesOfRank(0, s_window.Name), Is.EqualTo(4000).Within(1e-6));
        Assert.That(Parts(beside.PhasesOfRank(0, s_window.Name)!.Value), Is.EqualTo(new[] { 0.0, 800, 200, 0, 3000 }).Within(1e-6));

        var modules = Account([busy, busy], [.. Enumerable.Range(0, 2).Select(at => new[] { Superchip($"GPU-{at}") })]);
        var joules = modules.Repeats.Single().Joules!.Value;
        Assert.That(Parts(modules.Phases(s_window)!.Value).Sum(), Is.EqualTo(joules).Within(1e-9 * joules), "once");
        for (var rank = 0; rank < 2; rank++)
            Assert.That(Parts(modules.PhasesOfRank(rank, s_window.Name)!.Value).Sum(),
                Is.EqualTo(modules.JoulesOfRank(rank, s_window.Name)).Within(1e-9 * joules), $"rank {rank}");

        static EnergyDomain Superchip(string name) =>
            new("node", name, DomainKind.Gpu, EnergyDomain.Program, "NVIDIA GB200") { Module = "module-0" };
    }

    [Test]
    public void WhatTheHostDoesNotSeeIsNotGuessed()
    {
        var load = new EnergyWindow("load", WindowKind.Load, 1, 9);
        var account = Account([Log(log =>
        {
            log.AddUnseenPass(11, 12, 1);
            log.AddUnseenWait(12, 13);
        })], (_, _) => ["GPU-0"], windows: [load, s_window]);
        Assert.That(account.PhasesOfRank(0, s_window.Name), Is.Null);
        Assert.That(Parts(account.PhasesOfRank(0, load.Name)!.Value), Is.EqualTo(new[] { 0.0, 0, 0, 0, 800 }).Within(1e-6));
        Assert.That(Account(null, (_, _) => ["GPU-0"]).PhasesOfRank(0, s_window.Name), Is.Null, "an older directory");
    }

    /// <summary>A device whose replicas had come less far when the run was cut off.</summary>
    [Test]
    public void OfARepeatThatWasCutCountsTheDevicesPart()
    {
        var cut = s_window with { Cuts = new Dictionary<string, double> { ["node/GPU-1"] = 12, ["node/GPU-2"] = Start } };
        var busy = Log(log => log.AddPass(11, 14, 0, 1, 0));
        var account = Account([busy, busy, busy], (rank, _) => [$"GPU-{rank}"], windows: [cut]);
        Assert.That(Parts(account.PhasesOfRank(0, cut.Name)!.Value), Is.EqualTo(new[] { 0, 200.0, 100, 0, 3700 }).Within(1e-6));
        Assert.That(Parts(account.PhasesOfRank(1, cut.Name)!.Value), Is.EqualTo(new[] { 0, 400 / 3.0, 200 / 3.0, 0, 200 }).Within(1e-6));
        Assert.That(Parts(account.PhasesOfRank(2, cut.Name)!.Value), Is.EqualTo(new[] { 0.0, 0, 0, 0, 0 }));
    }

    /// <summary>However many passes: two stretches an interval; and what is long, or stands apart, stays by itself.</summary>
    [Test]
    public void TheLogIsAsFineAsTheMeterAndNoFiner()
    {
        const int Passes = 10_000;
        var log = new PhaseLog(Interval);
        for (var i = 0; i < Passes; i++)
        {
            log.AddPass(i * 1e-3, i * 1e-3 + 0.7e-3, 0, communicationSeconds: 0.2e-3, waitingSeconds: 0.1e-3);
            log.AddWait(i * 1e-3 + 0.7e-3, i * 1e-3 + 0.9e-3);
        }
        var taken = log.TakeNew();
        Assert.Multiple(() =>
        {
            Assert.That(taken, Has.Length.LessThanOrEqualTo(2 * Passes * 1e-3 / Interval));
            Assert.That(taken.Select(one => one.DurationSeconds), Is.All.LessThanOrEqualTo(Interval));
            Assert.That(taken.Sum(one => one.DecodeSeconds), Is.EqualTo(Passes * 0.4e-3).Within(1e-9));
            Assert.That(taken.Sum(one => one.CommunicationSeconds), Is.EqualTo(Passes * 0.2e-3).Within(1e-9));
            Assert.That(taken.Sum(one => one.WaitingSeconds), Is.EqualTo(Passes * 0.3e-3).Within(1e-9));
        });
        log.AddWait(20, 20.01);
        log.AddPass(20.01, 22, 1, 0, 0);
        log.AddWait(22, 22.01);
        log.Close();
        log.AddWait(22.02, 22.03);
        Assert.That(log.TakeNew().Select(one => (one.StartSeconds, one.EndSeconds)),
            Is.EqualTo(new[] { (20, 20.01), (20.01, 22), (22, 22.01), (22.02, 22.03) }));
        Assert.That(log.TakeNew(), Is.Empty);
    }

    [Test]
    public void TheFileReadsBackToTheSameBits()
    {
        RankPhases[] ranks = [new(0, [new(1 / 3.0, 0.5, 0.01, 0.02, 1e-300, 0)]), new(3, [new(1, 2, 0.5, 0.25, null, null)])];
        using var file = new MemoryStream();
        PhaseRecords.Write(file, ranks);
        file.Position = 0;
        var read = PhaseRecords.Read(file, "phases.csv");
        Assert.That(read.Select(rank => (rank.Rank, rank.Stretches.Single())),
            Is.EqualTo(ranks.Select(rank => (rank.Rank, rank.Stretches.Single()))));
    }

    [TestCase("0,1,2,0,0,0", "phases.csv:2: ")]
    [TestCase("0,1,2,0,0,NaN,0", "phases.csv:2: column communication_s holds 'NaN', which is no figure")]
    [TestCase("0,2,1,0,0,0,0", "phases.csv:2: it has negative seconds")]
    [TestCase("0,1,2,0,0,-1,0", "phases.csv:2: it has negative seconds")]
    [TestCase("0,1,2,,0,0,0", "phases.csv:2: column prefill_s holds '', which is no figure")]
    [TestCase("0,5,6,0,0,0,0\n0,4,5,0,0,0,0", "phases.csv:3: it begins before the one above it")]
    public void ARowThatIsNoneIsNamed(string rows, string problem) =>
        Assert.That(() => PhaseRecords.Read(
            new MemoryStream(Encoding.UTF8.GetBytes($"{string.Join(',', ColumnMap<PhaseRow>.Names)}\n{rows}\n")), "phases.csv"),
            Throws.TypeOf<UserErrorException>().With.Message.Contains(problem));

    private static double[] Parts(PhaseJoules joules) =>
        [joules.Prefill, joules.Decode, joules.Communication, joules.Waiting, joules.Other];

    private static PhaseStretch[] Log(Action<PhaseLog> happens)
    {
        var log = new PhaseLog(Interval);
        happens(log);
        return log.TakeNew();
    }

    /// <inheritdoc cref="Account(PhaseStretch[][], EnergyDomain[][], EnergyWindow[])"/>
    /// <param name="reads">The devices that a rank reads; device d of a kind draws 100 (d + 1) W, and later three times that.</param>
    private static EnergyAccount Account(PhaseStretch[][]? ranks, Func<int, int, string[]> reads, DomainKind kind = DomainKind.Gpu,
        EnergyWindow[]? windows = null)
    {
        var count = ranks?.Length ?? 1;
        EnergyDomain Domain(string name) => new("node", name, kind, EnergyDomain.Program);
        return Account(ranks, [.. Enumerable.Range(0, count).Select(rank => reads(rank, count).Select(Domain).ToArray())], windows);
    }

    /// <param name="ranks">What each did; null: not known.</param>
    private static EnergyAccount Account(PhaseStretch[][]? ranks, EnergyDomain[][] reads, EnergyWindow[]? windows = null)
    {
        var domains = reads.Index().ToDictionary(own => own.Index, own => own.Item);
        return new(new()
        {
            SampleIntervalSeconds = Interval,
            Limits = new(),
            Domains = [.. domains.Values.SelectMany(own => own).DistinctBy(domain => domain.Key)],
            Sensors = [],
            Facts = [],
            Ranks = [.. domains.Select(own => new RankPlace(own.Key, "node", 0, [.. own.Value.Select(domain => domain.Key)], s_clock,
                new(0, 0, 0, null, 0, 0)))],
            WorldSize = reads.Length,
            ComputesOnGpus = reads[0][0].Kind == DomainKind.Gpu,
            RanToEnd = true,
            Series = [.. domains.SelectMany(own => own.Value.Select(domain => new SampleSeries(domain, own.Key, Readings(domain))))],
            Windows = windows ?? [s_window],
            Phases = ranks == null ? null : [.. ranks.Index().Select(rank => new RankPhases(rank.Index, rank.Item))],
        });
    }

    private static EnergyReading[] Readings(EnergyDomain domain)
    {
        var watts = domain.Module != null ? 100 : 100 * (domain.Device[^1] - '0' + 1);
        return [.. Enumerable.Range(0, 320).Select(i => i * 0.1).Select(t => new EnergyReading
        {
            TimeSeconds = t,
            EnergyJoules = watts * (t + 2 * Math.Max(0, t - PowerTriples)),
            PowerWatts = domain.Module == null ? null : watts * (t < PowerTriples ? 1 : 3) / 1.7,      // of the GPU alone
            PowerField = domain.Module == null ? null : PowerField.Instant,
        })];
    }
}
