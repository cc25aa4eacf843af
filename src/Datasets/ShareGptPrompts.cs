using System.Text.Json;
using Harness.Datasets.Files;

namespace Harness.Datasets;

/// <summary>
/// ShareGPT (<c>ShareGPT_V3_unfiltered_cleaned_split.json</c>): the first human turn of each conversation, as it was typed, or the first
/// few, with the reply that followed the first as reference output. The file is a split of longer conversations: one that begins in the
/// middle begins here at its first human turn. One without such a turn is left out and counted, so that indexes have gaps.
/// </summary>
/// <param name="turns">Human turns of a conversation that are asked at most; those from an empty one on are not.</param>
public sealed class ShareGptPrompts(DatasetFiles files, int turns = 1) : IPromptSource
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
            List<(string From, string Text)> said = [.. list.EnumerateArray().Select(turn => Turn(record, turn))];
            if (said.Any(turn => turn is { From: "system", Text.Length: > 0 }))
                throw record.Malformed("has a system turn, of which no prompt is made: the answers would be to another question");
            var human = said.FindIndex(IsHuman);
            if (human < 0 || said[human].Text.Length == 0)
            {
                Log.LeaveOut(said.Count == 0 ? "no turns" : human < 0 ? "no human turn" : "an empty human turn");
                continue;
            }
            yield return new Prompt
            {
                Index = record.Number,
                Dataset = Name,
                Text = said[human].Text,
                Question = said[human].Text,
                Later = new([.. said.Skip(human + 1).Where(IsHuman).Select(turn => turn.Text).TakeWhile(text => text.Length > 0)
                    .Take(turns - 1)]),
                Source = record.Source,
                Id = record.OptionalScalar("id"),
                ReferenceOutput = human + 1 < said.Count && !IsHuman(said[human + 1]) && said[human + 1].Text.Length > 0
                    ? said[human + 1].Text : null,
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
