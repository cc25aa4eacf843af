using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Harness.Tests.Models.Llama;

namespace Harness.Tests.EndToEnd;

/// <summary><c>harness score</c> against the float64 forward pass, on one rank and on many.</summary>
[Parallelizable(ParallelScope.All), FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed partial class ScoreTests
{
    private ScratchDirectory _scratch = null!;

    [SetUp]
    public void Begin()
    {
        _scratch = new();
        _scratch.File("text.txt", Stories.Text + " Then the dog ran to the park, and they all played until the sun went down.");
    }

    [TearDown]
    public void End() => _scratch.Dispose();

    [Test]
    public void LogitsAndProbabilitiesAreThoseOfTheReference()
    {
        var result = Score("one", []);
        var (shape, logits) = ReadNpy(_scratch["one.npy"]);
        var lines = File.ReadLines(_scratch["one.jsonl"]).Select(line => JsonNode.Parse(line)!).ToArray();
        int[] ids = [.. lines.Select(line => (int)line["id"]!)];
        var expected = new ReferenceModel(Stories.Directory).Logits(ids);
        Assert.Multiple(() =>
        {
            Assert.That(ids, Has.Length.GreaterThan(200));
            Assert.That(ids[..200], Is.EqualTo((int[])[Stories.BeginOfText, .. Stories.Continuation]),
                "the text reads back as the ids that it was written from");
            Assert.That(shape, Is.EqualTo((ids.Length, 512)));
            Assert.That(lines.Select(line => (int)line["position"]!), Is.EqualTo(Enumerable.Range(0, ids.Length)));
            Assert.That(string.Concat(lines.Select(line => (string)line["text"]!)), Is.EqualTo(File.ReadAllText(_scratch["text.txt"])));
            Assert.That(Logits.LargestDifference(logits, expected), Is.LessThan(1e-4));
            Assert.That(lines[0]["logprob"], Is.Null, "nothing comes before beginning-of-text");
        });
        var sum = 0.0;
        for (var i = 1; i < ids.Length; i++)
        {
            var row = expected[i - 1];
            var logProbability = row[ids[i]] - Math.Log(row.Sum(Math.Exp));
            sum += logProbability;
            Assert.That((double)lines[i]["logprob"]!, Is.EqualTo(logProbability).Within(2e-4), $"position {i}");
        }
        var perplexity = double.Parse(Perplexity().Match(result.Output).Groups[1].Value, CultureInfo.InvariantCulture);
        Assert.That(perplexity, Is.EqualTo(Math.Exp(-sum / (ids.Length - 1))).Within(1e-3));
    }

    [TestCase("--tp 2")]
    [TestCase("--tp 8")]
    [TestCase("--tp 4 --pp 5")]
    [TestCase("--tp 8 --pp 4")]
    public void ShardingComputesTheSameModel(string switches)
    {
        Score("one", []);
        Score("many", switches.Split(' '));
        Assert.That(Logits.LargestDifference(ReadNpy(_scratch["many.npy"]).Rows, ReadNpy(_scratch["one.npy"]).Rows), Is.LessThan(1e-4));
        Assert.That(Ids("many"), Is.EqualTo(Ids("one")));

        int[] Ids(string name) => [.. File.ReadLines(_scratch[name + ".jsonl"]).Select(line => (int)JsonNode.Parse(line)!["id"]!)];
    }

    [Test]
    public void AnotherDtypeIsCloseAndNotTheSame()
    {
        Score("f32", []);
        Score("bf16", ["--dtype", "bf16"]);
        var rounded = new ReferenceModel(Stories.Directory, Harness.Tensors.DType.BF16);
        int[] ids = [.. File.ReadLines(_scratch["f32.jsonl"]).Select(line => (int)JsonNode.Parse(line)!["id"]!)];
        var actual = ReadNpy(_scratch["bf16.npy"]).Rows;
        Assert.That(Logits.LargestDifference(actual, rounded.Logits(ids)), Is.LessThan(1e-4), "the reference with weights rounded to bf16");
        Assert.That(Logits.LargestDifference(actual, ReadNpy(_scratch["f32.npy"]).Rows), Is.GreaterThan(1e-2),
            "which is another model than that of float32");
    }

    [Test]
    public void Int8IsTheModelOfRoundedGroups()
    {
        Score("int8", ["--dtype", "int8"]);
        int[] ids = [.. File.ReadLines(_scratch["int8.jsonl"]).Select(line => (int)JsonNode.Parse(line)!["id"]!)];
        var actual = ReadNpy(_scratch["int8.npy"]).Rows;
        Logits.AreThoseOfRoundedGroups(actual, new ReferenceModel(Stories.Directory, Harness.Tensors.DType.Int8).Logits(ids));
        Assert.That(Logits.RelativeDistance(actual, new ReferenceModel(Stories.Directory).Logits(ids)), Is.GreaterThan(5e-3));
    }

    /// <summary>
    /// MistralConfig's default for a missing <c>sliding_window</c> is 4096: 5,945 tokens have another perplexity than with full attention
    /// (1361.2433). The value is that of transformers' MistralForCausalLM on these weights and this text.
    /// </summary>
    [Test]
    public void AMistralWithoutTheKeySeesItsWindowAlone()
    {
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(Stories.Directory, "config.json")))!.AsObject();
        config["architectures"] = new JsonArray("MistralForCausalLM");
        config["model_type"] = "mistral";
        config["max_position_embeddings"] = 16384;
        config["head_dim"] = 8;
        config.Remove("sliding_window");
        var model = Directory.CreateDirectory(_scratch["mistral"]).FullName;
        File.WriteAllText(Path.Combine(model, "config.json"), config.ToJsonString());
        foreach (var file in new[] { "model.safetensors", "tokenizer.model" })
            File.CreateSymbolicLink(Path.Combine(model, file), Path.Combine(Stories.Directory, file));
        var text = SharedData.Path("cases", "long.txt");
        var result = HarnessProcess.Run(_scratch.Path, ["score", "--model", model, "--text", text, "--out", "long.jsonl"]);
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        var logProbabilities = File.ReadLines(_scratch["long.jsonl"]).Skip(1).Select(line => (double)JsonNode.Parse(line)!["logprob"]!)
            .ToList();
        Assert.That(logProbabilities, Has.Count.EqualTo(5945));
        Assert.That(Math.Exp(-logProbabilities.Average()), Is.EqualTo(1471.3275).Within(1e-3));
    }

    private HarnessResult Score(string name, string[] switches)
    {
        var result = HarnessProcess.Run(_scratch.Path,
            ["score", "--model", Stories.Directory, "--text", "text.txt", "--out", name + ".jsonl", "--logits", name + ".npy",
            .. switches]);
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        return result;
    }

    /// <summary>NumPy's format 1.0: magic, header length, a Python dictionary, rows of float32.</summary>
    private static ((int Rows, int Columns) Shape, float[][] Rows) ReadNpy(string file)
    {
        var bytes = File.ReadAllBytes(file);
        var start = 10 + BitConverter.ToUInt16(bytes, 8);
        var header = Encoding.ASCII.GetString(bytes, 10, start - 10);
        Assert.That(bytes[..8], Is.EqualTo((byte[])[0x93, .. "NUMPY"u8, 1, 0]));
        Assert.That(start % 64, Is.Zero);
        Assert.That(header, Does.Contain("'descr': '<f4'").And.Contain("'fortran_order': False").And.EndWith("\n"));
        var shape = Shape().Match(header);
        var (rows, columns) =
            (int.Parse(shape.Groups[1].Value, CultureInfo.InvariantCulture),
            int.Parse(shape.Groups[2].Value, CultureInfo.InvariantCulture));
        var values = MemoryMarshal.Cast<byte, float>(bytes.AsSpan(start)).ToArray();
        Assert.That(values, Has.Length.EqualTo(rows * columns));
        return ((rows, columns), [.. values.Chunk(columns)]);
    }

    [GeneratedRegex(@"perplexity ([0-9.]+)")]
    private static partial Regex Perplexity();

    [GeneratedRegex(@"'shape': \((\d+), (\d+)\)")]
    private static partial Regex Shape();
}
