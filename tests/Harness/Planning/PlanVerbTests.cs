using System.CommandLine;
using System.Text.Json;
using Harness.Common;
using Harness.Verbs;

namespace Harness.Tests.Planning;

[TestFixture]
public sealed class PlanVerbTests
{
    private static string Plan(params string[] args)
    {
        var output = new StringWriter();
        var code = new RootCommand { PlanVerb.Create() }
            .Parse(["plan", .. args])
            .Invoke(new InvocationConfiguration { Output = output, EnableDefaultExceptionHandler = false });
        Assert.That(code, Is.Zero);
        return output.ToString().ReplaceLineEndings("\n");
    }

    private static JsonElement[] Rows(params string[] args)
    {
        using var document = JsonDocument.Parse(Plan([.. args, "--format", "json"]));
        return [.. document.RootElement.Clone().EnumerateArray()];
    }

    private static bool Fits(JsonElement row) => row.GetProperty("fits").GetBoolean();
    private static int Int(JsonElement row, string name) => row.GetProperty(name).GetInt32();
    private static long Bytes(JsonElement row, string name) => row.GetProperty(name).GetInt64();

    /// <summary>From Words to Watts (Samsi et al. 2023), arXiv 2310.03003: with tensor parallelism only, batch 64, length 256.</summary>
    [TestCase("7b", "32GB", 1)]
    [TestCase("13b", "32GB", 2)]
    [TestCase("65b", "32GB", 8)]
    [TestCase("7b", "80GB", 1)]
    [TestCase("13b", "80GB", 1)]
    [TestCase("65b", "80GB", 4)]
    public void ThePapersSmallestCounts(string model, string memory, int gpus)
    {
        string[] args = ["--model", $"synthetic:{model}", "--gpus", "32", "--memory", memory, "--batch", "64", "--max-length", "256",
            "--pp", "1"];
        var fitting = Rows(args).Where(Fits).Select(row => Int(row, "gpus")).ToList();
        Assert.That(fitting.Min(), Is.EqualTo(gpus));
        Assert.That(fitting, Is.Ordered.And.Unique);
        Assert.That(Plan(args), Does.Contain($"smallest that fits: {gpus} GPU"));
    }

    [Test]
    public void ARowHasEveryKey()
    {
        var rows = Rows("--model", "synthetic:13b", "--gpus", "6", "--memory", "32GB", "--batch", "64", "--max-length", "256");
        foreach (var row in rows)
            Assert.That(row.EnumerateObject().Select(property => property.Name), Is.EqualTo((string[])[
                "model", "gpus", "tensor_parallel", "pipeline_parallel", "micro_batches", "batch_size", "max_length", "dtype", "kv_dtype",
                    "fits",
                "weight_bytes", "kv_cache_bytes", "activation_bytes", "reserve_bytes", "total_bytes", "memory_bytes",
                "tensor_bytes_per_token", "head_bytes_per_token", "pipeline_bytes_per_token",
                "decode_tokens_per_s", "decode_bound", "prefill_tokens_per_s", "prefill_bound",
                "decode_s", "decode_communication_s", "decode_waiting_s", "prefill_s", "prefill_communication_s", "prefill_waiting_s",
                "reason"]));

        // Every product up to 6; degrees 3 and 6, which 40 heads do not allow, once each.
        Assert.That(rows.Select(row => (Int(row, "tensor_parallel"), Int(row, "pipeline_parallel"))), Is.EqualTo(
            new[] { (1, 1), (1, 2), (2, 1), (1, 3), (3, 1), (1, 4), (2, 2), (4, 1), (1, 5), (5, 1), (1, 6), (2, 3), (6, 1) }));
        Assert.That(rows.Select(row => Int(row, "gpus")), Is.EqualTo(new[] { 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 6, 6, 6 }));

        var alone = rows[0];
        Assert.That(Fits(alone), Is.False);
        Assert.That(alone.GetProperty("reason").GetString(),
            Does.StartWith("weights 24.2").And.Contains("KV cache 12.50 GiB").And.Contains("exceed 32.00 GiB by"));
        Assert.That(Bytes(alone, "total_bytes"),
            Is.EqualTo(new[] { "weight_bytes", "kv_cache_bytes", "activation_bytes", "reserve_bytes" }.Sum(part => Bytes(alone, part))));
        Assert.That(Bytes(alone, "reserve_bytes"), Is.EqualTo((32L << 30) / 20));
        var three = rows.Single(row => Int(row, "tensor_parallel") == 3);
        Assert.That(three.GetProperty("reason").GetString(),
            Does.Contain("--tp 3 does not divide the model's 40 query heads").And.Contains("1, 2, 4, 5, 8, 10, 20, 40"));
        Assert.That(three.GetProperty("total_bytes").ValueKind, Is.EqualTo(JsonValueKind.Null));
        foreach (var row in rows) Assert.That(row.GetProperty("reason").ValueKind == JsonValueKind.Null, Is.EqualTo(Fits(row)));
    }

