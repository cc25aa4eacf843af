using Harness.Common;
using Harness.Datasets;

namespace Harness.Tests.Datasets;

[TestFixture]
public sealed class PromptTaskTests
{
    private static readonly Prompt s_question =
        new() { Index = 0, Dataset = "jsonl", Text = "as it was", Question = "Why?", Source = "p.jsonl:1" };

    /// <summary>The sentences of the leaderboard's table of system prompts.</summary>
    [TestCase("chat", "A chat between a human user (prompter) and an artificial intelligence (AI) assistant. The assistant gives helpful, "
        + "detailed, and polite answers to the user's questions. USER: Why? ASSISTANT:")]
    [TestCase("chat-concise", "A chat between a human user (prompter) and an artificial intelligence (AI) assistant. The assistant gives "
        + "helpful, detailed, and polite answers to the user's questions. The assistant's answers are very concise. USER: Why? ASSISTANT:")]
    [TestCase("instruct", "Below is an instruction that describes a task. Write a response that appropriately completes the "
        + "request.\n\n### Instruction:\nWhy?\n\n### Response:")]
    [TestCase("instruct-concise",
        "Below is an instruction that describes a task. Write a response that appropriately completes the request. The response should be "
        + "very concise.\n\n### Instruction:\nWhy?\n\n### Response:")]
    [TestCase(null, "as it was")]
    public void TheQuestionIsAskedInTheTasksForm(string? task, string expected) =>
        Assert.That(PromptTask.Apply(task, s_question).Text, Is.EqualTo(expected));

    [Test]
    public void AnInputGoesWithIt()
    {
        var prompt = s_question with { Input = "a, b" };
        Assert.That(PromptTask.Apply("chat", prompt).Text, Does.EndWith("USER: Why?\n\na, b ASSISTANT:"));
        Assert.That(PromptTask.Apply("instruct-concise", prompt).Text,
            Does.Contain("completes the request. The response should be very concise.").And.Contain("### Input:\na, b\n\n### Response:"));
    }

    [Test]
    public void AnAlpacaRecordAsInstructIsTheDataSetsOwnForm()
    {
        foreach (var prompt in new AlpacaPrompts(SharedData.Path("data", "alpaca", "alpaca_data.json")).Read().Take(200))
            Assert.That(PromptTask.Apply("instruct", prompt).Text, Is.EqualTo(prompt.Text));
    }

    [Test]
    public void WhatIsUnknownOrEmptyIsRefused()
    {
        Assert.That(() => PromptTask.Apply("talk", s_question),
            Throws.TypeOf<UserErrorException>().With.Message.Contains("'talk', but one of chat, chat-concise, instruct, instruct-concise"));
        Assert.That(() => PromptTask.Apply("chat", s_question with { Question = "" }),
            Throws.TypeOf<UserErrorException>().With.Message.Contains("p.jsonl:1 has an empty prompt"));
    }
}
