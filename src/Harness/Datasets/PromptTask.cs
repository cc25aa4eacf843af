using Harness.Common;

namespace Harness.Datasets;

/// <summary>
/// The tasks of the ML.ENERGY leaderboard's first version: the same question under system prompts that ask for a normal or a
/// concise answer, as chat or as instruction (<c>SYSTEM_PROMPTS</c> in github.com/ml-energy/leaderboard). Chat stands in
/// FastChat's Vicuna form, an instruction in Alpaca's.
/// </summary>
public static class PromptTask
{
    private const string Chat = "A chat between a human user (prompter) and an artificial intelligence (AI) assistant. The assistant "
        + "gives helpful, detailed, and polite answers to the user's questions. ";

    private static readonly Dictionary<string, Func<Prompt, string>> s_templates = new(StringComparer.Ordinal)
    {
        ["chat"] = prompt => InChat(Chat, prompt),
        ["chat-concise"] = prompt => InChat(Chat + "The assistant's answers are very concise. ", prompt),
        ["instruct"] = prompt => AlpacaPrompts.Render(prompt.Question, prompt.Input ?? ""),
        ["instruct-concise"] = prompt => AlpacaPrompts.Render(prompt.Question, prompt.Input ?? "", " The response should be very concise."),
    };

    public static string Known => string.Join(", ", s_templates.Keys);

    public static bool IsKnown(string task) => s_templates.ContainsKey(task);

    /// <summary>The prompt in the task's form; without one as the data set renders it.</summary>
    /// <exception cref="UserErrorException">The task is unknown, or the question is empty.</exception>
    public static Prompt Apply(string? task, Prompt prompt)
    {
        if (task == null) return prompt;
        if (!s_templates.TryGetValue(task, out var template))
            throw new UserErrorException($"--task is '{task}', but one of {Known} is expected");
        if (prompt.Question.Length == 0)
            throw new UserErrorException($"{prompt.Source} has an empty prompt, which --task {task} cannot ask; leave --task out or "
                + "remove the prompt");
        return prompt with { Text = template(prompt) };
    }

    private static string InChat(string system, Prompt prompt) =>
        $"{system}USER: {prompt.Question}{(prompt.Input is { } input ? $"\n\n{input}" : "")} ASSISTANT:";
}
