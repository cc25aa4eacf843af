using System.Text;
using Harness.Common;
using Harness.Energy.Accounting;

namespace Harness.Tests.Energy;

public class AttributionTests
{
    /// <summary>A device that draws constant power from second 0 to 100.</summary>
    private static AttributedDevice Device(double watts, double? idle = null, params int[] groups) =>
        new(new JoulesCurve([0, 100], [0, 100 * watts]), idle, groups.Length == 0 ? null : groups.ToHashSet());

    private static EnergyWindow Window(double start, double end) => new("w", WindowKind.Measured, start, end);

    private static Step Prefill(double start, double end, params (int Prompt, int Tokens)[] entries) =>
        Accounting.Step(start, end, 0, [.. entries.Select(e => new StepEntry(e.Prompt, e.Tokens, StepPhase.Prefill))]);

    private static Step Decode(double start, double end, params int[] prompts) =>
        Accounting.Step(start, end, 0, [.. prompts.Select(p => new StepEntry(p, 1, StepPhase.Decode))]);

    [Test]
    public void Prefill_is_shared_by_prompt_tokens_and_decode_over_active_sequences()
    {
        // 200 W. 1 s prefill of 30 and 10 tokens: 150 and 50 J. 2 s decode of both: 200 J each. 1 s decode of prompt 7 alone: 200 J.
        var result = Attribution.Compute(Window(10, 15), [Device(200, 40)],
            [Prefill(10.5, 11.5, (7, 30), (9, 10)), Decode(11.5, 13.5, 7, 9), Decode(13.5, 14.5, 7)]);
        Assert.Multiple(() =>
        {
            Assert.That(result.MeasuredJoules, Is.EqualTo(1000));
            Assert.That(result.Prompts[7].PrefillJoules, Is.EqualTo(150).Within(1e-9));
            Assert.That(result.Prompts[7].DecodeJoules, Is.EqualTo(400).Within(1e-9));
            Assert.That(result.Prompts[9].PrefillJoules, Is.EqualTo(50).Within(1e-9));
            Assert.That(result.Prompts[9].Joules, Is.EqualTo(250).Within(1e-9));
            Assert.That(result.UnattributedJoules, Is.EqualTo(200).Within(1e-9),
                "half a second before the first step and half after the last");
            // net of 40 W: prompt 9 had a quarter of 1 s and half of 2 s
            Assert.That(result.Prompts[9].NetJoules, Is.EqualTo(250 - 40 * 1.25).Within(1e-9));
            Assert.That((result.PrefillJoules, result.DecodeJoules), Is.EqualTo((200.0, 600.0)).Within(1e-9));
        });
    }

    [Test]
    public void A_mixed_step_is_shared_by_tokens_processed()
    {
        // one chunk of 30 prompt tokens beside two decoding sequences: 32 tokens
        var step = Accounting.Step(0, 1, 0, [new(1, 30, StepPhase.Prefill), new(2, 1, StepPhase.Decode), new(3, 1, StepPhase.Decode)]);
        var result = Attribution.Compute(Window(0, 1), [Device(320)], [step]);
        Assert.That(result.Prompts[1], Is.EqualTo(new PromptEnergy(300, 0, null)));
        Assert.That(result.Prompts[3], Is.EqualTo(new PromptEnergy(0, 10, null)));
        Assert.That(result.UnattributedJoules, Is.Zero);
    }

    [Test]
    public void The_share_of_a_prompt_that_was_never_finished_is_nobodys()
    {
        // 320 W for 1 s over 32 tokens: 10 J each; the one given up had 30 of them, and the others get no more for it
        var step = Accounting.Step(0, 1, 0, [new(2, 1, StepPhase.Decode), new(3, 1, StepPhase.Decode), new(null, 30, StepPhase.Prefill)]);
        var result = Attribution.Compute(Window(0, 1), [Device(320, 32)], [step]);
        Assert.That(result.Prompts[2], Is.EqualTo(new PromptEnergy(0, 10, 9)));
        Assert.That((result.Prompts.Count, result.UnattributedJoules), Is.EqualTo((2, 300.0)));
    }

    [Test]
    public void Micro_batches_in_flight_share_each_instant_equally()
    {
        // 100 W; step A 0…3, step B 1…2: A alone 2 s, both 1 s
        var result = Attribution.Compute(Window(0, 4), [Device(100)], [Decode(0, 3, 1), Decode(1, 2, 2)]);
        Assert.That(result.Prompts[1].Joules, Is.EqualTo(250).Within(1e-9));
        Assert.That(result.Prompts[2].Joules, Is.EqualTo(50).Within(1e-9));
        Assert.That(result.UnattributedJoules, Is.EqualTo(100).Within(1e-9));
    }

    [Test]
    public void Replicas_pay_for_their_own_devices_and_share_a_common_one()
    {
        Step On(int replica, int prompt) => Accounting.Step(0, 1, replica, new StepEntry(prompt, 1, StepPhase.Decode));
        AttributedDevice[] devices = [Device(100, null, 0), Device(300, null, 1), Device(50, null, 0, 1)];
        var result = Attribution.Compute(Window(0, 1), devices, [On(0, 10), On(1, 20)]);
        Assert.That(result.Prompts[10].Joules, Is.EqualTo(125).Within(1e-9));
        Assert.That(result.Prompts[20].Joules, Is.EqualTo(325).Within(1e-9));
    }

