using System.Text.Json;

namespace Harness.Datasets;

/// <summary>
/// ShareGPT (<c>ShareGPT_V3_unfiltered_cleaned_split.json</c>): the first human turn of each conversation, as it was typed,
/// with the reply that followed as reference output. A conversation that does not begin with a human turn is left out
/// (the file is a split of longer ones), so that indexes have gaps.
/// </summary>
public sealed class ShareGptPrompts(string path) : IPromptSource
{
    public const string Name = "sharegpt";

    public string Dataset => Name;

    public IEnumerable<Prompt> Read()
    {
        foreach (var record in JsonRecords.Read(path))
        {
            if (record.Property("conversations") is not { ValueKind: JsonValueKind.Array } turns)
                throw record.Malformed("has no list of \"conversations\"");
            if (turns.GetArrayLength() == 0 || Turn(record, turns[0]) is not { Human: true, Text: { Length: > 0 } text }) continue;
            yield return new Prompt
            {
                Index = record.Number,
                Dataset = Name,
                Text = text,
                Question = text,
                Source = record.Source,
                Id = record.OptionalScalar("id"),
                ReferenceOutput = turns.GetArrayLength() > 1 && Turn(record, turns[1]) is { Human: false, Text: { Length: > 0 } reply }
                    ? reply
                    : null,
            };
        }
    }

    private static (bool Human, string Text) Turn(JsonRecord record, JsonElement turn)
    {
        if (turn.ValueKind != JsonValueKind.Object || !turn.TryGetProperty("from", out var from) || !turn.TryGetProperty("value", out var value))
            throw record.Malformed("has a turn without \"from\" and \"value\"");
        return (record.Text(from, "from") is "human" or "user", record.Text(value, "value"));
    }
}
