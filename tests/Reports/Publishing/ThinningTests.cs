using Harness.Energy;
using Harness.Reports.Publishing;

namespace Harness.Tests.Reports.Publishing;

/// <summary>What is thinned out keeps what a figure shows.</summary>
[TestFixture]
public sealed class ThinningTests
{
    private static readonly EnergyDomain s_gpu = new("n", "GPU-0", DomainKind.Gpu, "nvml");

    /// <summary>A bound of no more digits judges a rounded time as it does the time itself.</summary>
    [Test]
    public void TimesAreRoundedSoThatBoundsHold()
    {
        Assert.That(new[] { 0.2, 0.2000001, 0.19999991, 1.5, 12.34567, 0.0 }.Select(value => Rounded.Up(value, 6)),
            Is.EqualTo(new[] { 0.2, 0.200001, 0.2, 1.5, 12.3457, 0 }));
        var random = new Random(5);
        foreach (var digits in new[] { 1e-3, 1e-4, 1e-2 })
            for (var i = 0; i < 2000; i++)
            {
                var bound = Math.Round(random.NextDouble() + digits, 4);
                var value = bound + (random.NextDouble() - 0.5) * Math.Pow(10, -random.Next(1, 12));
                Assert.That(Rounded.Up(value, 6) <= bound, Is.EqualTo(value <= bound), $"{value:R} within {bound:R}");
            }
    }

    [Test]
    public void ASmallSampleIsItsOwnDistribution()
    {
        var ecdf = Ecdf.Of([3, 1, 2, 2], 10);
        Assert.That(ecdf.Count, Is.EqualTo(4));
        Assert.That(ecdf.Values, Is.EqualTo(new[] { 1.0, 2, 2, 3 }));
        Assert.That(ecdf.Share, Is.EqualTo(new[] { 0.25, 0.5, 0.75, 1 }));
        Assert.That(Ecdf.Of([], 10).Values, Is.Empty);
    }

    [Test]
    public void ALargeSampleKeepsItsEndsAndItsOrderStatistics()
    {
        // The k-th smallest of 0 … 9,999 is k − 1, so its share is (value + 1) / 10,000.
        var ecdf = Ecdf.Of([.. Enumerable.Range(0, 10_000).Select(i => (double)(i * 7919 % 10_000))], 101);
        Assert.That((ecdf.Count, ecdf.Values.Count, ecdf.Values[0], ecdf.Values[^1]), Is.EqualTo((10_000, 101, 0.0, 9_999.0)));
        Assert.That(ecdf.Share, Is.EqualTo(ecdf.Values.Select(v => (v + 1) / 10_000)).Within(1e-6));
    }

    [Test]
    public void ASpikeBetweenManySamplesStays()
    {
        var envelope = new PowerEnvelope(s_gpu, 0, 1000, 100);
        for (var i = 0; i < 100_000; i++) envelope.Add(new EnergyReading
        {
            TimeSeconds = i * 0.01,
            PowerWatts = i == 54_321 ? 700
            : i == 77_777 ? 5 : 200
        });
        var series = envelope.Series()!;
        Assert.That((series.Seconds.Count, series.Thinned, series.Derived), Is.EqualTo((100, true, false)));
        Assert.That((series.High[54], series.High[53], series.Low[77], series.Low[76]), Is.EqualTo((700, 200, 5, 200)));
        Assert.That(series.Mean[54], Is.EqualTo(200.5).Within(1e-9), "999 samples of 200 and one of 700");
        Assert.That(series.Seconds, Is.Ordered);
    }

    [Test]
    public void FewSamplesAreKeptAsTheyAre()
    {
        var envelope = new PowerEnvelope(s_gpu, 0, 10, 100);
        for (var i = 0; i < 10; i++) envelope.Add(new EnergyReading { TimeSeconds = i, PowerWatts = 10 * i });
        var series = envelope.Series()!;
        Assert.That(series.Thinned, Is.False);
        Assert.That(series.Seconds.Zip(series.Mean), Is.EqualTo(Enumerable.Range(0, 10).Select(i => ((double)i, 10.0 * i))));
    }

    [Test]
    public void WithoutPowerItComesFromTheCounter()
    {
        var envelope = new PowerEnvelope(s_gpu, 0, 10, 50);
        // 150 W for five seconds, then 50 W; the counter is reset at 8 s, which gives no negative power.
        for (var i = 0; i <= 200; i++)
        {
            var t = i * 0.05;
            envelope.Add(new EnergyReading
            {
                TimeSeconds = t,
                EnergyJoules = t >= 8 ? 50 * (t - 8)
                : Math.Min(t, 5) * 150 + Math.Max(0, t - 5) * 50
            });
        }
        var series = envelope.Series()!;
        Assert.That(series.Derived);
        foreach (var (t, watts) in series.Seconds.Zip(series.Mean).Where(p => p.First is < 4.8 or > 5.2))
            Assert.That(watts, Is.EqualTo(t < 5 ? 150 : 50).Within(0.01), $"{t} s");
    }

    [Test]
    public void NothingIsNoSeries() => Assert.That(new PowerEnvelope(s_gpu, 0, 10, 50).Series(), Is.Null);

    [TestCase(123456.789, 5, 123460)]
    [TestCase(0.000123456, 3, 0.000123)]
    [TestCase(-2.5e-7, 1, -2e-7)]
    [TestCase(0, 3, 0)]
    public void DigitsAreSignificantOnes(double value, int digits, double expected) =>
        Assert.That(Rounded.Digits(value, digits), Is.EqualTo(expected).Within(1e-12));

    [TestCase(new double[] { 8, 1, 2, 2, 4 }, 8, new double[] { 1, 2, 4, 8 })]
    [TestCase(new double[] { 1, 2, 3, 4, 5, 6, 7 }, 3, new double[] { 1, 4, 7 })]
    public void TicksAreTheValuesOrEverySoMany(double[] values, int most, double[] expected) =>
        Assert.That(Ticks.OfValues(values, most), Is.EqualTo(expected));
}
