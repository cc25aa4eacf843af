using Harness.Common;
using Harness.Runs.Records;

namespace Harness.Datasets;

/// <summary>
/// The forms in which prompts are asked: that of the data set (plain), that of the checkpoint's chat template, and
/// the tasks of the ML.ENERGY leaderboard's first version: the same question under system prompts that ask for a normal or a
/// concise answer, as chat or as instruction (<c>SYSTEM_PROMPTS</c> in github.com/ml-energy/leaderboard). Chat stands in
/// FastChat's Vicuna form, an instruction in Alpaca's.
/// </summary>
public static class PromptTask
{
    /// <summary>As the checkpoint's chat template renders them.</summary>
    public const string Template = SummaryRecord.TemplateTask;

    /// <summary>As the data set renders them.</summary>
    public const string Plain = "plain";

    private const string Chat = "A chat between a human user (prompter) and an artificial intelligence (AI) assistant. The assistant "
        + "gives helpful, detailed, and polite answers to the user's questions. ";

    private static readonly Dictionary<string, Func<Prompt, string>> s_templates = new(StringComparer.Ordinal)
    {
        ["chat"] = prompt => InChat(Chat, prompt),
        ["chat-concise"] = prompt => InChat(Chat + "The assistant's answers are very concise. ", prompt),
        ["instruct"] = prompt => AlpacaPrompts.Render(prompt.Question, prompt.Input ?? ""),
        ["instruct-concise"] = prompt => AlpacaPrompts.Render(prompt.Question, prompt.Input ?? "", " The response should be very concise."),
    };

    public static string Known => string.Join(", ", s_templates.Keys.Append(Template).Append(Plain));

    public static bool IsKnown(string task) => s_templates.ContainsKey(task) || task is Template or Plain;

    /// <summary>The prompt in the task's form; without one as the data set renders it.</summary>
    /// <exception cref="UserErrorException">The task is unknown or a chat template's, the question is empty, or a conversation.</exception>
    public static Prompt Apply(string? task, Prompt prompt)
    {
        if (!prompt.HasText)
            throw new UserErrorException($"{prompt.Source} is a conversation of {prompt.Conversation.Count} messages, which only a chat "
                + "template can ask; use a checkpoint that has one, with --task template, or write the whole prompt as "
                + $"\"{JsonLinesPrompts.PromptKey}\"");
        if (task is null or Plain) return prompt;
        if (!s_templates.TryGetValue(task, out var template))
            throw new UserErrorException($"--task is '{task}', but one of {Known} is expected");
        RefuseEmpty(task, prompt);
        return prompt with { Text = template(prompt) };
    }

    /// <exception cref="UserErrorException">There is nothing to ask.</exception>
    public static void RefuseEmpty(string task, Prompt prompt)
    {
        if (prompt.Question.Length == 0)
            throw new UserErrorException($"{prompt.Source} has an empty prompt, which --task {task} cannot ask; leave --task out or "
                + "remove the prompt");
    }

    private static string InChat(string system, Prompt prompt) =>
        $"{system}USER: {prompt.Question}{(prompt.Input is { } input ? $"\n\n{input}" : "")} ASSISTANT:";
}
