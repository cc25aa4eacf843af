using Harness.Datasets;

namespace Harness.Tests.Datasets;

/// <summary>
/// Against the arithmetic of a Poisson process of rate λ: gaps have mean 1/λ, deviation 1/λ and distribution 1 − e^(−λt); counts have
/// variance equal to their mean. And of gaps of a gamma distribution of shape a: variance 1/(a λ²).
/// </summary>
internal sealed class RandomArrivalsTests
{
    private const int Count = 100_000;
    private const double Rate = 4;

    private static readonly double[] s_times = RandomArrivals.Seconds(Count, Rate, shape: 1, seed: 1, repeat: 1, pass: 0);

    private static double[] Gaps => GapsOf(s_times);

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
        double[] Draw(ulong seed, int repeat, int pass, double rate = Rate) =>
            RandomArrivals.Seconds(8, rate, shape: 1, seed, repeat, pass);
        Assert.Multiple(() =>
        {
            Assert.That(Draw(1, 1, 0), Is.EqualTo(s_times[..8]));
            Assert.That(s_times[..4], Is.EqualTo((double[])[0.4464855309008391, 0.6614989425301578, 1.3772939774558055, 1.4348134007212792])
                .Within(1e-14), "as Python draws them by the same arithmetic: runs of any version have the same arrivals");
            foreach (var other in new[] { Draw(2, 1, 0), Draw(1, 2, 0), Draw(1, 1, 1) }) Assert.That(other, Is.Not.EqualTo(s_times[..8]));
            Assert.That(Draw(1, 1, 0, rate: 2 * Rate), Is.EqualTo(s_times[..8].Select(time => time / 2)).Within(1e-12));
        });
    }

    /// <summary>
    /// The index of dispersion of gaps, variance ÷ mean², is 1/a. Of n draws its estimate has the standard error v √((2 + 2v)/n), v = 1/a:
    /// by the delta method from the moments of a gamma distribution of mean 1 (variance v, third and fourth central moments 2v² and
    /// 3v² + 6v³).
    /// </summary>
    [TestCase(0.1)]
    [TestCase(0.25)]
    [TestCase(0.5)]
    [TestCase(1)]
    [TestCase(2)]
    [TestCase(100)]
    public void TheDispersionOfTenThousandGapsIsTheOneAskedFor(double shape)
    {
        const int count = 10_000;
        var v = 1 / shape;
        foreach (var seed in new ulong[] { 1, 2, 3 })
        {
            var gaps = GapsOf(RandomArrivals.Seconds(count, Rate, shape, seed, repeat: 1, pass: 0));
            var mean = gaps.Average();
            Assert.That(mean, Is.EqualTo(1 / Rate).Within(4 * Math.Sqrt(v / count) / Rate));
            Assert.That(gaps.Average(gap => (gap - mean) * (gap - mean)) / (mean * mean),
                Is.EqualTo(v).Within(4 * v * Math.Sqrt((2 + 2 * v) / count)));
            Assert.That(gaps, Is.All.GreaterThanOrEqualTo(0));
        }
    }

    /// <summary>
    /// Two distributions of gaps in closed form: Erlang's of shape 2, 1 − (1 + x) e^(−x) with x = 2λt, and that of shape ½, which is a
    /// normal variable squared, erf(√x) with x = λt/2.
    /// </summary>
    [TestCase(2)]
    [TestCase(0.5)]
    public void GapsAreGammaDistributed(double shape)
    {
        var sorted = GapsOf(RandomArrivals.Seconds(Count, Rate, shape, seed: 1, repeat: 1, pass: 0)).Order().ToArray();
        var distance = sorted.Select((gap, i) =>
        {
            var x = shape * Rate * gap;
            var below = shape == 2 ? 1 - (1 + x) * Math.Exp(-x) : Erf(Math.Sqrt(x));
            return Math.Max(Math.Abs(below - i / (double)Count), Math.Abs(below - (i + 1) / (double)Count));
        }).Max();
        Assert.That(distance, Is.LessThan(1.95 / Math.Sqrt(Count)), "Kolmogorov-Smirnov, one of a thousand samples");
    }

    /// <summary>Counts in times that hold many gaps have the gaps' dispersion, by the central limit theorem for renewals.</summary>
    [TestCase(0.25)]
    [TestCase(4)]
    public void CountsInLongTimesHaveTheSameDispersion(double shape)
    {
        const double seconds = 50;
        var times = RandomArrivals.Seconds(Count, Rate, shape, seed: 1, repeat: 1, pass: 0);
        var counts = times.GroupBy(time => (int)(time / seconds)).Where(window => window.Key < (int)(times[^1] / seconds))
            .Select(window => (double)window.Count()).ToList();
        var mean = counts.Average();
        Assert.That(counts.Average(count => (count - mean) * (count - mean)) / mean,
            Is.EqualTo(1 / shape).Within(4 * Math.Sqrt(2.0 / counts.Count) / shape));
    }

    private static double[] GapsOf(double[] times) => [.. times.Zip(times.Prepend(0), (later, earlier) => later - earlier)];

    /// <summary>Abramowitz and Stegun 7.1.26, to 1.5e-7.</summary>
    private static double Erf(double x)
    {
        var t = 1 / (1 + 0.3275911 * x);
        return 1 - t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))) * Math.Exp(-x * x);
    }
}