    [Test]
    public void Int8TakesThirtyFourBytesForThirtyTwoWeightsBesideAFloat32Cache()
    {
        var row = Rows("--model", "synthetic:7b", "--tp", "1", "--pp", "1", "--memory", "64GB", "--batch", "1", "--max-length", "10",
            "--dtype", "int8").Single();
        Assert.That(row.GetProperty("dtype").GetString(), Is.EqualTo("int8"));
        // 6,738,415,616 parameters, of which 65 norms of 4,096 gains stay float32.
        Assert.That(Bytes(row, "weight_bytes"), Is.EqualTo((6_738_415_616 - 65 * 4096) / 32 * 34 + 65 * 4096 * 4));
        Assert.That(row.GetProperty("kv_dtype").GetString(), Is.EqualTo("f32"), "as the CPU backend has it, which int8 is for");
    }

    [Test]
    public void TrafficByHand()
    {
        var row = Rows("--model", "synthetic:7b", "--tp", "4", "--pp", "2", "--memory", "32GB", "--batch", "8", "--max-length", "64",
            "--comm-dtype", "bf16", "--temperature", "0.8").Single();
        // 16 layers of 2 all-reduces, and the embedding's on the first stage: 33 times 4,096 values of 2 bytes, 2 · 3/4 of them sent.
        Assert.That(Bytes(row, "tensor_bytes_per_token"), Is.EqualTo(33 * 4096 * 2 * 3 / 2));
        Assert.That(Bytes(row, "pipeline_bytes_per_token"), Is.EqualTo(4096 * 2));
        Assert.That(Bytes(row, "head_bytes_per_token"), Is.EqualTo(8000 * 2 * 3), "a quarter of the logits to three peers");
    }

    [Test]
    public void MoreStagesThanLayersAreListedWithTheReason()
    {
        var rows = Rows("--model", "synthetic:tiny", "--gpus", "10", "--memory", "1GB", "--batch", "1", "--max-length", "8");
        var last = rows.Single(row => Int(row, "pipeline_parallel") == 10);
        Assert.That(Fits(last), Is.False);
        Assert.That(last.GetProperty("reason").GetString(), Is.EqualTo("--pp 10 exceeds the model's 8 layers; use 1 to 8"));
    }

    [Test]
    public void AConfigurationAloneIsEnough()
    {
        using var scratch = new ScratchDirectory();
        var file = scratch.File("model/config.json", """
            {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4096, "intermediate_size": 11008, "num_attention_heads": 32,
             "num_hidden_layers": 32, "vocab_size": 32000, "max_position_embeddings": 2048, "rms_norm_eps": 1e-6, "torch_dtype": "float16"}
            """);
        foreach (var model in new[] { file, scratch["model"] })
        {
            var row = Rows("--model", model, "--gpus", "1", "--memory", "80GB", "--batch", "2").Single();
            Assert.That(Bytes(row, "weight_bytes"), Is.EqualTo(2 * 6_738_415_616 + 2 * 65 * 4096));
            Assert.That(Int(row, "max_length"), Is.EqualTo(2048), "the model's own limit");
            Assert.That(Bytes(row, "kv_cache_bytes"), Is.EqualTo(2L * 2048 * 524_288));
        }
    }

