using Harness.Energy.Accounting;
using Harness.Runs.Records;

namespace Harness.Runs.Accounting;

/// <summary>Gives a piece's rows their shares of their repeats' joules, and their repeats' validity.</summary>
public static class PromptEnergies
{
    /// <param name="piece">Whose rows are filled in, in place.</param>
    /// <param name="steps">Of the piece; their rows are places in <paramref name="rows"/>.</param>
    /// <returns>The attribution of each repeat of the piece.</returns>
    public static List<Attribution?> Fill(RunEnergy energy, int piece, List<PromptRecord> rows, IEnumerable<StepRecord> steps)
    {
        var attributions = new List<Attribution?>();
        var stepsOf = steps.ToLookup(step => step.Repeat, step => step.ToStep());
        foreach (var repeat in energy.Repeats)
        {
            var number = repeat.Window.Repeat!.Value;
            var attribution = energy.Attribute(repeat, [.. stepsOf[number]]);
            var reasons = energy.Reasons(repeat);
            attributions.Add(attribution);
            for (var i = 0; i < rows.Count; i++)
                if (rows[i].Repeat == number && rows[i].Piece == piece)
                    rows[i] = Fill(rows[i], attribution?.Prompts.GetValueOrDefault(i), attribution != null && attribution.Prompts.ContainsKey(i), repeat.Source, reasons);
        }
        return attributions;
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
