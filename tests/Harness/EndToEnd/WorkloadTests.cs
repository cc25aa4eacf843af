using System.Globalization;

namespace Harness.Tests.EndToEnd;

/// <summary>Tasks, categories and fixed lengths, with the demo model.</summary>
[TestFixture, Parallelizable(ParallelScope.All), FixtureLifeCycle(LifeCycle.InstancePerTestCase), Platform("Linux"),
    System.Runtime.Versioning.SupportedOSPlatform("linux")]
public sealed class WorkloadTests : IDisposable
{
    private readonly ScratchDirectory _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Test]
    public void FixedLengthsAreExact()
    {
        var run = Run("--input-tokens", "50", "--max-new-tokens", "7", "--ignore-eos", "--limit", "12");
        Assert.That(run.Prompts.Select(row => (row["input_tokens"], row["output_tokens"], row["correct"])),
            Is.All.EqualTo(("50", "7", "")));
        Assert.That((run.Summary["fixed_input_tokens"], run.Summary["accuracy"]), Is.EqualTo(("50", "")));
    }

    [Test]
    public void AShortPromptIsRepeatedAndALongOneCut()
    {
        var tenWords = "one two three four five six seven eight nine ten";
        _scratch.File("p.jsonl", $$"""
            {"prompt": "red green"}
            {"prompt": "{{tenWords}} eleven twelve thirteen"}
            """);
        var run = Run("--data", "p.jsonl", "--input-tokens", "9", "--max-new-tokens", "1", "--ignore-eos");
        var texts = run.Responses.Select(response => (string)response["prompt"]!).ToList();
        Assert.That(texts[0].Split("red").Length - 1, Is.GreaterThanOrEqualTo(2), texts[0]);
        Assert.That(tenWords, Does.Contain(texts[1].Trim()));
    }

    [TestCase("--input-tokens=9999", "room for 512 tokens", TestName = "InputTokensBeyondTheModelAreRefused")]
    [TestCase("--input-tokens=500 --ignore-eos --max-new-tokens=40",
        "--input-tokens 500 and --max-new-tokens 40 make 540 tokens, but prompt and output together have room for 512",
        TestName = "FixedLengthsThatTogetherDoNotFitAreRefused")]
    [TestCase("--task=talk", "one of chat, chat-concise, instruct, instruct-concise", TestName = "AnUnknownTaskIsRefused")]
    public void WhatCannotBeIsRefusedInOneLine(string mistake, string message)
    {
        var result = HarnessProcess.Run(_scratch.Path, ["run", .. mistake.Split(' ')]);
        Assert.That((result.ExitCode, result.Error.TrimEnd().Split('\n').Length), Is.EqualTo((1, 1)), result.Error);
        Assert.That(result.Error, Does.Contain(message));
    }

    [Test]
    public void ATaskIsRecordedAndAsked()
    {
        var run = Run("--task", "instruct-concise", "--limit", "4");
        Assert.That(run.Summary["task"], Is.EqualTo("instruct-concise"));
        Assert.That(run.Responses.Select(response => (string)response["prompt"]!), Is.All.Contains("The response should be very concise."));
    }

    /// <summary>Each category's figures by arithmetic of the test's own, and the categories together are the run.</summary>
    [Test]
    public void CategoriesAddUpToTheRun()
    {
        var meter = _scratch.File("meter.sh",
            "#!/bin/sh\nwhile kill -0 $PPID 2>/dev/null; do awk '{ printf \"J %.3f\\n\", $1 * 80; fflush() }' /proc/uptime; sleep 0.02; "
            + "done\n");
        File.SetUnixFileMode(meter, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var run = Run("--data", Path.Combine(SharedData.RepositoryRoot, "jobs", "prompts", "categories.jsonl"), "--max-new-tokens", "60",
            "--ignore-eos", "--repeats", "2", "--batch", "4", "--meter", $"command:{meter}");
        var categories = CsvTable.Read(run["categories.csv"]);
        Assert.Multiple(() =>
        {
            Assert.That(categories.Select(row => (row["category"], row["num_prompts"], row["completed"])), Is.EqualTo(
                new[] { "code", "math", "questions", "sql", "translation" }.Select(name => (name, "3", "6"))));
            foreach (var row in categories)
            {
                var own = run.Prompts.Where(prompt => prompt["category"] == row["category"]).ToList();
                var joules = own.Sum(prompt => Number(prompt["energy_j"]));
                Assert.That(Number(row["energy_j"]), Is.EqualTo(joules).Within(1e-9 * joules));
                Assert.That(Number(row["energy_per_output_token_j"]),
                    Is.EqualTo(joules / own.Sum(prompt => Number(prompt["output_tokens"]))).Within(1e-9 * joules));
                Assert.That(Number(row["latency_mean_s"]), Is.EqualTo(own.Average(prompt => Number(prompt["latency_s"]))).Within(1e-9));
                Assert.That(row["accuracy"].Length > 0, Is.EqualTo(row["category"] == "math"), "only those with an answer are judged");
            }
            var total = Number(run.Summary["total_energy_j"]);
            Assert.That(categories.Sum(row => Number(row["energy_j"])) + Number(run.Summary["unattributed_energy_j"]),
                Is.EqualTo(total).Within(1e-9 * total));
        });
        run.Verify();
        File.WriteAllText(run["categories.csv"], File.ReadAllText(run["categories.csv"]).Replace(",sql,", ",SQL,"));
        Assert.That(run.Problems(), Has.Some.Contains("categories.csv"), "verify sees a changed category");
    }

    private RunOutput Run(params string[] switches)
    {
        string[] meter = switches.Contains("--meter") ? [] : ["--meter", "none"];
        var result = HarnessProcess.Run(_scratch.Path, ["run", "--out", "out", "--name", "r", .. meter, .. switches]);
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        return new RunOutput(_scratch["out", "r"]);
    }

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);

}