    [Test]
    public void PredictionsComeWithTheRates()
    {
        string[] args = ["--model", "synthetic:65b", "--gpus", "8", "--memory", "32GB", "--batch", "64", "--max-length", "256",
            "--bandwidth", "900GB/s", "--flops", "125TFLOPS"];
        var rows = Rows([.. args, "--link", "150GB/s"]);
        Assert.That(rows.Count(Fits), Is.GreaterThan(0));
        foreach (var row in rows)
            foreach (var phase in new[] { "decode", "prefill" })
            {
                Assert.That(row.GetProperty($"{phase}_tokens_per_s").ValueKind == JsonValueKind.Number, Is.EqualTo(Fits(row)));
                if (!Fits(row)) continue;
                Assert.That(row.GetProperty($"{phase}_bound").GetString(), Is.AnyOf("memory", "compute", "link"));
                Assert.That(new[] { $"{phase}_s", $"{phase}_communication_s", $"{phase}_waiting_s" }.Sum(name =>
                    row.GetProperty(name).GetDouble()), Is.EqualTo(Int(row, "gpus") / row.GetProperty($"{phase}_tokens_per_s").GetDouble())
                    .Within(1e-9).Percent);
            }
        Assert.That(Rows(args).Select(row => row.GetProperty("decode_tokens_per_s").ValueKind), Is.All.EqualTo(JsonValueKind.Null),
            "several GPUs need --link");
    }

    [Test]
    public void CsvHasTheSameColumns()
    {
        var lines = Plan("--model", "synthetic:7b", "--gpus", "2", "--memory", "80GB", "--batch", "1", "--max-length", "8", "--format",
            "csv").Split('\n');
        Assert.That(lines[0], Does.StartWith("model,gpus,tensor_parallel,pipeline_parallel,micro_batches,").And.EndsWith(",reason"));
        Assert.That(lines[1], Does.StartWith("synthetic:7b,1,1,1,1,1,8,bf16,bf16,true,13477363712,4194304,"));
        Assert.That(lines, Has.Length.EqualTo(1 + 3 + 1));
    }

    [TestCase("7b", "32", "32GB", "64", "512")]
    [TestCase("65b", "64", "32GB", "512", "1024")]
    [TestCase("tiny", "8", "1GB", "1", "16")]
    [TestCase("3.1-405b", "64", "80GB", "256", "4096")]
    public void TheTableKeepsToAHundredColumns(string model, string gpus, string memory, string batch, string length)
    {
        var text = Plan("--model", $"synthetic:{model}", "--gpus", gpus, "--memory", memory, "--batch", batch, "--max-length", length,
            "--bandwidth", "900GB/s", "--flops", "125TFLOPS", "--link", "150GB/s");
        TestContext.Out.WriteLine(text);
        var lines = text.Split('\n').Select(line => line.TrimEnd()).ToList();
        Assert.That(lines.Max(line => line.Length), Is.LessThanOrEqualTo(100));
        Assert.That(lines.Single(line => line.EndsWith(" fits")),
            Does.Match(@"GPUs +tp +pp +.iB +.iB +.iB +.iB +token +token +tokens/s +tokens/s +fits"), "no head is broken");
        Assert.That(lines.FindIndex(line => line.StartsWith("smallest that fits: ")), Is.InRange(0, 5), "the answer comes first");
        var fits = lines.Where(line => line.EndsWith(" yes") || line.EndsWith(" over")).Select(line => line.EndsWith(" yes")).ToList();
        Assert.That(fits, Is.Ordered.Descending.And.Some.True);
    }

