using Harness.Energy;

namespace Harness.Tests.Energy;

/// <summary>
/// Window energy against scripted power with a known integral, on a simulated clock through the real sampler: 0.5 % for
/// windows of 5 s, 2 % for 1 s, by counter and by power.
/// </summary>
/// <remarks>
/// Power read once per update cannot say when between two updates a step happened: each step costs up to its height times
/// half an update period. The steps here (60 W on 270 W, every 2.3 s, so at most three in 5 s) stay within the 0.5 % by
/// that bound at 100 ms; the counter has no such limit, and is held to the same figures for a load from 70 W to 400 W.
/// </remarks>
public class AccuracyTests
{
    private static readonly ScriptedCurve[] s_curves =
    [
        ScriptedCurve.Steps(240, 300, 2.3),
        ScriptedCurve.Ramp(150, 400, 7.3),
        ScriptedCurve.Noise(270, 20, 3),
    ];

    private static IEnumerable<TestCaseData> Matrix() =>
        from curve in s_curves
        from update in (double[])[0.02, 0.1]
        from interval in (double[])[0.1, 0.01]
        select new TestCaseData(curve, update, interval)
            .SetArgDisplayNames(curve.Name, $"update {update * 1e3} ms", $"every {interval * 1e3} ms");

    [TestCaseSource(nameof(Matrix))]
    public void Windows_are_within_half_a_percent_at_5_s_and_two_at_1_s(ScriptedCurve curve, double update, double interval)
    {
        // 24 windows of each length, their edges at all phases of sensor, sampler and curve
        var windows = new List<(double, double)>();
        for (var i = 0; i < 24; i++)
        {
            var start = Simulation.Ready + i * 7.137;
            windows.Add((start, start + 5));
            windows.Add((start + 5.5, start + 6.5));
        }
        var sensor = new SimulatedSensor(SimulatedSensor.Gpu("GPU-a"), curve, update);
        var run = Simulation.Run(interval, windows, sensor);

        var (worstCounter, worstPower) = (new Dictionary<double, double>(), new Dictionary<double, double>());
        foreach (var window in run.Windows)
        {
            var device = run.Account.Resolve(window).Devices.Single();
            var truth = curve.Between(window.StartSeconds, window.EndSeconds);
            var length = Math.Round(window.DurationSeconds);
            worstCounter[length] = Math.Max(worstCounter.GetValueOrDefault(length), Math.Abs(device.CounterJoules!.Value / truth - 1));
            worstPower[length] = Math.Max(worstPower.GetValueOrDefault(length), Math.Abs(device.PowerJoules!.Value / truth - 1));
            Assert.That(device.InvalidReasons, Is.Empty, window.Name);
        }
        TestContext.Out.WriteLine($"worst of 24: counter {worstCounter[5]:P3} at 5 s, {worstCounter[1]:P3} at 1 s; power "
            + $"{worstPower[5]:P3}, {worstPower[1]:P3}");
        Assert.Multiple(() =>
        {
            Assert.That(worstCounter[5], Is.LessThan(0.005), "counter, 5 s");
            Assert.That(worstCounter[1], Is.LessThan(0.02), "counter, 1 s");
            Assert.That(worstPower[5], Is.LessThan(0.005), "power, 5 s");
            Assert.That(worstPower[1], Is.LessThan(0.02), "power, 1 s");
        });
    }

    [Test]
    public void A_window_that_opens_and_closes_with_the_load_keeps_all_of_its_joules([Values(0.02, 0.1)] double update,
        [Values(1.0, 5.0)] double length)
    {
        var errors = new List<double>();
        for (var i = 0; i < 10; i++)
        {
            var start = 6 + i * 0.0137;
            var curve = ScriptedCurve.Load(70, 400, start, start + length);
            var run = Simulation.Run(0.1, [(start, start + length)], new SimulatedSensor(SimulatedSensor.Gpu("GPU-a"), curve, update));
            var device = run.Account.Resolve(run.Windows[0]).Devices.Single();
            errors.Add(device.CounterJoules!.Value / (400 * length) - 1);
        }
        TestContext.Out.WriteLine($"mean {errors.Average():P3}, worst {errors.Max(Math.Abs):P3}");
        Assert.That(errors.Max(Math.Abs), Is.LessThan(length > 1 ? 0.005 : 0.02));
        Assert.That(errors.Average(), Is.EqualTo(0).Within(0.002), "no bias towards losing the load's first and last moments");
    }

    [Test]
    public void A_sensor_that_updates_unevenly_does_no_harm([Values(0.02, 0.1)] double update)
    {
        var windows = Enumerable.Range(0, 20).Select(i => (Simulation.Ready + i * 2.137, Simulation.Ready + i * 2.137 + 1)).ToList();
        var curve = ScriptedCurve.Ramp(150, 400, 7.3);
        var run = Simulation.Run(0.1, windows,
            new SimulatedSensor(SimulatedSensor.Gpu("GPU-a"), curve, update) { JitterSeconds = 0.1 * update });
        foreach (var window in run.Windows)
        {
            var truth = curve.Between(window.StartSeconds, window.EndSeconds);
            var device = run.Account.Resolve(window).Devices.Single();
            Assert.That(device.CounterJoules, Is.EqualTo(truth).Within(2).Percent, window.Name);
            Assert.That(device.PowerJoules, Is.EqualTo(truth).Within(2).Percent, window.Name);
        }
    }

    [Test]
    public void An_average_over_a_second_is_dated_to_its_middle()
    {
        var curve = ScriptedCurve.Ramp(100, 400, 20);
        var sensor = new SimulatedSensor(SimulatedSensor.Gpu("GPU-a"), curve, 0.1) { Field = PowerField.Average1s, HasCounter = false };
        var run = Simulation.Run(0.1, [(8.0, 13.0)], sensor);
        var device = run.Account.Resolve(run.Windows[0]).Devices.Single();
        Assert.That(device.Source, Is.EqualTo("nvml_power_average_1s"));
        Assert.That(device.Joules, Is.EqualTo(curve.Between(8, 13)).Within(0.5).Percent);
        Assert.That(device.CounterPowerRatio, Is.Null);
    }

    [Test]
    public void Curves_in_closed_form_match_their_numerical_integral()
    {
        foreach (var curve in (ScriptedCurve[])[.. s_curves, ScriptedCurve.Load(70, 400, 3, 8.5)])
        {
            const int pieces = 200_000;
            var sum = 0.0;
            for (var i = 0; i < pieces; i++) sum += curve.Watts((i + 0.5) * 20 / pieces) * 20 / pieces;
            Assert.That(curve.Joules(20), Is.EqualTo(sum).Within(1e-4).Percent, curve.Name);
        }
    }
}
