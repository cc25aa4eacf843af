using Harness.Common;
using Harness.Runs.Records;

namespace Harness.Tests.Runs.Records;

[TestFixture]
public sealed class GoodputTests
{
    /// <summary>Times in seconds, of three tokens, and a joule; what is given is changed.</summary>
    private static ServedRequest Request(
        double ttft = 0.1, double? tpot = 0.02, double? itl = 0.03, double latency = 0.2, double? joules = 1, int tokens = 3,
        bool failed = false) => new(failed, tokens, ttft, tpot, itl, latency, joules);

    [TestCase("ttft=200ms,itl=50ms,latency=5s", "ttft=200ms,itl=50ms,latency=5s")]
    [TestCase(" latency = 2min , ttft=0.2 ", "ttft=200ms,latency=120s")]
    [TestCase("tpot=35ms", "tpot=35ms")]
    [TestCase("itl=1234.5us", "itl=1.2345ms")]
    public void BoundsAreWrittenInOneWay(string text, string written)
    {
        Assert.That(Slo.Parse(text, "--slo").ToString(), Is.EqualTo(written));
        Assert.That(Slo.Parse(written, "--slo").ToString(), Is.EqualTo(written));
    }

    [TestCase("", "bounds such as ttft=200ms,itl=50ms,latency=5s")]
    [TestCase("200ms", "bounds such as")]
    [TestCase("ttft=1s,", "bounds such as")]
    [TestCase("e2el=5s", "one of ttft, tpot, itl, latency in place of 'e2el'")]
    [TestCase("ttft=1s,itl=1s,ttft=2s", "one bound of ttft, not two,")]
    [TestCase("ttft=0s", "a time above 0, such as 200ms or 5s, in place of '0s'")]
    [TestCase("ttft=-1s", "a time above 0")]
    [TestCase("ttft=2m", "a time above 0, such as 200ms or 5s, in place of '2m'")]
    [TestCase("ttft=NaN", "a time above 0")]
    [TestCase("ttft=1e999s", "a time above 0")]
    public void WhatIsNoBoundIsRefusedWithTheRemedy(string text, string remedy) =>
        Assert.That(() => Slo.Parse(text, "--slo"),
            Throws.TypeOf<UserErrorException>().With.Message.StartsWith($"--slo is '{text}', but {remedy}"));

    /// <summary>A bound is kept by a time that is equal to it: of vLLM's `s >= r`.</summary>
    [Test]
    public void ARequestIsGoodThatKeepsEveryBound()
    {
        var slo = Slo.Parse("ttft=100ms,tpot=20ms,itl=30ms,latency=200ms", "--slo");
        bool? Good(ServedRequest request) => slo.IsMetBy(request);
        Assert.That(Good(Request()), Is.True);
        Assert.That(Good(Request(ttft: 0.1001)), Is.False);
        Assert.That(Good(Request(tpot: 0.0201)), Is.False);
        Assert.That(Good(Request(itl: 0.0301)), Is.False);
        Assert.That(Good(Request(latency: 0.2001)), Is.False);
        Assert.That(Good(Request(failed: true)), Is.False);
        Assert.That(Good(Request(tpot: null, itl: null, tokens: 1)), Is.True, "a single token has no gaps: vLLM takes its TPOT for 0");
        Assert.That(Good(Request(itl: null)), Is.Null, "gaps that are not known");
        Assert.That(Good(Request(itl: null, ttft: 1)), Is.False, "whatever they are");
        Assert.That(Slo.Parse("ttft=1s", "--slo").IsMetBy(Request(itl: null)), Is.True, "nobody asked for them");
        Assert.That(slo.UnknownIn([Request(itl: null, tpot: null), Request(itl: null, tokens: 1), Request(failed: true)]),
            Is.EqualTo(new[] { "tpot", "itl" }));
    }

    /// <summary>100 J over 10 s: 8 and 4 J to two good ones, 16 J to a slow one, 2 J to one that failed, 70 J to nobody.</summary>
    [Test]
    public void FiguresByHand()
    {
        var goodput = GoodputColumns.Of(Slo.Parse("ttft=200ms", "--slo"),
            [Request(joules: 8), Request(ttft: 0.2, joules: 4), Request(ttft: 0.3, joules: 16), Request(failed: true, joules: 2)], 10, 100);
        Assert.That(goodput, Is.EqualTo(new GoodputColumns
        {
            Slo = "ttft=200ms",
            Good = 2,
            PerSecond = 0.2,
            Share = 0.5,
            PerGoodJoules = 50,
            GoodJoules = 12,
            NotGoodJoules = 18,
        }));
    }

