using Harness.Running;

namespace Harness.Tests.Running;

/// <summary>
/// Against the arithmetic of a Poisson process of rate λ: gaps have mean 1/λ, deviation 1/λ and distribution 1 − e^(−λt); counts have
/// variance equal to their mean.
/// </summary>
internal sealed class PoissonArrivalsTests
{
    private const int Count = 100_000;
    private const double Rate = 4;

    private static readonly double[] s_times = PoissonArrivals.Seconds(Count, Rate, seed: 1, repeat: 1, pass: 0);

    private static double[] Gaps => [.. s_times.Zip(s_times.Prepend(0), (later, earlier) => later - earlier)];

    [Test]
    public void MeanAndDeviationOfTheGapsAreThoseOfTheRate()
    {
        // Standard errors: (1/λ)/√n of the mean, and about √2 times that of the deviation (the fourth moment of an exponential is 9 σ⁴).
        var error = 1 / Rate / Math.Sqrt(Count);
        var mean = Gaps.Average();
        Assert.That(mean, Is.EqualTo(1 / Rate).Within(4 * error));
        Assert.That(Math.Sqrt(Gaps.Average(gap => (gap - mean) * (gap - mean))), Is.EqualTo(1 / Rate).Within(4 * Math.Sqrt(2) * error));
        Assert.That(s_times, Is.Ordered);
    }

    [Test]
    public void GapsAreExponential()
    {
        // Kolmogorov-Smirnov: the greatest distance exceeds 1.95/√n in one of a thousand samples.
        var sorted = Gaps.Order().ToArray();
        var distance = sorted.Select((gap, i) =>
            Math.Max(Math.Abs(1 - Math.Exp(-Rate * gap) - i / (double)Count),
            Math.Abs(1 - Math.Exp(-Rate * gap) - (i + 1) / (double)Count))).Max();
        Assert.That(distance, Is.LessThan(1.95 / Math.Sqrt(Count)));
    }

    [Test]
    public void CountsInEqualTimesHaveTheVarianceOfAPoissonDistribution()
    {
        var counts = s_times.GroupBy(time => (int)(time / 5)).Where(window => window.Key < (int)(s_times[^1] / 5))
            .Select(window => (double)window.Count()).ToList();
        var mean = counts.Average();
        Assert.That(mean, Is.EqualTo(5 * Rate).Within(4 * Math.Sqrt(5 * Rate / counts.Count)));
        Assert.That(counts.Average(count => (count - mean) * (count - mean)) / mean,
            Is.EqualTo(1).Within(4 * Math.Sqrt(2.0 / counts.Count)));
    }

    [Test]
    public void NeighbouringGapsAreNotCorrelated()
    {
        var gaps = Gaps;
        var mean = gaps.Average();
        var correlation = gaps.Skip(1).Zip(gaps, (a, b) => (a - mean) * (b - mean)).Average() * Rate * Rate;
        Assert.That(correlation, Is.EqualTo(0).Within(4 / Math.Sqrt(Count)));
    }

    [Test]
    public void TheSeedTheRepeatAndThePassFixThemAndTheRateStretchesThem()
    {
        double[] Draw(ulong seed, int repeat, int pass, double rate = Rate) => PoissonArrivals.Seconds(8, rate, seed, repeat, pass);
        Assert.Multiple(() =>
        {
            Assert.That(Draw(1, 1, 0), Is.EqualTo(s_times[..8]));
            foreach (var other in new[] { Draw(2, 1, 0), Draw(1, 2, 0), Draw(1, 1, 1) }) Assert.That(other, Is.Not.EqualTo(s_times[..8]));
            Assert.That(Draw(1, 1, 0, rate: 2 * Rate), Is.EqualTo(s_times[..8].Select(time => time / 2)).Within(1e-12));
        });
    }
}
