using System.CommandLine;
using System.Globalization;
using System.Text.RegularExpressions;
using Harness.Planning;
using Harness.Sweeping;
using Harness.Verbs;

namespace Harness.Tests.Sweeping;

/// <summary>What <c>--dry-run</c> says of grids, and of the paper's, against arithmetic of the test's own.</summary>
internal sealed class SweepPlanTests
{
    private const double Gibi = 1 << 30;

    /// <summary>Touvron et al. 2023 (arXiv 2302.13971), table 2, and the published checkpoints.</summary>
    private static readonly Dictionary<string, (int Layers, double Hidden, double FeedForward)> s_llama = new()
    {
        ["7b"] = (32, 4096, 11008),
        ["13b"] = (40, 5120, 13824),
        ["65b"] = (80, 8192, 22016),
    };

    private ScratchDirectory _scratch = null!;

    [SetUp]
    public void Begin() => _scratch = new();

    [TearDown]
    public void End() => _scratch.Dispose();

    private string Sweep(params string[] args)
    {
        var output = new StringWriter();
        var code = new RootCommand { SweepVerb.Create() }.Parse(["sweep", .. args, "--out", _scratch["out"]])
            .Invoke(new InvocationConfiguration { Output = output, EnableDefaultExceptionHandler = false });
        Assert.That(code, Is.Zero);
        return output.ToString().ReplaceLineEndings("\n");
    }

    private static string PaperGrid(string model) =>
        Path.Combine(SharedData.RepositoryRoot, "jobs", "grids", $"words-to-watts-{model}.json");

    /// <summary>Rows of the table as its cells' texts, by the cell's name.</summary>
    private static Dictionary<string, string[]> Table(string text) =>
        text.Split('\n').Where(line => Regex.IsMatch(line, @"^  ?\S+ +\d+×\d+×\d+ ")).Select(line => Regex.Split(line.Trim(), " {2,}"))
        .ToDictionary(cells => cells[0]);

    /// <summary>
    /// 72 cells each. On a V100 of 32 GiB, 5 % kept free, those are dropped whose weights and cache in 16 bits alone are
    /// too large; activations (below 1 GiB) decide in no cell, which is asserted too.
    /// </summary>
    [TestCase("7b", 2)]
    [TestCase("13b", 2)]
    [TestCase("65b", 26)]
    public void ThePapersGridsOn32GiB(string model, int dropped)
    {
        var text = Sweep("--config", PaperGrid(model), "--dry-run", "--memory", "32GB", "--gpus-per-node", "4");
        var rows = Table(text);
        Assert.That(rows, Has.Count.EqualTo(3 * 2 * 4 * 3));
        var mustGo = new List<string>();
        foreach (var (tp, pp) in model == "13b" ? new[] { (8, 1), (8, 2), (8, 4) } : [(8, 1), (16, 1), (32, 1)])
            foreach (var batch in new[] { 64, 128, 256, 512 })
                foreach (var length in new[] { 256, 512, 1024 })
                {
                    var need = Need(s_llama[model], tp, pp, batch, length);
                    Assert.That(need, Is.Not.InRange(0.95 * 32 - 1, 0.95 * 32), "the arithmetic decides");
                    foreach (var data in new[] { "alpaca", "gsm8k" })
                    {
                        var name = $"{(model == "13b" ? $"pp{pp}" : $"tp{tp}")}-b{batch}-len{length}-{data}";
                        var fits = need < 0.95 * 32;
                        if (!fits) mustGo.Add(name);
                        Assert.That((rows[name][1], rows[name][2], rows[name][^1]),
                            Is.EqualTo(($"{tp}×{pp}×1", $"{tp * pp / 4}", fits ? "to do" : "dropped")), name);
                        Assert.That(double.Parse(rows[name][3], CultureInfo.InvariantCulture), Is.InRange(need + 1.6, need + 1.6 + 1),
                            name);
                    }
                }
        Assert.That(mustGo, Has.Count.EqualTo(dropped));
        Assert.That(Regex.Matches(text, "(?m)^dropped (\\S+): weights .* exceed 32.00 GiB by ").Select(match => match.Groups[1].Value),
            Is.EquivalentTo(mustGo));
        Assert.That(text, Does.EndWith($"72 cells: {72 - dropped} fit, {dropped} dropped; {72 - dropped} to do\n"));
    }