    [Test]
    public void WhatIsNotKnownIsEmptyAndNeverZeroOrInfinite()
    {
        var slo = Slo.Parse("itl=1ms", "--slo");
        Assert.That(GoodputColumns.Of(slo, [Request(), Request(itl: null)], 10, 100), Is.EqualTo(new GoodputColumns { Slo = "itl=1ms" }),
            "a request that nobody can judge");
        Assert.That(GoodputColumns.Of(slo, [Request()], 10, 100),
            Is.EqualTo(new GoodputColumns { Slo = "itl=1ms", Good = 0, PerSecond = 0, Share = 0, GoodJoules = 0, NotGoodJoules = 1 }),
            "none is good: no joules for each");
        Assert.That(GoodputColumns.Of(slo, [Request(joules: null)], null, null),
            Is.EqualTo(new GoodputColumns { Slo = "itl=1ms", Good = 0, Share = 0 }), "no meter, and no end");
        Assert.That(GoodputColumns.Of(slo, [], 10, 100), Is.EqualTo(new GoodputColumns
        {
            Slo = "itl=1ms",
            Good = 0,
            PerSecond = 0,
            GoodJoules = 0,
            NotGoodJoules = 0
        }));
    }

    /// <summary>Of 500 requests with drawn times: goodput is at most throughput, and equal without bounds or with wide ones.</summary>
    [Test]
    public void GoodputIsAtMostThroughputAndJoulesAddUp()
    {
        var random = new Random(3);
        List<PromptRecord> rows = [.. Enumerable.Range(0, 500).Select(i =>
            Samples.Prompt(i, i % 25 == 3 ? FinishReason.ContextLength : FinishReason.Length) with
            {
                OutputTokens = i % 25 == 3 ? 0 : 1 + i % 4,
                TtftSeconds = random.NextDouble(),
                TpotSeconds = i % 4 == 0 ? null : random.NextDouble() / 10,
                ItlP99Seconds = i % 4 == 0 ? null : random.NextDouble() / 5,
                LatencySeconds = 1 + random.NextDouble(),
                EnergyJoules = i % 25 == 3 ? null : random.NextDouble(),
            })];
        var attributed = rows.Sum(row => row.EnergyJoules ?? 0);
        SummaryRecord Under(string slo) => Summary.Compute(Samples.Summary("r") with
        {
            Energy = new() { Total = attributed + 40, Unattributed = 40 },
            Goodput = new() { Slo = slo },
        }, rows, 77);

        foreach (var slo in new[] { "ttft=1ns", "ttft=500ms", "tpot=30ms,itl=100ms", "ttft=700ms,tpot=70ms,itl=150ms,latency=1.7s" })
        {
            var run = Under(slo);
            Assert.That(run.Goodput.PerSecond, Is.LessThan(run.ResponsesPerSecond!.Value), slo);
            Assert.That(run.Goodput.GoodJoules + run.Goodput.NotGoodJoules + run.Energy.Unattributed,
                Is.EqualTo(run.Energy.Total).Within(1e-9), slo);
            Assert.That(run.Goodput.PerGoodJoules * run.Goodput.Good, run.Goodput.Good > 0 ? Is.EqualTo(run.Energy.Total).Within(1e-9)
                : Is.Null, slo);
            Assert.That(run.Goodput.Good, Is.EqualTo(rows.Count(row => row.FinishReason == FinishReason.Length
                && Slo.Parse(slo, "").Bounds.All(bound => Time(row, bound.Key) <= bound.Value))), slo);
        }
        var all = Under("ttft=1e9s,tpot=1e9s,itl=1e9s,latency=1e9s");
        Assert.That((all.Goodput.Good, all.Goodput.PerSecond, all.Goodput.PerGoodJoules),
            Is.EqualTo((all.Completed, all.ResponsesPerSecond, all.Energy.PerResponse)));
        Assert.That(all.Goodput.Share, Is.EqualTo(480.0 / 500), "a prompt that does not fit is not good, whatever the bounds");
        var none = GoodputColumns.Of(Slo.None, rows.Select(ServedRequest.Of), 77, 1);
        Assert.That((none.Good, none.PerSecond), Is.EqualTo((all.Completed, all.ResponsesPerSecond)));

        static double Time(PromptRecord row, string name) => name switch
        {
            "ttft" => row.TtftSeconds!.Value,
            "tpot" => row.TpotSeconds ?? 0,
            "itl" => row.ItlP99Seconds ?? 0,
            _ => row.LatencySeconds!.Value,
        };
    }

    [Test]
    public void WithoutBoundsARunHasNoColumnsOfGoodput() =>
        Assert.That(Summary.Compute(Samples.Summary("r"), [Samples.Prompt(0)], 1).Goodput, Is.EqualTo(new GoodputColumns()));
}
