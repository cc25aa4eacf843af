namespace Harness.Datasets;

/// <summary>
/// The prompts that come with the program: short instructions in Alpaca's form and word problems in GSM8K's, in turns, so that
/// already the first few of a run show both. <see cref="Prompt.Index"/> is the position in that order, the category names the form.
/// </summary>
public sealed class DemoPrompts(string directory, int shots, long? seed) : IPromptSource
{
    public const string Name = "demo";

    public string Dataset => Name;

    public ReadLog Log { get; } = new();

    public IEnumerable<Prompt> Read()
    {
        var index = 0;
        using var instructions = new AlpacaPrompts(Path.Combine(directory, "alpaca.json")).Read().GetEnumerator();
        using var problems = new GsmPrompts(Path.Combine(directory, "gsm8k.jsonl"), shots, seed).Read().GetEnumerator();
        for (var more = true; more;)
        {
            more = false;
            foreach (var prompts in new[] { instructions, problems })
            {
                if (!prompts.MoveNext()) continue;
                more = true;
                yield return prompts.Current with { Index = index++, Dataset = Name, Category = prompts.Current.Dataset };
            }
        }
    }
}