    /// <summary>
    /// A penalty changes all logits: 16,000 of 7b's 32,000 lie on each of two ranks, float32 on the wire; without one each sends its best
    /// (logit, token), 8 bytes.
    /// </summary>
    [TestCase("1", 8)]
    [TestCase("1.2", 16_000 * 4)]
    public void APlanSamplesAsTheRunDoes(string penalty, long bytes)
    {
        var grid = new SweepGrid(null, new Dictionary<string, string?>
        {
            ["Model:Path"] = "synthetic:7b",
            ["Sharding:Tensor"] = "2",
            ["Runtime:Backend"] = "cpu",
            ["Generation:RepetitionPenalty"] = penalty,
        });
        var plan = new CellPlanner(new Devices(null, 0, null), null).Plan(grid.Cells[0]);
        Assert.That(plan.Row.HeadBytesPerToken, Is.EqualTo(bytes));
    }

    /// <summary>2 · 32 layers · 4,096 elements a token of 7b, for 2 sequences of 1,000 tokens.</summary>
    [TestCase("auto", "f32", 4)]
    [TestCase("bf16", "bf16", 2)]
    public void APlanCountsTheCacheAsTheCellKeepsIt(string setting, string type, int bytes)
    {
        var grid = new SweepGrid(null, new Dictionary<string, string?>
        {
            ["Model:Path"] = "synthetic:7b",
            ["Model:KvDtype"] = setting,
            ["Runtime:Backend"] = "cpu",
            ["Batch:Size"] = "2",
            ["Generation:MaxLength"] = "1000",
        });
        var row = new CellPlanner(new Devices(null, 0, null), null).Plan(grid.Cells[0]).Row;
        Assert.That((row.KvDtype, row.KvCacheBytes), Is.EqualTo((type, 2L * 1000 * 2 * 32 * 4096 * bytes)));
    }

    /// <summary>
    /// GiB of weights and cache of the fullest rank: per layer 4 h² + 3 h f, embedding and head of 32,000 rows on a single stage.
    /// </summary>
    private static double Need((int Layers, double Hidden, double FeedForward) m, int tp, int pp, int batch, int length)
    {
        var weights = 2 * ((m.Layers / pp * (4 * m.Hidden * m.Hidden + 3 * m.Hidden * m.FeedForward))
            + (pp == 1 ? 2 : 1) * 32000 * m.Hidden) / tp;
        var cache = 2.0 * 2 * m.Hidden * (m.Layers / pp) / tp * batch * length;
        return (weights + cache) / Gibi;
    }

    /// <summary>
    /// 13B has 40 heads: of the paper's 8, 16 and 32 tensor shards 8 alone is possible, with or without a limit of memory.
    /// </summary>
    [Test]
    public void WhatTheShapeForbidsIsDroppedWithItsReason()
    {
        var grid = _scratch.File("grid.json", """{ "Model": { "Path": "synthetic:13b" }, "Sharding": { "Tensor": [8, 16, 32] }, "Batch": { "Size": [64, 128] } }""");
        var text = Sweep("--config", grid, "--dry-run");
        Assert.That(Table(text).Values.Count(row => row[^1] == "dropped"), Is.EqualTo(4));
        foreach (var degree in new[] { 16, 32 })
            Assert.That(text, Does.Contain($"dropped tp{degree}-b128: --tp {degree} does not divide the model's 40 query heads and 40 "
                + "key/value heads; use one of 1, 2, 4, 5, 8, 10, 20, 40\n"));
        Assert.That(text, Does.EndWith("6 cells: 2 fit, 4 dropped; 2 to do\n"));
    }

