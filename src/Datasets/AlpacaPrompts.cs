using Harness.Datasets.Files;

namespace Harness.Datasets;

/// <summary>
/// Stanford Alpaca: <c>alpaca_data.json</c>, records of <c>instruction</c>, <c>input</c> (often empty) and <c>output</c>,
/// under the two prompt templates of tatsu-lab/stanford_alpaca (<c>PROMPT_DICT</c> in its <c>train.py</c>).
/// </summary>
public sealed class AlpacaPrompts(DatasetFiles files) : IPromptSource
{
    public const string Name = "alpaca";

    internal static readonly DatasetFields Fields = new(Name, ["instruction"], ["input", "output", "id"]);

    public string Dataset => Name;

    public ReadLog Log { get; } = new();

    public IEnumerable<Prompt> Read()
    {
        Log.Begin();
        foreach (var record in DatasetRecords.Read(files, Fields.MayUse))
        {
            Log.Read(record, Fields);
            var (instruction, input) = (record.Required("instruction"), record.Optional("input") ?? "");
            yield return new Prompt
            {
                Index = record.Number,
                Dataset = Name,
                Text = Render(instruction, input),
                Question = instruction,
                Input = input.Length > 0 ? input : null,
                Source = record.Source,
                Id = record.OptionalScalar("id"),
                ReferenceOutput = record.Optional("output") is { Length: > 0 } output ? output : null,
            };
        }
    }

    /// <summary>Any <paramref name="input"/> but the empty string takes the template with an input, as in the original.</summary>
    /// <param name="manner">A further sentence on how to respond.</param>
    public static string Render(string instruction, string input, string manner = "") => input.Length > 0
        ? $"""
          Below is an instruction that describes a task, paired with an input that provides further context. Write a response that appropriately completes the request.{manner}

          ### Instruction:
          {instruction}

          ### Input:
          {input}

          ### Response:
          """
        : $"""
          Below is an instruction that describes a task. Write a response that appropriately completes the request.{manner}

          ### Instruction:
          {instruction}

          ### Response:
          """;
}
