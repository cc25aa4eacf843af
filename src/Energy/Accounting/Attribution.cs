using System.Runtime.InteropServices;

namespace Harness.Energy.Accounting;

/// <summary>Attributed, not measured, joules of one prompt.</summary>
public readonly record struct PromptEnergy(double PrefillJoules, double DecodeJoules, double? NetJoules)
{
    public double Joules => PrefillJoules + DecodeJoules;
}

/// <summary>A device as attribution sees it.</summary>
/// <param name="IdleWatts">Its baseline; null leaves net joules absent.</param>
/// <param name="Replicas">Whose steps it works for; null: all.</param>
/// <param name="EndSeconds">Where its part of the window ends; null: with the window.</param>
public sealed record AttributedDevice(
    JoulesCurve Curve, double? IdleWatts, IReadOnlySet<int>? Replicas = null, double? EndSeconds = null);

/// <summary>
/// Shares the joules of a window out to prompts. The rule: at each instant the power of a device is split equally among
/// the steps that are active then and that it works for (micro-batches in flight in a pipeline, replicas that share a
/// device); while none is, its joules are unattributed. A step's joules are shared among its entries by tokens processed:
/// the tokens of a prompt in prefill, one for each sequence in decode. So a pure prefill step is shared by prompt tokens, a
/// pure decode step equally over its active sequences, and a mixed step by both alike, which favours decoding sequences:
/// a decode token moves as many weights as a whole prefill chunk. Nothing is scaled to fit: prompts and unattributed add
/// up to the measured joules because every instant is given away exactly once.
/// </summary>
public sealed class Attribution
{
    private Attribution(double measured, double unattributed, Dictionary<int, PromptEnergy> prompts)
    {
        (MeasuredJoules, UnattributedJoules, Prompts) = (measured, unattributed, prompts);
        var (prefill, decode) = (new CompensatedSum(), new CompensatedSum());
        foreach (var prompt in prompts.Values)
        {
            prefill.Add(prompt.PrefillJoules);
            decode.Add(prompt.DecodeJoules);
        }
        (PrefillJoules, DecodeJoules) = (prefill.Value, decode.Value);
    }

    /// <summary>Of all devices, from the window's start to its end.</summary>
    public double MeasuredJoules { get; }
    public double PrefillJoules { get; }
    public double DecodeJoules { get; }

    /// <summary>While no step was active, by steps without tokens, and the shares of prompts that were never finished.</summary>
    public double UnattributedJoules { get; }

    /// <summary>By the prompt's row. Net joules are the prompt's own minus the idle power of its share of device time.</summary>
    public IReadOnlyDictionary<int, PromptEnergy> Prompts { get; }

    /// <summary>Of a prompt's row; null where it took part in no step.</summary>
    public PromptEnergy? Of(int row) => Prompts.TryGetValue(row, out var energy) ? energy : null;

    /// <param name="window">Within reach of every device's curve; steps are clipped to it.</param>
    public static Attribution Compute(EnergyWindow window, IReadOnlyList<AttributedDevice> devices, IReadOnlyList<Step> steps)
    {
        var gross = new CompensatedSum[steps.Count];
        var idle = new CompensatedSum[steps.Count];
        var (measured, unattributed) = (new CompensatedSum(), new CompensatedSum());
        var edges = new StepEdges(steps);
        foreach (var device in devices)
        {
            var part = window with { EndSeconds = device.EndSeconds ?? window.EndSeconds };
            measured.Add(device.Curve.At(part.EndSeconds) - device.Curve.At(part.StartSeconds));
            ShareAmongSteps(part, device, edges.Within(part, device.Replicas), gross, idle, ref unattributed);
        }
        var prompts = new Dictionary<int, Shares>();
        for (var i = 0; i < steps.Count; i++)
        {
            var tokens = steps[i].Entries.Sum(e => (long)e.Tokens);
            if (tokens == 0) unattributed.Add(gross[i].Value);
            else ShareAmongEntries(steps[i], gross[i].Value, idle[i].Value, tokens, prompts, ref unattributed);
        }
        var hasNet = devices.All(d => d.IdleWatts != null);
        return new Attribution(measured.Value, unattributed.Value, prompts.ToDictionary(p => p.Key, p => p.Value.Conclude(hasNet)));
    }