    [Test]
    public void TheModelsNameIsWholeHoweverLong()
    {
        using var scratch = new ScratchDirectory();
        var name = string.Join('/', Enumerable.Repeat("a-long-name", 12));
        scratch.File($"{name}/config.json", """{"hidden_size": 64, "intermediate_size": 172, "num_attention_heads": 8, "num_hidden_layers": 2, "vocab_size": 512}""");
        Assert.That(Plan("--model", scratch[name], "--memory", "1GB").Split('\n')[0], Is.EqualTo(scratch[name]));
    }

    [Test]
    public void NothingFitsIsSaidWithWhatIsNearest() =>
        Assert.That(Plan("--model", "synthetic:65b", "--gpus", "2", "--memory", "32GB", "--batch", "64", "--max-length", "256", "--pp",
            "1"),
            Does.Contain("nothing fits on up to 2 GPUs; nearest is tp 2 × pp 1"));

    [TestCase("--memory is missing", "--model", "synthetic:7b")]
    [TestCase("--memory is 'lots', but at least a MiB, written as 32GB", "--memory", "lots")]
    [TestCase("--gpus is '0', but a whole number from 1 to 65536 is expected", "--gpus", "0")]
    [TestCase("--gpus is '1..32', but a whole number", "--gpus", "1..32")]
    [TestCase("--batch is '-3', but a whole number of at least 1 is expected", "--batch", "-3")]
    [TestCase("--tp 3 does not divide the model's 32 query heads and 32 key/value heads; use one of 1, 2, 4, 8, 16, 32", "--tp", "3")]
    [TestCase("--pp 33 exceeds the model's 32 layers", "--pp", "33")]
    [TestCase("--tp 8 × --pp 8 needs 64 GPUs, but --gpus is 32", "--tp", "8", "--pp", "8", "--gpus", "32")]
    [TestCase("--max-length 4096 exceeds the model's 2048 positions", "--max-length", "4096")]
    [TestCase("dtype 'int8' is unknown; use f32, bf16 or f16", "--kv-dtype", "int8")]
    [TestCase("dtype 'int4' is unknown; use f32, bf16, f16 or int8", "--dtype", "int4")]
    [TestCase("--tp 16 cuts the groups of 32 columns that --dtype int8 stores together: a rank has 1 query heads of 8",
        "--model", "synthetic:tiny", "--tp", "16", "--dtype", "int8")]
    [TestCase("--comm-dtype is 'f16', but f32 or bf16 is expected", "--comm-dtype", "f16")]
    [TestCase("--flops is missing; a prediction needs --bandwidth and --flops", "--bandwidth", "900GB/s")]
    [TestCase("--link is '300Gb/s', but bytes per second such as 900GB/s, 200Gbit/s", "--bandwidth", "1TB/s", "--flops", "1TFLOPS",
        "--link", "300Gb/s")]
    [TestCase("--reserve is '100%', but a share from 0% to below 100%", "--reserve", "100%")]
    [TestCase("--format is 'xml', but table, json or csv is expected", "--format", "xml")]
    [TestCase("--temperature is 'hot', but a number of at least 0 is expected", "--temperature", "hot")]
    [TestCase("model 'synthetic:8b' is unknown; synthetic shapes are 7b, 13b", "--model", "synthetic:8b")]
    [TestCase("model 'no/such/place' is neither a directory nor a file", "--model", "no/such/place")]
    public void WrongValuesAreNamed(string message, params string[] args)
    {
        string[] model = args.Contains("--model") ? [] : ["--model", "synthetic:7b"];
        string[] memory = args.Contains("--memory") || message.StartsWith("--memory is missing") ? [] : ["--memory", "32GB"];
        var error = Assert.Throws<UserErrorException>(() => Plan([.. model, .. memory, .. args]));
        Assert.That(error!.Message, Does.StartWith(message).And.Not.Contains("\n"));
    }

    [Test]
    public void ADirectoryWithoutAConfigurationIsNamed()
    {
        using var scratch = new ScratchDirectory();
        var error = Assert.Throws<UserErrorException>(() => Plan("--model", scratch.Path, "--memory", "32GB"));
        Assert.That(error!.Message, Does.Contain("holds no config.json"));
    }
}
