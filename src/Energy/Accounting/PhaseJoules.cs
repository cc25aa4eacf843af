using System.Text.Json.Serialization;

namespace Harness.Energy.Accounting;

/// <summary>A device's joules in a window by what its ranks did meanwhile; the five add up to the device's.</summary>
/// <param name="Communication">In collectives and sends.</param>
/// <param name="Waiting">For activations, tokens or requests.</param>
/// <param name="Other">While its ranks did none of these.</param>
public readonly record struct PhaseJoules(
    [property: JsonPropertyName("prefill_j")] double Prefill,
    [property: JsonPropertyName("decode_j")] double Decode,
    [property: JsonPropertyName("communication_j")] double Communication,
    [property: JsonPropertyName("waiting_j")] double Waiting,
    [property: JsonPropertyName("other_j")] double Other)
{
    /// <summary>
    /// The rule: at each instant every rank that works on the device has an equal part of its power. Within a stretch, which is no longer
    /// than a sampling interval or else a single pass or wait, power is taken for the same in all its parts.
    /// </summary>
    /// <param name="part">Within the curve's reach.</param>
    /// <param name="ranks">Those that work on the device, at least one.</param>
    /// <returns>Null where the host did not see what the device did.</returns>
    internal static PhaseJoules? Of(JoulesCurve curve, EnergyWindow part, IReadOnlyList<RankPhases> ranks)
    {
        var sums = new Sums(1.0 / ranks.Count);
        foreach (var rank in ranks)
        {
            var last = part.StartSeconds;
            var lastJoules = curve.At(last);
            foreach (var stretch in rank.Within(part.StartSeconds, part.EndSeconds))
            {
                if (!stretch.IsSeen) return null;
                // Clocks that are mapped to one another may make two neighbours overlap by less than a nanosecond.
                var start = Math.Max(stretch.StartSeconds, last);
                var end = Math.Clamp(stretch.EndSeconds, start, part.EndSeconds);
                var (startJoules, endJoules) = (curve.At(start), curve.At(end));
                sums.AddOther(startJoules - lastJoules);
                sums.Add(stretch, endJoules - startJoules);
                (last, lastJoules) = (end, endJoules);
            }
            sums.AddOther(curve.At(part.EndSeconds) - lastJoules);
        }
        return sums.Value;
    }

    /// <summary>Null where there is nothing to add, or a part is missing.</summary>
    public static PhaseJoules? Sum(IEnumerable<PhaseJoules?> parts)
    {
        var (sums, any) = (new Sums(1), false);
        foreach (var part in parts)
        {
            if (part is not { } joules) return null;
            sums.Add(joules);
            any = true;
        }
        return any ? sums.Value : null;
    }

    private struct Sums(double share)
    {
        private CompensatedSum _prefill, _decode, _communication, _waiting, _other;

        public readonly PhaseJoules Value => new(_prefill.Value, _decode.Value, _communication.Value, _waiting.Value, _other.Value);

        public void AddOther(double joules) => _other.Add(joules * share);

        public void Add(PhaseStretch stretch, double joules)
        {
            var (communication, waiting) = (stretch.CommunicationSeconds!.Value, stretch.WaitingSeconds!.Value);
            var known = stretch.PrefillSeconds + stretch.DecodeSeconds + communication + waiting;
            // Seconds are those of the rank's clock, the stretch lies on rank 0's: one may be longer by some millionths.
            var whole = Math.Max(stretch.DurationSeconds, known);
            if (whole <= 0) return;
            var perSecond = joules * share / whole;
            Add(new(stretch.PrefillSeconds * perSecond, stretch.DecodeSeconds * perSecond, communication * perSecond, waiting * perSecond,
                (whole - known) * perSecond));
        }

        public void Add(PhaseJoules joules)
        {
            _prefill.Add(joules.Prefill);
            _decode.Add(joules.Decode);
            _communication.Add(joules.Communication);
            _waiting.Add(joules.Waiting);
            _other.Add(joules.Other);
        }
    }
}