    [Test]
    public void Steps_are_clipped_to_the_window_and_empty_ones_give_nobody_anything()
    {
        var result = Attribution.Compute(Window(10, 12), [Device(100)],
            [Decode(9, 10.5, 1), Decode(11.5, 20, 2), Decode(30, 31, 3), Accounting.Step(10.6, 11, 0), Decode(11.2, 11.2, 4)]);
        Assert.That(result.Prompts[1].Joules, Is.EqualTo(50).Within(1e-9));
        Assert.That(result.Prompts[2].Joules, Is.EqualTo(50).Within(1e-9));
        Assert.That(result.Prompts[3].Joules + result.Prompts[4].Joules, Is.Zero);
        Assert.That(result.UnattributedJoules, Is.EqualTo(100).Within(1e-9));
    }

    [Test]
    public void Net_joules_are_absent_without_every_devices_baseline()
    {
        var result = Attribution.Compute(Window(0, 1), [Device(100, 20), Device(100)], [Decode(0, 1, 1)]);
        Assert.That(result.Prompts[1].Joules, Is.EqualTo(200));
        Assert.That(result.Prompts[1].NetJoules, Is.Null);
    }

    [Test]
    public void Prompts_and_unattributed_add_up_to_the_measured_joules_within_1e_9([Values(1, 2)] int seed)
    {
        // eight GPUs, two replicas of two pipeline stages' worth of overlapping micro-batches, ten minutes of 20-ms steps
        var random = new Random(seed);
        var devices = new List<AttributedDevice>();
        for (var d = 0; d < 8; d++)
        {
            var times = new double[6_001];
            var joules = new double[6_001];
            var watts = new double[6_001];
            for (var i = 1; i < times.Length; i++)
            {
                times[i] = i * 0.1;
                watts[i] = 100 + 300 * random.NextDouble();
                joules[i] = joules[i - 1] + watts[i] * 0.1;
            }
            devices.Add(new AttributedDevice(new JoulesCurve(times, joules, watts), 60 + d, new HashSet<int> { d / 4 }));
        }
        var steps = new List<Step>();
        for (var group = 0; group < 2; group++)
        {
            for (var (batch, time) = (0, 1.0); time < 590; batch++)
            {
                var length = 0.005 + 0.03 * random.NextDouble();
                var entries = Enumerable.Range(0, 1 + random.Next(16)).Select(_ => random.Next(10) == 0
                    ? new StepEntry(random.Next(4096), 1 + random.Next(500), StepPhase.Prefill)
                    : new StepEntry(random.Next(4096), 1, StepPhase.Decode)).ToList();
                steps.Add(Accounting.Step(time, time + length * 1.7, group, [.. entries]));
                time += length;
            }
        }
        var result = Attribution.Compute(Window(0.5, 599.5), devices, steps);
        var sum = (decimal)result.UnattributedJoules + result.Prompts.Values.Sum(p => (decimal)p.PrefillJoules + (decimal)p.DecodeJoules);
        var error = (double)(sum / (decimal)result.MeasuredJoules - 1);
        TestContext.Out.WriteLine($"{steps.Count} steps, {result.Prompts.Count} prompts, {result.MeasuredJoules:F0} J: relative "
            + $"difference {error:E1}");
        Assert.That(Math.Abs(error), Is.LessThan(1e-9));
        Assert.That(result.PrefillJoules + result.DecodeJoules + result.UnattributedJoules, Is.EqualTo(result.MeasuredJoules)
            .Within(1e-7).Percent);
    }

    [Test]
    public void An_account_attributes_what_its_timelines_measured()
    {
        var curve = ScriptedCurve.Steps(240, 300, 0.9);
        SimulatedSensor[] sensors =
            [new(SimulatedSensor.Gpu("GPU-a"), curve, 0.1), new(SimulatedSensor.Gpu("GPU-b", "node2"), curve, 0.02)];
        var run = Simulation.Run(0.1, [(5, 7), (8, 12)], sensors);
        var account = run.WithIdle(run.Windows[0]);
        var measured = account.Resolve(run.Windows[1]);
        var steps = Enumerable.Range(0, 60).Select(i => Decode(8.1 + i * 0.06, 8.15 + i * 0.06, i % 4, 4)).ToList();
        var result = account.Attribute(run.Windows[1], steps)!;
        Assert.That(result.MeasuredJoules, Is.EqualTo(measured.Joules).Within(1e-9).Percent, "the same joules as the window's");
        Assert.That(result.Prompts.Values.Sum(p => p.Joules) + result.UnattributedJoules, Is.EqualTo(measured.Joules).Within(1e-7).Percent);
        Assert.That(result.Prompts[4].NetJoules, Is.LessThan(result.Prompts[4].Joules));
        Assert.That(account.Attribute(new EnergyWindow("beyond", WindowKind.Measured, 12, 500), steps), Is.Null);
    }

    /// <summary>Taken for another kind, a prompt's joules of one phase would be those of the other.</summary>
    [Test]
    public void A_step_of_no_known_kind_is_named([Values("\"prefil\"", "\"Prefill\"", "\"\"", "1", "null")] string kind)
    {
        var line = $$"""{"repeat":1,"replica":0,"batch_index":0,"micro_batch":0,"kind":{{kind}},"start_s":0,"end_s":1,"rows":[0]}""";
        Assert.That(() => Read(line), Throws.TypeOf<UserErrorException>()
            .With.Message.EqualTo($"steps.jsonl:1: {kind} is none of prefill, decode, mixed"));
        Assert.That(Read(line.Replace($"\"kind\":{kind}", "\"kind\":\"mixed\"")).Kind, Is.EqualTo(StepKind.Mixed));

        static Step Read(string line) => JsonRows.Read<Step>(new MemoryStream(Encoding.UTF8.GetBytes(line)), "steps.jsonl").Single();
    }
}
