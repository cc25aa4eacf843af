using Harness.Common;
using Harness.Energy;
using Harness.Energy.Accounting;
using Harness.Energy.Statistics;

namespace Harness.Tests.Energy;

public class StatisticsTests
{
    // Student's t table, two-sided (NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2)
    [TestCase(1, 0.95, 12.706)]
    [TestCase(2, 0.95, 4.303)]
    [TestCase(4, 0.95, 2.776)]
    [TestCase(9, 0.95, 2.262)]
    [TestCase(30, 0.95, 2.042)]
    [TestCase(100, 0.95, 1.984)]
    [TestCase(1, 0.99, 63.657)]
    [TestCase(5, 0.99, 4.032)]
    [TestCase(10, 0.90, 1.812)]
    [TestCase(3, 0.80, 1.638)]
    public void Quantiles_are_those_of_the_table(int degrees, double confidence, double expected) =>
        Assert.That(StudentT.TwoSidedQuantile(degrees, confidence), Is.EqualTo(expected).Within(0.0005));

    [Test]
    public void An_interval_of_repeats()
    {
        // mean 10, s = 1, n = 4: half width 3.182·1/2
        var interval = ConfidenceInterval.Of([9, 9.5, 10.5, 11])!;
        Assert.That(interval.Mean, Is.EqualTo(10));
        Assert.That(interval.HalfWidth, Is.EqualTo(3.1824 * Math.Sqrt((1 + 0.25 + 0.25 + 1) / 3) / 2).Within(1e-4));
        Assert.That(interval.RelativeHalfWidth, Is.EqualTo(interval.HalfWidth / 10));
        Assert.That(ConfidenceInterval.Of([5]), Is.Null);
    }

    [Test]
    public void A_number_of_repeats_is_kept()
    {
        var plan = RepeatPlan.Fixed(2);
        Assert.That(Enumerable.Range(0, 4).Select(n => plan.NeedsAnother(new double?[n])), Is.EqualTo(new[] { true, true, false, false }));
    }

    [Test]
    public void Repeats_go_on_until_the_interval_is_narrow_enough_or_the_limit_is_reached()
    {
        var plan = RepeatPlan.UntilInterval(0.02, 6);
        Assert.That(plan.NeedsAnother([]), Is.True);
        Assert.That(plan.NeedsAnother([3, 3]), Is.True, "two say nothing");
        Assert.That(plan.NeedsAnother([3.00, 3.01, 2.99]), Is.False, "± 0.8 %");
        Assert.That(plan.NeedsAnother([3.0, 3.1, 2.9]), Is.True, "± 8 %");
        Assert.That(plan.NeedsAnother([3.0, 3.1, 2.9, 3.1, 2.9]), Is.True);
        Assert.That(plan.NeedsAnother([3.0, 3.1, 2.9, 3.1, 2.9, 3.1]), Is.False, "the limit");
    }

    [Test]
    public void Joules_that_are_not_known_end_no_plan()
    {
        var plan = RepeatPlan.UntilInterval(0.02, 6);
        Assert.That(plan.NeedsAnother([3.0, null, 2.9]), Is.True, "two are known, and say nothing");
        Assert.That(plan.NeedsAnother([null, null, null]), Is.True);
        Assert.That(plan.NeedsAnother([3.00, 3.01, null, 2.99]), Is.False, "± 0.8 % of the three that are known");
        Assert.That(plan.NeedsAnother([3.0, 3.1, null, 2.9]), Is.True, "± 8 %");
        Assert.That(plan.NeedsAnother(new double?[6]), Is.False, "the limit");
    }

    [Test]
    public void Impossible_plans_are_refused()
    {
        Assert.That(() => RepeatPlan.Fixed(0), Throws.InstanceOf<UserErrorException>());
        Assert.That(() => RepeatPlan.UntilInterval(1.5, 10), Throws.InstanceOf<UserErrorException>());
        Assert.That(() => RepeatPlan.UntilInterval(0.02, 2), Throws.InstanceOf<UserErrorException>());
    }
}