    /// <summary>
    /// One GPU, length 256, of it 100 new tokens, batch 1: a decode step reads all weights and a cache of 256 tokens at
    /// 1 GB/s and computes nothing that takes time; 10 prompts, 3 repeats, and a warm-up of 2 batches.
    /// </summary>
    [Test]
    public void GpuHoursByHand()
    {
        var grid = _scratch.File("grid.json", """
            { "Model": { "Path": "synthetic:7b", "Dtype": "f16" }, "Runtime": { "Backend": "torch" }, "Dataset": { "Limit": [10] }, "Batch": { "Size": 1 },
              "Generation": { "MaxLength": 256, "MaxNewTokens": 100 }, "Repeats": { "Count": 3, "Warmup": 2 } }
            """);
        var hours = double.Parse(Table(Sweep("--config", grid, "--dry-run", "--bandwidth", "1GB/s", "--flops", "1e30"))["n10"][^2],
            CultureInfo.InvariantCulture);

        var (layers, hidden, ffn) = s_llama["7b"];
        var read = 2 * (layers * (4 * hidden * hidden + 3 * hidden * ffn) + 32000 * hidden);       // the embedding gives a row alone
        var decode = (read + 2.0 * 2 * hidden * layers * 256) / 1e9;       // s per token
        var prefill = (read + 2.0 * 2 * hidden * layers * 256) / 1e9 / 256;    // one pass of 256 rows
        var expected = (10 * 3 + 2) * (100 * decode + 156 * prefill) / 3600;
        Assert.That(hours, Is.EqualTo(expected).Within(0.2).Percent, "four digits are shown, and norms and embedding rows left out here");
        Assert.That(Sweep("--config", grid, "--dry-run"), Does.Not.Contain("GPU-hours"), "nothing is predicted without rates");
    }

    /// <summary>The node that runs a cell decides on auto; the job that asks for the node cannot wait for that.</summary>
    [Test]
    public void AJobIsNotWrittenBeforeItIsKnownWhetherItNeedsGpus()
    {
        Assert.That(() => Sweep("--Batch:Size=1", "--emit", "slurm", "--gpus-per-node", "1"),
            Throws.TypeOf<Harness.Common.UserErrorException>()
            .With.Message.Contains("Runtime:Backend (--backend) is 'auto'").And.Message.EndsWith("give cpu or torch"));
        Assert.That(Sweep("--Batch:Size=1", "--emit", "slurm", "--gpus-per-node", "1", "--backend", "cpu"),
            Does.StartWith("sbatch ").And.Contain("1x1-cpu.sbatch"));
    }

    /// <summary>A login node need not see the data; whoever mistyped it learns so before the night.</summary>
    [Test]
    public void PromptsThatAreNotHereAreNamedOnce()
    {
        var text = Sweep("--Batch:Size=1", "--data", "nosuch.jsonl", "--dry-run");
        Assert.That(text, Does.StartWith("# not on this machine: there is no dataset at nosuch.jsonl; give --data ").And.EndWith(
            "1 cell: 1 fit, 0 dropped; 1 to do\n"));
        Assert.That(Regex.Count(text, "nosuch"), Is.EqualTo(1));
    }

    /// <summary>10 prompts on two replicas: of 3 batches of 4 one replica has two, 8 prompts; requests one by one are 5 each.</summary>
    [Test]
    public void TheBusiestReplicaDecidesHowLongItTakes()
    {
        var grid = _scratch.File("grid.json", """
            { "Model": { "Path": "synthetic:7b", "Dtype": "f16" }, "Runtime": { "Backend": "torch" }, "Dataset": { "Limit": [10] }, "Sharding": { "Data": 2 },
              "Batch": { "Size": 4, "Schedule": ["static", "continuous"] }, "Generation": { "MaxLength": 256, "MaxNewTokens": 100 }, "Repeats": { "Count": 1, "Warmup": 0 } }
            """);
        var rows = Table(Sweep("--config", grid, "--dry-run", "--bandwidth", "1GB/s", "--flops", "1e30")).Values.Select(row =>
            double.Parse(row[^2], CultureInfo.InvariantCulture)).ToList();
        Assert.That(rows, Has.Count.EqualTo(2));
        Assert.That(rows[0] / rows[1], Is.EqualTo(8 / 5.0).Within(0.2).Percent);
    }

    [TestCase(1, 4, 1, 1)]
    [TestCase(4, 4, 1, 4)]
    [TestCase(8, 4, 2, 4)]
    [TestCase(6, 4, 2, 3)]
    [TestCase(5, 4, 5, 1)]
    [TestCase(32, 4, 8, 4)]
    public void RanksSpreadEvenlyOverTheFewestNodes(int ranks, int perNode, int nodes, int each) =>
        Assert.That(NodeShape.Of(ranks, perNode), Is.EqualTo(new NodeShape(nodes, each)));
}
