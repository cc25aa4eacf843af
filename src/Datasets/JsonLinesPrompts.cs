using System.Text.Json;
using Harness.Common;
using Harness.Datasets.Files;
using Harness.Models.Llama.Templates;

namespace Harness.Datasets;

/// <summary>
/// A file of the user's own, one object a line: <c>prompt</c>, a whole prompt, or <c>messages</c>, a conversation of <c>role</c> and
/// <c>content</c>; and where wanted <c>id</c>, <c>category</c> and <c>answer</c>. An answer that is a number, or ends in <c>#### N</c>, is
/// what responses are judged against; any other text is kept as reference. A conversation is asked up to its last user turn; an assistant's
/// turn behind that is kept as reference.
/// </summary>
public sealed class JsonLinesPrompts(DatasetFiles files) : IPromptSource
{
    public const string Name = "jsonl";

    internal const string PromptKey = "prompt";
    private const string MessagesKey = "messages";

    internal static readonly DatasetFields Fields = new(Name, [PromptKey], ["id", "category", "answer"]);
    internal static readonly DatasetFields MessagesFields = new(Name, [MessagesKey], ["id", "category", "answer"]);

    public string Dataset => Name;

    public ReadLog Log { get; } = new();

    public IEnumerable<Prompt> Read()
    {
        Log.Begin();
        foreach (var record in DatasetRecords.Read(files, Fields.MayUse))
        {
            var isConversation = record.Value.ValueKind == JsonValueKind.Object && record.Find(record.Value, PromptKey) == null
                && record.Find(record.Value, MessagesKey) != null;
            Log.Read(record, isConversation ? MessagesFields : Fields);
            var answer = record.OptionalScalar("answer");
            var prompt = isConversation ? Conversation(record) : Whole(record);
            yield return prompt with
            {
                Id = record.OptionalScalar("id"),
                Category = record.OptionalScalar("category"),
                ReferenceAnswer = answer == null ? null : GsmAnswer.Marked(answer) ?? GsmAnswer.Whole(answer),
                ReferenceOutput = answer ?? prompt.ReferenceOutput,
            };
        }
    }

    private static Prompt Whole(DatasetRecord record) => new()
    {
        Index = record.Number,
        Dataset = Name,
        Text = record.Given(PromptKey),     // empty: the model speaks from beginning-of-text alone
        Question = record.Given(PromptKey),
        IsQuestion = false,
        Source = record.Source,
    };

    private static Prompt Conversation(DatasetRecord record)
    {
        if (record.Property(MessagesKey) is not { ValueKind: JsonValueKind.Array } list)
            throw record.Malformed($"has no list of \"{MessagesKey}\"");
        List<ChatMessage> messages = [.. list.EnumerateArray().Select(message => Message(record, message))];
        if (messages.FindLastIndex(message => message.Role == "system") > 0)
            throw record.Malformed("has a system message behind the first message, where no template renders it");
        string? reply = null;
        if (messages is [.., { Role: "assistant" } last])
        {
            reply = last.Content.Length > 0 ? last.Content : null;
            messages.RemoveAt(messages.Count - 1);
        }
        if (messages is not [.., { Role: "user", Content.Length: > 0 } question])
            throw record.Malformed("has no question of the user as its last message, or as the last but the assistant's");
        return new()
        {
            Index = record.Number,
            Dataset = Name,
            Text = question.Content,
            Question = question.Content,
            Before = new([.. messages[..^1]]),
            HasText = messages.Count == 1,
            Source = record.Source,
            ReferenceOutput = reply,
        };
    }

    private static ChatMessage Message(DatasetRecord record, JsonElement message)
    {
        if (message.ValueKind != JsonValueKind.Object || record.Find(message, "role") is not { } role
            || record.Find(message, "content") is not { } content)
            throw record.Malformed("has a message without \"role\" and \"content\"");
        if (record.Names(message).FirstOrDefault(name => name is not ("role" or "content")
            && record.Find(message, name) is { ValueKind: not JsonValueKind.Null }) is { } other)
            throw record.Malformed($"has \"{other}\" in a message, of which no prompt is made");
        return record.Text(role, "role") is var name && name is "system" or "user" or "assistant"
            ? new(name, record.Text(content, "content"))
            : throw record.Malformed($"has a message of the role \"{name}\"; system, user and assistant are known");
    }
}
