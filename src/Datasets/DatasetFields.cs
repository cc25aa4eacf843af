using System.Text.Json;
using Harness.Datasets.Files;

namespace Harness.Datasets;

/// <summary>
/// The keys by which a kind of data set is told, and those that it uses. A field that other kinds make prompts of is never dropped in
/// silence: such a record is another kind's.
/// </summary>
/// <param name="Kind">Its name.</param>
/// <param name="Required">Every record has them.</param>
/// <param name="Used">It may have them; they are used too.</param>
internal sealed record DatasetFields(string Kind, string[] Required, string[] Used)
{
    /// <summary>
    /// What the data sets on Hugging Face call the parts of a prompt, in the forms of Alpaca, Dolly, SQuAD, MMLU, OpenAI, LLaMA-Factory
    /// and vLLM.
    /// </summary>
    private static readonly HashSet<string> s_prompting = new(StringComparer.OrdinalIgnoreCase)
    {
        "instruction", "instructions", "input", "inputs", "context", "contexts", "passage", "document", "article", "background",
        "prompt", "prompts", "question", "questions", "query", "problem", "choices", "options", "prefix", "suffix",
        "system", "system_prompt", "system_message", "history", "messages", "conversation", "conversations", "dialog", "dialogue", "turns",
        "few_shot", "examples", "tools", "functions", "image", "images", "audio", "audios", "video", "videos",
    };

    /// <summary>A record of these keys is one of the kind, and none of its keys would make another prompt.</summary>
    public bool Fits(IReadOnlyCollection<string> keys) => Required.All(keys.Contains) && !keys.Any(IsForeign);

    /// <summary>Keys that prompts are made of elsewhere and that this kind does not use.</summary>
    public bool IsForeign(string key) => s_prompting.Contains(key) && !Required.Contains(key) && !Used.Contains(key);

    /// <summary>Whether a record's prompt, or a refusal, may come of what stands under a key.</summary>
    public bool MayUse(string key) => Required.Contains(key) || Used.Contains(key) || s_prompting.Contains(key);

    /// <param name="unread">Gathers fields that are not used.</param>
    /// <exception cref="Harness.Common.UserErrorException">One that is not empty belongs to a prompt.</exception>
    public void Check(DatasetRecord record, ISet<string> unread)
    {
        if (record.Value.ValueKind != JsonValueKind.Object) return;      // said where a key is asked for
        foreach (var (name, value) in record.Names().Zip(record.Value.EnumerateObject().Select(property => property.Value)))
        {
            if (Required.Contains(name) || Used.Contains(name)) continue;
            if (IsForeign(name) && !IsEmpty(value))
                throw record.Malformed($"has \"{name}\", of which {Kind} makes no prompt: the answers would be to another "
                    + "question; "
                    + $"write the whole prompt as \"{JsonLinesPrompts.PromptKey}\" of JSON lines (--dataset {JsonLinesPrompts.Name})");
            unread.Add(name);
        }
    }

    private static bool IsEmpty(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null => true,
        JsonValueKind.String => value.ValueEquals(""),
        JsonValueKind.Array => value.GetArrayLength() == 0,
        _ => false,
    };
}
