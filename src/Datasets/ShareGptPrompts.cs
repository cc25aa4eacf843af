using System.Text.Json;
using Harness.Datasets.Files;

namespace Harness.Datasets;

/// <summary>
/// ShareGPT (<c>ShareGPT_V3_unfiltered_cleaned_split.json</c>): the first human turn of each conversation, as it was typed,
/// with the reply that followed as reference output. The file is a split of longer conversations: one that begins in the middle
/// begins here at its first human turn. One without such a turn is left out and counted, so that indexes have gaps.
/// </summary>
public sealed class ShareGptPrompts(DatasetFiles files) : IPromptSource
{
    public const string Name = "sharegpt";

    private const string TurnsKey = "conversations";

    internal static readonly DatasetFields Fields = new(Name, [TurnsKey], ["id"]);

    public string Dataset => Name;

    public ReadLog Log { get; } = new();

    public IEnumerable<Prompt> Read()
    {
        Log.Begin();
        foreach (var record in DatasetRecords.Read(files, Fields.MayUse))
        {
            Log.Read(record, Fields);
            if (record.Property(TurnsKey) is not { ValueKind: JsonValueKind.Array } list)
                throw record.Malformed($"has no list of \"{TurnsKey}\"");
            List<(string From, string Text)> turns = [.. list.EnumerateArray().Select(turn => Turn(record, turn))];
            if (turns.Any(turn => turn is { From: "system", Text.Length: > 0 }))
                throw record.Malformed("has a system turn, of which no prompt is made: the answers would be to another question");
            var human = turns.FindIndex(IsHuman);
            if (human < 0 || turns[human].Text.Length == 0)
            {
                Log.LeaveOut(turns.Count == 0 ? "no turns" : human < 0 ? "no human turn" : "an empty human turn");
                continue;
            }
            yield return new Prompt
            {
                Index = record.Number,
                Dataset = Name,
                Text = turns[human].Text,
                Question = turns[human].Text,
                Source = record.Source,
                Id = record.OptionalScalar("id"),
                ReferenceOutput = human + 1 < turns.Count && !IsHuman(turns[human + 1]) && turns[human + 1].Text.Length > 0
                    ? turns[human + 1].Text : null,
            };
        }
    }

    private static bool IsHuman((string From, string Text) turn) => turn.From is "human" or "user";

    private static (string From, string Text) Turn(DatasetRecord record, JsonElement turn)
    {
        if (turn.ValueKind != JsonValueKind.Object || record.Find(turn, "from") is not { } from
            || record.Find(turn, "value") is not { } value)
            throw record.Malformed("has a turn without \"from\" and \"value\"");
        return (record.Text(from, "from"), record.Text(value, "value"));
    }
}
