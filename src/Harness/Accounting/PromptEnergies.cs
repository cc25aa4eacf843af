using Harness.Energy.Accounting;
using Harness.Records;

namespace Harness.Accounting;

/// <summary>Gives every row its share of its repeat's joules, and its repeat's validity.</summary>
internal static class PromptEnergies
{
    /// <returns>The rows with energy, in the same order, and the attribution of each repeat.</returns>
    public static (List<PromptRecord> Rows, List<Attribution?> Attributions) Fill(RunEnergy energy, IReadOnlyList<PromptRecord> rows, IEnumerable<StepRecord> steps)
    {
        var filled = rows.ToList();
        var attributions = new List<Attribution?>();
        var stepsOf = steps.ToLookup(step => step.Repeat, step => step.ToStep());
        foreach (var repeat in energy.Repeats)
        {
            var number = repeat.Window.Repeat!.Value;
            var attribution = energy.Attribute(repeat, [.. stepsOf[number]]);
            var reasons = energy.Reasons(repeat);
            attributions.Add(attribution);
            for (var i = 0; i < filled.Count; i++)
                if (filled[i].Repeat == number) filled[i] = Fill(filled[i], attribution?.Prompts.GetValueOrDefault(i), attribution != null && attribution.Prompts.ContainsKey(i), repeat.Source, reasons);
        }
        return (filled, attributions);
    }

    private static PromptRecord Fill(PromptRecord row, PromptEnergy? share, bool known, string? source, IReadOnlyList<string> reasons) => row with
    {
        EnergyJoules = known ? share?.Joules : null,
        PrefillEnergyJoules = known ? share?.PrefillJoules : null,
        DecodeEnergyJoules = known ? share?.DecodeJoules : null,
        NetEnergyJoules = known ? share?.NetJoules : null,
        EnergySource = known ? source : null,
        Valid = reasons.Count == 0,
        InvalidReasons = RunEnergy.Joined(reasons),
    };
}
