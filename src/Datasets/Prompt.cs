using Harness.Common;
using Harness.Models.Llama.Templates;

namespace Harness.Datasets;

/// <summary>One prompt of a dataset, rendered and ready for the tokenizer.</summary>
public sealed record Prompt
{
    /// <summary>Position of its record in the dataset file, from 0: the stable <c>prompt_index</c>, whatever subset was drawn.</summary>
    public required int Index { get; init; }

    public required string Dataset { get; init; }

    /// <summary>What the model reads: the data set's form, or a task's or a template's, filled in; worked examples in front.</summary>
    public required string Text { get; init; }

    /// <summary>The user's own words, without template and worked examples: what a task renders (<see cref="PromptTask"/>).</summary>
    public required string Question { get; init; }

    /// <summary>What the question is about, where the data set keeps that apart.</summary>
    public string? Input { get; init; }

    /// <summary>Turns before the question: worked examples, or the conversation so far.</summary>
    public ValueList<ChatMessage> Before { get; init; } = new();

    /// <summary>The user's turns after the question, in order: each is asked behind the answer to the one before.</summary>
    public ValueList<string> Later { get; init; } = new();

    /// <summary>Of its conversation, from 1.</summary>
    public int Turn { get; init; } = 1;

    /// <summary>
    /// Whether the record is a question or a conversation, which a checkpoint's chat template renders unless a run says otherwise; false
    /// for one that holds a whole prompt.
    /// </summary>
    public bool IsQuestion { get; init; } = true;

    /// <summary>Whether <see cref="Text"/> has all of it; false for a conversation, which a chat template alone can render.</summary>
    public bool HasText { get; init; } = true;

    /// <summary>What a chat template renders.</summary>
    public IReadOnlyList<ChatMessage> Conversation => [.. Before, new("user", Input == null ? Question : $"{Question}\n\n{Input}")];

    /// <summary>File and line of its record (<c>test.jsonl:12</c>), for messages.</summary>
    public required string Source { get; init; }

    /// <summary>The user's own name of the prompt, where the file gives one.</summary>
    public string? Id { get; init; }

    public string? Category { get; init; }

    /// <summary>The final number that a response is judged against (<see cref="GsmAnswer"/>); null where nothing can be judged.</summary>
    public string? ReferenceAnswer { get; init; }

    /// <summary>The dataset's own reply in full, whose length can stand for a realistic output length; null where there is none.</summary>
    public string? ReferenceOutput { get; init; }
}
