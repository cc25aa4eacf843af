using System.Globalization;

namespace Harness.Tests.EndToEnd;

/// <summary><c>harness run</c> as people start it, and what lies in the run directory afterwards.</summary>
[Parallelizable(ParallelScope.All), FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class RunTests
{
    /// <summary>The columns that DESIGN fixes.</summary>
    private const string PromptColumns =
        "run_id,repeat,dataset,prompt_index,batch_index,input_tokens,output_tokens,output_words,finish_reason,ttft_s,tpot_s,latency_s," +
        "energy_j,prefill_energy_j,decode_energy_j,net_energy_j,energy_source,correct,valid,invalid_reasons," +
        "category,start_s,queue_s,piece,itl_p99_s,turn,cached_tokens";

    private const string SummaryColumns =
        "schema_version,run_id,status,timestamp_utc,commit,model,parameters_b,dtype,backend,gpu,num_gpus,nodes,ranks,tensor_parallel,pipeline_parallel,micro_batches,batch_size,schedule," +
        "max_new_tokens,dataset,task,num_prompts,completed,failed,duration_s,total_input_tokens,total_output_tokens,total_output_words,words_per_s,tokens_per_s,responses_per_s," +
        "ttft_mean_s,ttft_p50_s,ttft_p90_s,ttft_p99_s,tpot_mean_s,tpot_p50_s,tpot_p90_s,tpot_p99_s,latency_mean_s,latency_p50_s,latency_p90_s,latency_p99_s," +
        "total_energy_j,net_energy_j,idle_power_w,avg_power_w,energy_per_output_token_j,energy_per_response_j,prefill_energy_j,decode_energy_j,unattributed_energy_j,counter_vs_power_ratio," +
        "accuracy,energy_per_correct_j,energy_source,valid,invalid_reasons";

    private ScratchDirectory _scratch = null!;

    [SetUp]
    public void Begin() => _scratch = new();

    [TearDown]
    public void End() => _scratch.Dispose();

    [Test]
    public void WithoutOptionsTheDemoModelAnswersTheDemoPrompts()
    {
        var result = HarnessProcess.Run(_scratch.Path, "run");
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        var run = RunOutput.Only(_scratch["results"]);
        Assert.Multiple(() =>
        {
            Assert.That(result.Output, Does.Contain("tokens/s").And.Contain($"files: results/{Path.GetFileName(run.Path)}"));
            Assert.That(result.Output + result.Error, Does.Not.Contain("\e"), "no escape codes in a file");
            Assert.That(result.Error, Does.Contain("prompts"), "progress lines");
            Assert.That(run.Files,
                Is.SupersetOf(new[] { "manifest.json", "prompts.csv", "ranks.csv", "responses.jsonl", "summary.csv", "windows.jsonl",
                "power.csv" }));
            Assert.That(run.Files, Has.None.Contains("partial").And.None.Contains(".tmp"));
            Assert.That(run.Header("prompts.csv"), Is.EqualTo(PromptColumns.Split(',')));
            Assert.That(run.Header("summary.csv").Take(SummaryColumns.Split(',').Length), Is.EqualTo(SummaryColumns.Split(',')));
            Assert.That(run.Summary["status"], Is.EqualTo("complete"));
            Assert.That(run.Summary["model"], Is.EqualTo("demo"));
            Assert.That(run.Prompts,
                Has.Count.EqualTo(int.Parse(run.Summary["num_prompts"], CultureInfo.InvariantCulture)).And.Count.GreaterThan(50));
            Assert.That(run.Prompts.Count(row => row["finish_reason"] == "eos"), Is.GreaterThan(0.9 * run.Prompts.Count),
                "answers end by themselves");
            Assert.That(double.Parse(run.Summary["accuracy"], CultureInfo.InvariantCulture), Is.GreaterThan(0.8),
                "and most sums are right");
        });
    }

    /// <summary>The summary asks the backend that ran.</summary>
    [Test]
    public void TheTypeOfTheCacheIsTheBackendsAndIsSaid()
    {
        var run = Stories("--limit", "2", "--batch", "2", "--max-new-tokens", "20", "--kv-dtype", "bf16", "--warmup", "0");
        Assert.That(run.Summary["kv_dtype"], Is.EqualTo("bf16"));
        Assert.That((string?)run.Manifest["configuration"]?["Model:KvDtype"]?["value"], Is.EqualTo("bf16"));
    }

    [Test]
    public void WithoutAMeterEnergyIsEmptyAndNotValidAndTheRestStands()
    {
        var run = Stories("--limit", "5", "--batch", "2", "--repeats", "2", "--max-new-tokens", "20");
        Assert.Multiple(() =>
        {
            foreach (var row in run.Prompts.Append(run.Summary).Concat(run.Ranks))
                Assert.That(row.Where(cell => cell.Key.Contains("energy") || cell.Key is "idle_power_w" or "avg_power_w"
                    or "counter_vs_power_ratio").Select(cell => cell.Value), Is.All.Empty);
            foreach (var row in run.Prompts.Append(run.Summary))
                Assert.That((row["valid"], row["invalid_reasons"]), Is.EqualTo(("false", "no_meter")));
            Assert.That(run.Summary["status"], Is.EqualTo("complete"));
            Assert.That(run.Prompts.Select(row => (row["repeat"], row["prompt_index"])),
                Is.EquivalentTo(from repeat in new[] { "1", "2" } from prompt in Enumerable.Range(0, 5) select (repeat, $"{prompt}")));
            Assert.That(run.Prompts.Where(row => row["repeat"] == "2").Select(row => row["batch_index"]),
                Is.EqualTo(new[] { "0", "0", "1", "1", "2" }));
            Assert.That(run.Ranks.Select(row => row["window"]), Is.EqualTo(new[] { "load", "warmup", "measured-1", "measured-2" }));
            foreach (var prompt in Enumerable.Range(0, 5))
                Assert.That(run.OutputIds()[(2, prompt)], Is.EqualTo(run.OutputIds()[(1, prompt)]), "greedy is greedy");
            Assert.That((string?)run.Manifest["configuration"]?["Batch:Size"]?["value"], Is.EqualTo("2"));
            Assert.That((string?)run.Manifest["configuration"]?["Batch:Size"]?["source"], Is.EqualTo("command line"));
        });
    }

    /// <summary>By the definitions of DESIGN, with arithmetic of the test's own.</summary>
    [Test]
    public void TheSummaryFollowsFromTheRowsAndTheRowsFromTheResponses()
    {
        var run = Stories("--limit", "9", "--batch", "4", "--repeats", "2", "--max-new-tokens", "30", "--max-length", "150");
        CheckSummary(run);
        CheckRows(run);
        Assert.That(run.Prompts.Select(row => row["finish_reason"]).Distinct(), Is.SupersetOf(new[] { "length", "context_length" }),
            "both kinds are in it");
    }

    [Test]
    public void ASecondRunNeverTouchesAFirst()
    {
        var first = Stories("--limit", "2", "--max-new-tokens", "3", "--name", "mine");
        Assert.That(first.Path, Is.EqualTo(_scratch["out", "mine"]));
        var before = first.Files.ToDictionary(file => file, file => File.ReadAllBytes(first[file]));
        var result = HarnessProcess.Run(_scratch.Path, [.. Common, "--limit", "2", "--max-new-tokens", "4", "--name", "mine"]);
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        Assert.That(result.Output, Does.Contain("files: out/mine-2"));
        Assert.That(first.Files, Is.EqualTo(before.Keys));
        foreach (var (file, bytes) in before) Assert.That(File.ReadAllBytes(first[file]), Is.EqualTo(bytes), file);
        Assert.That(new RunOutput(_scratch["out", "mine-2"]).Prompts.Select(row => row["output_tokens"]), Is.All.EqualTo("4"));
    }

    [Test]
    public void APromptThatDoesNotFitIsARowAndTheRunGoesOn()
    {
        _scratch.File("prompts.jsonl", $$"""
            {"prompt": "Once upon a time"}
            {"prompt": "{{string.Concat(Enumerable.Repeat("there was a dog. ", 200))}}", "id": "long"}
            {"prompt": "One day"}
            """);
        var run = Run("--model", Models.Llama.Stories.Directory, "--data", "prompts.jsonl", "--max-new-tokens", "10");
        var rows = run.Prompts.ToDictionary(row => row["prompt_index"]);
        Assert.Multiple(() =>
        {
            Assert.That(rows.Values.Select(row => row["finish_reason"]), Is.EquivalentTo(new[] { "length", "context_length", "length" }));
            Assert.That(rows["1"]["finish_reason"], Is.EqualTo("context_length"));
            Assert.That(int.Parse(rows["1"]["input_tokens"], CultureInfo.InvariantCulture), Is.GreaterThan(512));
            Assert.That((rows["1"]["output_tokens"], rows["1"]["ttft_s"], rows["1"]["latency_s"], rows["1"]["batch_index"]),
                Is.EqualTo(("0", "", "", "")));
            Assert.That((run.Summary["completed"], run.Summary["failed"], run.Summary["num_prompts"]), Is.EqualTo(("2", "1", "3")));
            Assert.That(run.Responses.Single(r => (string?)r["id"] == "long")["output_ids"]!.AsArray(), Is.Empty);
        });
    }

    [Test]
    public void WhereNoPromptFitsThereAreRowsAndNoFigures()
    {
        var run = Stories("--limit", "3", "--max-length", "10", "--repeats", "2");
        Assert.Multiple(() =>
        {
            Assert.That(run.Prompts.Select(row => row["finish_reason"]), Is.EqualTo(Enumerable.Repeat("context_length", 6)));
            Assert.That((run.Summary["completed"], run.Summary["failed"], run.Summary["total_output_tokens"]), Is.EqualTo(("0", "6", "0")));
            Assert.That((run.Summary["ttft_mean_s"], run.Summary["latency_p99_s"], run.Summary["accuracy"]), Is.EqualTo(("", "", "")));
        });
    }

    [Test]
    public void RanksShareTheWorkAndGiveTheSameAnswers()
    {
        string[] common = ["--limit", "11", "--batch", "3", "--max-new-tokens", "25"];
        var alone = Stories([.. common, "--name", "alone"]).OutputIds();
        foreach (var (name, ranks, switches) in new[]
        {
            ("tensor", 8, (string[])["--tp", "8"]),
            ("stages", 5, ["--pp", "5", "--micro-batches", "2"]),
            ("all", 8, ["--tp", "2", "--pp", "2", "--dp", "2"]),
            ("replicas", 3, ["--dp", "3"]),
        })
        {
            var run = Stories([.. common, .. switches, "--name", name]);
            Assert.That(run.OutputIds(), Is.EqualTo(alone), name);
            Assert.That(run.Ranks.Select(row => row["rank"]).Distinct().Order(),
                Is.EqualTo(Enumerable.Range(0, ranks).Select(rank => $"{rank}")), name);
            Assert.That(run.Ranks.Where(row => row["rank"] == "0" || ranks == 3).Select(row => row["window"]).Distinct(),
                Is.EqualTo(new[] { "load", "warmup", "measured-1" }), name);
            Assert.That(run.Summary["ranks"], Is.EqualTo($"{ranks}"), name);
            CheckSummary(run);
            CheckRows(run);
        }
    }

    [Test]
    public void SamplingFromASeedDoesNotDependOnBatchesOrRanks()
    {
        string[] common = ["--limit", "7", "--max-new-tokens", "25", "--temperature", "0.8", "--top-p", "0.95", "--seed", "11"];
        var first = Stories([.. common, "--batch", "7", "--name", "a"]).OutputIds();
        Assert.Multiple(() =>
        {
            Assert.That(Stories([.. common, "--batch", "2", "--name", "b"]).OutputIds(), Is.EqualTo(first));
            Assert.That(Stories([.. common, "--batch", "3", "--tp", "4", "--pp", "2", "--name", "c"]).OutputIds(), Is.EqualTo(first));
            Assert.That(Stories([.. common, "--Generation:Seed=12", "--name", "d"]).OutputIds()
                .Where(ids => !ids.Value.SequenceEqual(first[ids.Key])), Is.Not.Empty);
        });
    }

    [Test]
    public void OtherRanksWriteTheirLogsIntoTheRunDirectory()
    {
        var run = Stories("--limit", "2", "--max-new-tokens", "3", "--tp", "2", "--pp", "2");
        Assert.That(run.Files.Where(file => file.EndsWith(".log", StringComparison.Ordinal)),
            Is.EqualTo(new[] { "rank-001.log", "rank-002.log", "rank-003.log" }));
        Assert.That(File.ReadAllText(run["rank-003.log"]), Does.Contain("rank 3 on ").And.Contain("resident"));
    }

    [Test]
    public void TheWholeGsm8kTestFileHasARowForEveryPrompt()
    {
        var run = Run("--model", Models.Llama.Stories.Directory, "--data", SharedData.Path("data", "gsm8k", "test.jsonl"), "--batch", "64",
            "--max-new-tokens", "64", "--warmup", "0");
        Assert.That(run.Prompts.Select(row => row["prompt_index"]), Is.EquivalentTo(Enumerable.Range(0, 1319).Select(i => $"{i}")));
        Assert.That(run.Summary["status"], Is.EqualTo("complete"));
        CheckSummary(run);
        CheckRows(run);
    }

    private string[] Common =>
        ["run", "--model", Models.Llama.Stories.Directory, "--data", SharedData.Path("data", "alpaca", "alpaca_data.json"), "--meter",
        "none", "--out", "out"];

    /// <summary>stories260K on Alpaca.</summary>
    private RunOutput Stories(params string[] switches) => Finish([.. Common, .. switches]);

    private RunOutput Run(params string[] switches) => Finish(["run", "--meter", "none", "--out", "out", .. switches]);

    private RunOutput Finish(string[] arguments)
    {
        var before = Directory.Exists(_scratch["out"]) ? Directory.GetDirectories(_scratch["out"]) : [];
        var result = HarnessProcess.Run(_scratch.Path, arguments);
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        return new(Directory.GetDirectories(_scratch["out"]).Except(before).Single());
    }

    private static void CheckSummary(RunOutput run)
    {
        var summary = run.Summary;
        var completed = run.Prompts.Where(row => row["finish_reason"] is "eos" or "length").ToList();
        var duration = run.Ranks.Where(row => row["rank"] == "0" && row["window"].StartsWith("measured", StringComparison.Ordinal))
            .Sum(row => Number(row["seconds"]));
        var judged = completed.Where(row => row["correct"] != "").ToList();
        Assert.Multiple(() =>
        {
            Expect("completed", completed.Count);
            Expect("failed", run.Prompts.Count - completed.Count);
            Expect("num_prompts", run.Prompts.Select(row => row["prompt_index"]).Distinct().Count());
            Expect("duration_s", duration);
            Expect("total_input_tokens", Sum("input_tokens"));
            Expect("total_output_tokens", Sum("output_tokens"));
            Expect("total_output_words", Sum("output_words"));
            Expect("tokens_per_s", Sum("output_tokens") / duration);
            Expect("words_per_s", Sum("output_words") / duration);
            Expect("responses_per_s", completed.Count / duration);
            foreach (var time in new[] { "ttft", "tpot", "latency" })
            {
                var values = completed.Where(row => row[$"{time}_s"] != "").Select(row => Number(row[$"{time}_s"])).Order().ToArray();
                Expect($"{time}_mean_s", values.Average());
                foreach (var percent in new[] { 50, 90, 99 }) Expect($"{time}_p{percent}_s", Percentile(values, percent / 100.0));
            }
            if (judged.Count > 0) Expect("accuracy", judged.Count(row => row["correct"] == "true") / (double)judged.Count);
            else Assert.That(summary["accuracy"], Is.Empty);
        });

        double Sum(string column) => completed.Sum(row => Number(row[column]));
        void Expect(string column, double value) =>
            Assert.That(Number(summary[column]), Is.EqualTo(value).Within(1e-9 * Math.Abs(value)), column);
    }

    /// <summary>Every row against its response.</summary>
    private static void CheckRows(RunOutput run)
    {
        var responses = run.Responses.ToDictionary(r => ((string)r["run_id"]!, $"{r["repeat"]}", $"{r["prompt_index"]}"));
        Assert.That(responses, Has.Count.EqualTo(run.Prompts.Count));
        foreach (var row in run.Prompts)
        {
            var response = responses[(row["run_id"], row["repeat"], row["prompt_index"])];
            var text = (string)response["text"]!;
            var gaps = response["itl_s"]?.AsArray().Select(gap => (double)gap!).ToArray();
            Assert.That((string)response["finish_reason"]!, Is.EqualTo(row["finish_reason"]));
            Assert.That(response["output_ids"]!.AsArray(), Has.Count.EqualTo((int)Number(row["output_tokens"])));
            Assert.That(text.Split(' ', StringSplitOptions.RemoveEmptyEntries), Has.Length.EqualTo((int)Number(row["output_words"])));
            if (gaps == null) continue;
            Assert.That(gaps, Has.Length.EqualTo((int)Number(row["output_tokens"]) - 1).And.All.GreaterThanOrEqualTo(0));
            Assert.That(Number(row["latency_s"]), Is.EqualTo(Number(row["ttft_s"]) + gaps.Sum()).Within(1e-9));
            if (gaps.Length > 0) Assert.That(Number(row["tpot_s"]), Is.EqualTo(gaps.Average()).Within(1e-9));
        }
    }

    /// <summary>Linear interpolation, as numpy.percentile does by default.</summary>
    private static double Percentile(double[] sorted, double fraction)
    {
        var place = fraction * (sorted.Length - 1);
        var low = (int)Math.Floor(place);
        return low + 1 < sorted.Length ? sorted[low] * (1 - (place - low)) + sorted[low + 1] * (place - low) : sorted[low];
    }

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);
}
