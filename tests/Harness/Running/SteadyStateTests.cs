using Harness.Energy;
using Harness.Energy.Accounting;
using Harness.Energy.Clocks;
using Harness.Runs;
using Harness.Runs.Accounting;
using Harness.Runs.Records;

namespace Harness.Tests.Running;

/// <summary>ML.ENERGY's steady state on passes that are written down: from the B-th first token to the (N − B)-th.</summary>
internal sealed class SteadyStateTests
{
    private const int InputTokens = 3;

    /// <summary>
    /// Two slots, six requests, a pass a second from second 10. First tokens at 11, 11, 13, 15, 16, 16: the second at 11, the fourth at 15.
    /// </summary>
    private static readonly Step[] s_steps =
    [
        Step(11, 0, (0, 3), (1, 3)),
        Step(12, 2, (0, 1), (1, 1)),
        Step(13, 1, (0, 1), (2, 3)),
        Step(14, 1, (2, 1), (3, 2)),
        Step(15, 1, (2, 1), (3, 1)),
        Step(16, 0, (4, 3), (5, 3)),
        Step(17, 2, (4, 1), (5, 1)),
    ];

    [Test]
    public void ItsTokensSecondsAndJoulesAreThoseBetweenTheTwoMoments()
    {
        var steady = Of(s_steps)!;
        Assert.Multiple(() =>
        {
            Assert.That(steady.Seconds, Is.EqualTo(4).Within(1e-9));
            Assert.That(steady.Tokens, Is.EqualTo(2 + 2 + 1 + 2), "those of seconds 12, 13, 14 and 15");
            Assert.That(steady.Joules, Is.EqualTo(1.5 * 100 + 2.5 * 300).Within(1).Percent, "100 W until 12.5, then 300 W");
            var row = SteadyState.Describe(Run(), steady);
            Assert.That(row.Steady.TokensPerSecond, Is.EqualTo(7 / 4.0).Within(1e-9));
            Assert.That(row.Steady.AverageWatts, Is.EqualTo(225).Within(1).Percent);
            Assert.That(row.Steady.PerOutputToken, Is.EqualTo(900 / 7.0).Within(1).Percent);
        });
    }

    [Test]
    public void OfReplicasItIsTheTimeInWhichAllHaveIt()
    {
        Step[] late = [.. s_steps.Select(step =>
            step with { Replica = 1, StartSeconds = step.StartSeconds + 1, EndSeconds = step.EndSeconds + 1 })];
        var steady = Of([.. s_steps, .. late], replicas: 2)!;
        Assert.That(steady.Seconds, Is.EqualTo(3).Within(1e-9), "12 to 15");
        Assert.That(steady.Tokens, Is.EqualTo(2 + 1 + 2 + 2 + 2 + 1));
        Assert.That(Of(s_steps, replicas: 2), Is.Null, "one of two replicas had nothing to do");
    }

    [Test]
    public void EachPassAndRepeatHasItsOwn()
    {
        Step[] again = [.. s_steps.Select(step =>
            step with { Pass = 1, StartSeconds = step.StartSeconds + 8, EndSeconds = step.EndSeconds + 8 })];
        var steady = Of([.. s_steps, .. again])!;
        Assert.That((steady.Seconds, steady.Tokens), Is.EqualTo((8.0, 14L)));
        Assert.That(steady.Joules, Is.EqualTo(900 + 4 * 300).Within(1).Percent);
    }

    [Test]
    public void TokensOfRequestsThatWereGivenUpCountAsTokens()
    {
        Step[] steps = [.. s_steps.Select(step =>
            step.EndSeconds == 14 ? step with { Rows = [null, 2, 3], Tokens = [1, 1, 2], DecodeRows = 2 } : step)];
        Assert.That(Of(steps)!.Tokens, Is.EqualTo(8));
    }

    [Test]
    public void ThereIsNoneWithoutEnoughRequestsOrWithoutFullSlots()
    {
        Assert.That(Of(s_steps, slots: 3), Is.Null, "six requests: as many first tokens are ramp-up and drain");
        Assert.That(SteadyState.Of(Run() with { Concurrency = null }, Account(0.05), Rows, _ => s_steps), Is.Null, "static batches");
        Assert.That(SteadyState.Of(Run() with { RequestRatePerSecond = 5 }, Account(0.05), Rows, _ => s_steps), Is.Null,
            "slots that wait for arrivals");
        Assert.That(SteadyState.Describe(Run(), null), Is.EqualTo(Run()), "and then its columns are empty");
    }

    [Test]
    public void JoulesOfATimeThatTheSensorDoesNotResolveAreNotGiven()
    {
        var steady = SteadyState.Of(Run(), Account(updateSeconds: 1), Rows, _ => s_steps)!;
        Assert.That((steady.Seconds, steady.Tokens, steady.Joules), Is.EqualTo((4.0, 7L, (double?)null)), "eight updates would take 8 s");
    }

    private static PromptRecord[] Rows =>
        [.. Enumerable.Range(0, 6).Select(i =>
        new PromptRecord { RunId = "r", Repeat = 1, Dataset = "d", PromptIndex = i, InputTokens = InputTokens, FinishReason = "length" })];

    private static SteadyState? Of(Step[] steps, int slots = 2, int replicas = 1) =>
        SteadyState.Of(Run(replicas) with { Concurrency = slots * replicas }, Account(0.05), Rows, _ => steps);

    private static SummaryRecord Run(int replicas = 1) =>
        new() { RunId = "r", Status = RunStatus.Complete, Ranks = 2 * replicas, TensorParallel = 1, PipelineParallel = 2, Concurrency = 2 };

    /// <summary>One device whose counter says 100 W until second 12.5 and 300 W from then on.</summary>
    private static RunAccount Account(double updateSeconds)
    {
        var domain = new EnergyDomain("host", "package-0", DomainKind.Package, "CPU");
        var readings = Enumerable.Range(0, 800).Select(i => i * 0.05)
            .Select(t => new EnergyReading { TimeSeconds = t, EnergyJoules = 100 * Math.Min(t, 12.5) + 300 * Math.Max(0, t - 12.5) });
        return new([new PieceEvidence(1, new()
        {
            SampleIntervalSeconds = 0.05,
            Limits = new(),
            Domains = [domain],
            Sensors = [new(domain.Key, updateSeconds, 1, null, 0.001)],
            Facts = [],
            Ranks = [.. Enumerable.Range(0, 2)
                .Select(rank => new RankPlace(rank, "host", 0, [], new(ClockOffset.Zero, ClockOffset.Zero), new(0, 0, 0, null, 0, 0)))],
            WorldSize = 2,
            ComputesOnGpus = false,
            RanToEnd = true,
            Series = [new(domain, 0, [.. readings])],
            Windows = [new("measured-1", WindowKind.Measured, 10, 30, 1)],
        })]);
    }

    private static Step Step(double end, int decoding, params (int Row, int Tokens)[] entries) => new()
    {
        Repeat = 1,
        Replica = 0,
        Batch = 0,
        MicroBatch = 0,
        Kind = decoding == 0 ? StepKind.Prefill : decoding == entries.Length ? StepKind.Decode : StepKind.Mixed,
        StartSeconds = end - 1,
        EndSeconds = end,
        Rows = [.. entries.Select(entry => (int?)entry.Row)],
        Tokens = decoding == entries.Length ? null : [.. entries.Select(entry => entry.Tokens)],
        DecodeRows = decoding > 0 && decoding < entries.Length ? decoding : null,
    };
}
