using Harness.Common;
using Harness.Configuration;
using Harness.Running;
using Harness.Tests.EndToEnd;
using Harness.Tests.Models.Llama;

namespace Harness.Tests.Running;

/// <summary>A run whose model gives no numbers for one of its prompts.</summary>
internal sealed class NonFiniteRunTests
{
    private const int Vocabulary = 512, Hidden = 32, Sound = 4, Batch = 2;

    [TestCase(1, 1, 1)]
    [TestCase(2, 2, 1)]
    [TestCase(1, 1, 2)]
    public void ItEndsWithOneLineAndKeepsWhatHadFinished(int tensor, int pipeline, int data)
    {
        using var scratch = new ScratchDirectory();
        using var stop = new StopSignal();
        var spoilt = TokenOf("%");
        var model = new TinyCheckpoint { Vocabulary = Vocabulary, Spoilt = [("model.embed_tokens.weight", spoilt * Hidden, double.NaN)] }
            .Write(scratch);
        // The last batch is replica 0's, or of two replicas the second's.
        string[] prompts = [.. Enumerable.Repeat("Tim has 2 dogs.", Sound + (data == 2 ? Batch : 0)), "50 % of 4", "Tim"];
        scratch.File("p.jsonl", string.Join('\n', prompts.Select(prompt => $$"""{"prompt": "{{prompt}}"}""")) + "\n");
        var configuration = new ResolvedConfiguration(null, new Dictionary<string, string?>
        {
            ["Model:Path"] = model,
            ["Model:Tokenizer"] = ModelOptions.Demo,
            ["Sharding:Tensor"] = $"{tensor}",
            ["Sharding:Pipeline"] = $"{pipeline}",
            ["Sharding:Data"] = $"{data}",
            ["Dataset:Path"] = scratch["p.jsonl"],
            ["Batch:Size"] = $"{Batch}",
            ["Repeats:Warmup"] = "0",
            ["Generation:MaxNewTokens"] = "1",
            ["Energy:Meter"] = "none",
            ["Output:Directory"] = scratch["out"],
            ["Output:Name"] = "run",
        });
        var failure = Assert.Throws(Is.InstanceOf<UserErrorException>(),
            () => Ranks.Run(configuration.Options.Sharding, threads: 1, new RunJob(configuration, stop).Execute))!;
        var rank = data == 2 ? 1 : 0;
        Assert.That(failure.Message, Does.StartWith($"prompt {prompts.Length - 2}: the logits of token 1 of its answer are not finite; "
            + $"the first NaN arose in the embedding, on rank {rank} on ").And.Contains("--verify-weights").And.Not.Contains("\n"));

        var run = new RunOutput(scratch["out", "run"]);
        var start = run.Manifest["starts"]![0]!;
        Assert.That(((string)start["end"]!, (string)start["why"]!), Is.EqualTo(("failed", failure.Message)));
        Assert.That((string)run.Manifest["run"]!["status"]!, Is.EqualTo("incomplete"));
        Assert.That(CsvTable.Read(run["prompts.partial.csv"]).Select(row => row["prompt_index"]),
            Is.SupersetOf(Enumerable.Range(0, Sound).Select(prompt => $"{prompt}")), "finished rows");
        Assert.That(run.Files, Does.Not.Contain("summary.csv"));
    }

    private static int TokenOf(string text) => Tokenizers.For(new ModelOptions()).Encode(text, addBeginOfText: false)[^1];
}
