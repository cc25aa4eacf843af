using Harness.Runs.Records;

namespace Harness.Tests.Runs.Records;

[TestFixture]
public sealed class WilsonIntervalTests
{
    /// <summary>
    /// Newcombe (1998), Table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29 by the score method without continuity correction.
    /// </summary>
    [TestCase(81, 263, 0.2553, 0.3662)]
    [TestCase(15, 148, 0.0624, 0.1605)]
    [TestCase(0, 20, 0.0000, 0.1611)]
    [TestCase(1, 29, 0.0061, 0.1718)]
    public void AsPublished(int successes, int trials, double low, double high)
    {
        var interval = WilsonInterval.Of((double)successes / trials, trials)!.Value;
        Assert.That(interval.Low, Is.EqualTo(low).Within(0.00005));
        Assert.That(interval.High, Is.EqualTo(high).Within(0.00005));
    }

    [Test]
    public void WithoutTrialsThereIsNone() => Assert.That(WilsonInterval.Of(0, 0), Is.Null);

    /// <summary>Ten repeats of the same prompts narrow nothing.</summary>
    [Test]
    public void RepeatsAreNoTrialsOfTheirOwn()
    {
        var once = Enumerable.Range(0, 20).Select(index => Samples.Prompt(index) with { Correct = index < 5 }).ToList();
        var often = Enumerable.Range(1, 10).SelectMany(repeat => once.Select(row => row with { Repeat = repeat })).ToList();
        SummaryRecord Of(List<PromptRecord> rows) => Summary.Compute(Samples.Summary("r"), rows, 1);
        Assert.That((Of(often).Accuracy, Of(often).AccuracyLow, Of(often).AccuracyHigh),
            Is.EqualTo((Of(once).Accuracy, Of(once).AccuracyLow, Of(once).AccuracyHigh)));
        Assert.That(Of(once).AccuracyLow, Is.EqualTo(0.1119).Within(0.00005), "5 of 20: 0.1119 to 0.4687");
        Assert.That(Of(once).AccuracyHigh, Is.EqualTo(0.4687).Within(0.00005));
    }
}