    /// <summary>Sweeps over the edges of the device's steps; between two edges the set of active steps does not change.</summary>
    private static void ShareAmongSteps(EnergyWindow window, AttributedDevice device, IReadOnlyList<StepEdge> edges,
        CompensatedSum[] gross, CompensatedSum[] idle, ref CompensatedSum unattributed)
    {
        var active = new List<int>();
        var last = window.StartSeconds;
        var lastJoules = device.Curve.At(last);
        foreach (var (seconds, step, begins) in edges.Append(new(window.EndSeconds, -1, false)))
        {
            if (seconds > last)
            {
                var now = device.Curve.At(seconds);
                var joules = now - lastJoules;
                if (active.Count == 0) unattributed.Add(joules);
                foreach (var one in active)
                {
                    gross[one].Add(joules / active.Count);
                    idle[one].Add((device.IdleWatts ?? 0) * (seconds - last) / active.Count);
                }
                (last, lastJoules) = (seconds, now);
            }
            if (begins) active.Add(step);
            else active.Remove(step);
        }
    }

    private static void ShareAmongEntries(Step step, double gross, double idle, long tokens, Dictionary<int, Shares> prompts,
        ref CompensatedSum unattributed)
    {
        foreach (var entry in step.Entries)
        {
            var share = entry.Tokens / (double)tokens;
            if (entry.Row is not { } prompt)
            {
                unattributed.Add(gross * share);
                continue;
            }
            ref var sums = ref CollectionsMarshal.GetValueRefOrAddDefault(prompts, prompt, out _);
            if (entry.Phase == StepPhase.Prefill) sums.Prefill.Add(gross * share);
            else sums.Decode.Add(gross * share);
            sums.Idle.Add(idle * share);
        }
    }

    /// <summary>A step begins or ends.</summary>
    private readonly record struct StepEdge(double Seconds, int Step, bool Begins);

    /// <summary>
    /// The edges of some replicas' steps within a stretch of time, in order. Devices of one replica ask for the same, one after another;
    /// devices of a thousand replicas each look at a thousandth of the steps.
    /// </summary>
    private sealed class StepEdges(IReadOnlyList<Step> steps)
    {
        private readonly ILookup<int, int> _stepsOf = Enumerable.Range(0, steps.Count).ToLookup(i => steps[i].Replica);
        private (double Start, double End, IReadOnlySet<int>? Replicas)? _last;
        private List<StepEdge> _edges = [];

        public IReadOnlyList<StepEdge> Within(EnergyWindow part, IReadOnlySet<int>? replicas)
        {
            if (_last is { } last && last.Start == part.StartSeconds && last.End == part.EndSeconds && IsSame(last.Replicas, replicas))
                return _edges;
            _edges = [];
            foreach (var i in replicas == null ? Enumerable.Range(0, steps.Count)
                : replicas.SelectMany(replica => _stepsOf[replica]).Order())
            {
                var start = Math.Max(steps[i].StartSeconds, part.StartSeconds);
                var end = Math.Min(steps[i].EndSeconds, part.EndSeconds);
                if (end <= start) continue;
                _edges.Add(new(start, i, true));
                _edges.Add(new(end, i, false));
            }
            _edges.Sort((a, b) => a.Seconds.CompareTo(b.Seconds));
            _last = (part.StartSeconds, part.EndSeconds, replicas);
            return _edges;
        }

        private static bool IsSame(IReadOnlySet<int>? a, IReadOnlySet<int>? b) =>
            ReferenceEquals(a, b) || (a != null && b != null && a.Count == b.Count && a.SetEquals(b));
    }

    private struct Shares
    {
        public CompensatedSum Prefill, Decode, Idle;

        public readonly PromptEnergy Conclude(bool hasNet) =>
            new(Prefill.Value, Decode.Value, hasNet ? Prefill.Value + Decode.Value - Idle.Value : null);
    }
}
