using Harness.Common;
using Harness.Reports.Collecting;
using Harness.Runs;
using Harness.Runs.Records;
using Harness.Tests.Runs.Records;

namespace Harness.Tests.Reports.Collecting;

[TestFixture]
[Parallelizable]
public sealed class CollectTests
{
    private ScratchDirectory _scratch = null!;
    private StringWriter _log = null!;
    private StringWriter _standardOutput = null!;

    [SetUp]
    public void SetUp() => (_scratch, _log, _standardOutput) = (new ScratchDirectory(), new StringWriter(), new StringWriter());

    [TearDown]
    public void TearDown() => _scratch.Dispose();

    private string Out => _scratch["all.csv"];

    private int Run(params string[] directories) => new Collect(_standardOutput).Run(directories, Out, _log);

    private void Complete(string directory, SummaryRecord summary) => AtomicFile.Write(Ready(directory, RunFile.Summary.Name), stream =>
    {
        CsvRows.WriteHeader<SummaryRecord>(stream);
        CsvRows.Write(stream, [summary]);
    });

    private string Ready(string directory, string file)
    {
        Directory.CreateDirectory(_scratch[directory]);
        return _scratch[directory, file];
    }

    private List<Dictionary<string, string>> Collected() => CsvTable.Read(Out);

    [Test]
    public void SummariesAreMergedSortedAndUnchanged()
    {
        Complete("grid/b/run", Samples.Summary("2") with { TokensPerSecond = 0.1 + 0.2, Valid = true });
        Complete("grid/a", Samples.Summary("3") with { Model = "a, \"b\"", InvalidReasons = "no_meter;mig" });
        Complete("other", Samples.Summary("1", RunStatus.Interrupted));
        Assert.That(Run(_scratch["other"], _scratch["grid"]), Is.Zero, _log.ToString());
        var rows = Collected();
        Assert.That(rows.Select(r => (r["run_id"], r["status"], r["valid"], r["invalid_reasons"], r["run_directory"])), Is.EqualTo(new[]
        {
            ("1", "interrupted", "false", "", _scratch["other"]),
            ("2", "complete", "true", "", _scratch["grid", "b", "run"]),
            ("3", "complete", "false", "no_meter;mig", _scratch["grid", "a"]),
        }));
        Assert.That((rows[1]["tokens_per_s"], rows[2]["model"], rows[0]["total_energy_j"]),
            Is.EqualTo(("0.30000000000000004", "a, \"b\"", "")));
        Assert.That(File.ReadLines(Out).First(),
            Does.StartWith("schema_version,run_id,status,").And.EndWith(",pieces,energy_scope,gpu_energy_j,gpu_energy_per_response_j,"
                + "module_energy_j,module_energy_per_response_j,cpu_energy_j,cpu_energy_per_response_j,memory_energy_j,"
                + "memory_energy_per_response_j,node_energy_j,node_energy_per_response_j,beside_invalid_reasons,ttft_p95_s,tpot_p95_s,"
                + "latency_p95_s,itl_mean_s,itl_p50_s,itl_p90_s,itl_p95_s,itl_p99_s,slo,good_requests,goodput_per_s,good_share,"
                + "energy_per_good_request_j,good_energy_j,not_good_energy_j,chat_template,system_prompt,burstiness,arrivals,lengths,turns,"
                + "cached_input_tokens,kv_dtype,core_wait_share,run_directory"));
        Assert.That(_log.ToString(), Does.Contain("3 runs").And.Contain("2 without valid energy"));

        // The same from another order of arguments, with the table of the first time lying among the runs.
        var first = File.ReadAllText(Out);
        Assert.That(Run(_scratch.Path), Is.Zero);
        Assert.That(File.ReadAllText(Out), Is.EqualTo(first));
    }

    /// <summary>Every cell of the CSV, read back with the type that its column has.</summary>
    [Test]
    public async Task AParquetTableHoldsTheValuesOfTheCsv()
    {
        Complete("a", Samples.Summary("1") with
        {
            TimestampUtc = "2026-11-21T07:39:29.25Z",
            TokensPerSecond = 0.1 + 0.2,
            Completed = 3,
            Valid = true,
            Model = "=a, \"é\"",
            TotalOutputTokens = long.MaxValue,
        });
        Complete("b", Samples.Summary("2", RunStatus.Interrupted));
        Directory.CreateDirectory(_scratch["c"]);
        var lines = File.ReadAllLines(_scratch["a", "summary.csv"]);
        File.WriteAllText(_scratch["c", "summary.csv"],
            $"{lines[0]},of_tomorrow\n{lines[1].Replace(",1,", ",3,", StringComparison.Ordinal)},-7\n");
        Assert.That(Run(_scratch.Path), Is.Zero, _log.ToString());
        var csv = Collected();
        var path = _scratch["all.parquet"];
        var code = new Collect(_standardOutput) { Form = TableForms.Of(null, path) }.Run([_scratch.Path], path, _log);
        Assert.That(code, Is.Zero, _log.ToString());

        var rows = Harness.Datasets.Files.DatasetRecords.Read(path).Select(row => row.Value.Clone()).ToList();
        Assert.That(rows, Has.Count.EqualTo(csv.Count));
        foreach (var (row, cells) in rows.Zip(csv))
        {
            Assert.That(row.EnumerateObject().Select(cell => cell.Name), Is.EqualTo(cells.Keys));
            foreach (var cell in row.EnumerateObject().Where(cell => cell.Name != "timestamp_utc"))
                Assert.That(cell.Value.ValueKind == System.Text.Json.JsonValueKind.Null ? "" : cell.Value.ToString().Replace("True", "true")
                    .Replace("False", "false"), Is.EqualTo(cells[cell.Name]), cell.Name);
        }
        Assert.That(rows[0].GetProperty("tokens_per_s").GetDouble(), Is.EqualTo(0.30000000000000004));
        Assert.That(rows[0].GetProperty("total_output_tokens").GetInt64(), Is.EqualTo(long.MaxValue));
        Assert.That(rows[0].GetProperty("of_tomorrow").ValueKind, Is.EqualTo(System.Text.Json.JsonValueKind.Null));

        await using var reader = await Parquet.ParquetReader.CreateAsync(path);
        var times = new DateTime?[3];
        await reader.OpenRowGroupReader(0).ReadAsync(reader.Schema.FindDataField("timestamp_utc"), times.AsMemory());
        var began = new DateTime(2026, 11, 21, 7, 39, 29, 250, DateTimeKind.Utc);
        Assert.That(times, Is.EqualTo(new DateTime?[] { began, null, began }));
        var meanings = System.Text.Json.Nodes.JsonNode.Parse(reader.CustomMetadata["harness.columns"])!;
        Assert.That((string)meanings["total_energy_j"]!["unit"]!, Is.EqualTo("J"));
    }

    [TestCase("parquet", "-", "--out FILE.parquet")]
    [TestCase("xlsx", "a.csv", "one of csv, parquet")]
    public void AFormThatCannotBeWrittenIsRefused(string format, string output, string why) =>
        Assert.That(() => TableForms.Of(format, output), Throws.TypeOf<UserErrorException>().With.Message.Contains(why));

    [Test]
    public void RunsOfTwoScopesOfEnergyAreNamed()
    {
        SummaryRecord Of(string id, string source) => Samples.Summary(id) with { Energy = new() { Total = 1 }, EnergySource = source };
        Complete("a", Of("1", "nvml_counter"));
        Complete("b", Of("2", "nvml_module_counter"));
        Complete("c", Samples.Summary("3"));
        Assert.That(Run(_scratch.Path), Is.Zero);
        Assert.That(_log.ToString(), Does.Contain("not comparable (energy_scope): gpu in 1 run, module in 1 run"));
    }

    [Test]
    public void ARunWithoutASummaryIsIncompleteWithWhatIsKnown()
    {
        using (var run = RunDirectory.Create(_scratch.Path, "going", "m", DateTimeOffset.UtcNow))
        {
            run.WriteManifest(new Manifest(
                Samples.Summary("going") with { Model = "7b", BatchSize = 64, NumPrompts = 1319, ParametersBillions = 6.7 }));
            run.Append([Samples.Prompt(0), Samples.Prompt(1), Samples.Prompt(2, FinishReason.ContextLength)], []);
            File.AppendAllText(run.PathOf("prompts.partial.csv"), "r,0,gsm8k,3,0,1"); // being written
            Assert.That(Run(_scratch.Path), Is.Zero, _log.ToString());
        }
        var row = Collected().Single();
        Assert.That(
            (row["run_id"], row["status"], row["valid"], row["model"], row["batch_size"], row["parameters_b"], row["num_prompts"],
                row["completed"], row["failed"]),
            Is.EqualTo(("going", "incomplete", "false", "7b", "64", "6.7", "1319", "2", "1")));
        Assert.That((row["total_output_tokens"], row["duration_s"], row["tokens_per_s"]), Is.EqualTo(("7", "", "")));
    }

    [Test]
    public void ARunThatOnlyHasItsManifestOrOnlyItsRowsIsARowToo()
    {
        using (var run = RunDirectory.Create(_scratch.Path, "rows", "m", DateTimeOffset.UtcNow))
            run.Append([Samples.Prompt(0) with { RunId = "b" }], []);
        AtomicFile.Write(Ready("manifest", RunFile.Manifest.Name), new Manifest(Samples.Summary("a")).Write);
        RunDirectory.Create(_scratch.Path, "begun", "m", DateTimeOffset.UtcNow).Dispose();
        Assert.That(Run(_scratch.Path), Is.Zero, _log.ToString());
        Assert.That(Collected().Select(r => (r["run_id"], r["status"], r["completed"])), Is.EqualTo(new[]
        {
            ("a", "incomplete", "0"), ("b", "incomplete", "1"), ("begun", "incomplete", "0"),
        }));
    }

    [Test]
    public void ARunThatIsFoundTwiceIsOneRowAndTheCompleteOneCounts()
    {
        Complete("copy", Samples.Summary("1") with { Model = "copied" });
        AtomicFile.Write(Ready("begun", RunFile.Manifest.Name), new Manifest(Samples.Summary("1") with { Model = "begun" }).Write);
        Directory.CreateSymbolicLink(_scratch["link"], _scratch["copy"]);
        Directory.CreateSymbolicLink(_scratch["copy", "loop"], _scratch.Path);
        Assert.That(Run(_scratch.Path, _scratch["copy"], _scratch.Path), Is.Zero, _log.ToString());
        Assert.That(Collected().Single()["model"], Is.EqualTo("copied"));
    }

    [Test]
    public void UnreadableRunsAreNamedAndTheOthersCollected()
    {
        Complete("good", Samples.Summary("good"));
        _scratch.File("empty/summary.csv", "");
        _scratch.File("foreign/summary.csv", "a,b\n1,2\n");
        _scratch.File("headonly/summary.csv", "run_id,status\n");
        _scratch.File("damaged/manifest.json", "{\"run\":");
        _scratch.File("a web application/manifest.json", "{\"name\": \"no run of ours\"}");
        Assert.That(Run(_scratch.Path, _scratch["missing"]), Is.EqualTo(1));
        Assert.That(Collected().Single()["run_id"], Is.EqualTo("good"));
        foreach (var name in new[] { "empty", "foreign", "headonly", "damaged", "missing" })
            Assert.That(_log.ToString().Split('\n').Count(l => l.StartsWith("collect: ") && l.Contains(_scratch[name])), Is.EqualTo(1),
                name);
        Assert.That(_log.ToString(), Does.Not.Contain("web application").And.Contain("5 unreadable"));
    }

    [Test]
    public void ColumnsOfOtherVersionsAreKeptBehindOurs()
    {
        Complete("ours", Samples.Summary("1"));
        _scratch.File("newer/summary.csv", "schema_version,run_id,carbon_g,status,valid\n3,2,17.5,complete,true\n");
        Assert.That(Run(_scratch.Path), Is.Zero);
        Assert.That(File.ReadLines(Out).First(), Does.EndWith(",run_directory,carbon_g"));
        Assert.That(Collected().Select(r => (r["schema_version"], r["carbon_g"], r["valid"])),
            Is.EqualTo(new[] { ("2", "", "false"), ("3", "17.5", "true") }));
        Assert.That(_log.ToString(), Does.Contain("1 run was written by a newer version (schema_version 3, this program writes 2)"));
    }

    /// <summary>Older versions wrote the slots of a replica as <c>batch_size</c> under continuous batching, too.</summary>
    [Test]
    public void ABatchSizeIsThatOfStaticBatches()
    {
        const string header =
            "schema_version,run_id,status,ranks,tensor_parallel,pipeline_parallel,batch_size,schedule,concurrency,valid\n";
        _scratch.File("continuous/summary.csv", header + "2,a,complete,2,1,1,8,continuous,16,true\n");
        _scratch.File("static/summary.csv", header + "2,b,complete,2,1,1,8,static,,true\n");
        Assert.That(Run(_scratch.Path), Is.Zero, _log.ToString());
        Assert.That(Collected().Select(row => (row["batch_size"], row["concurrency"])), Is.EqualTo(new[] { ("", "16"), ("8", "") }));
    }

    /// <summary>Four answers of 0.1 to 0.4 s to the first token, in 8 s and for 100 J: three are good within 300 ms.</summary>
    [Test]
    public void GoodputIsJudgedAfterwards()
    {
        PromptRecord[] prompts = [.. Enumerable.Range(0, 4).Select(i => Samples.Prompt(i) with
        {
            TtftSeconds = (i + 1) / 10.0,
            ItlP99Seconds = (i + 1) / 100.0,
            EnergyJoules = 10 + i,
        })];
        var run = Samples.Summary("1") with { DurationSeconds = 8, Energy = new() { Total = 100, Unattributed = 54 } };
        Complete("ours", run with { Goodput = new() { Slo = "ttft=1ms", Good = 0 } });
        Unsynced("ours/prompts.csv", prompts);
        Complete("older", run with { RunId = "2" });
        Unsynced("older/prompts.csv", prompts.Select(prompt => prompt with { ItlP99Seconds = null }));
        Unsynced("going/prompts.partial.csv", prompts.Select(prompt => prompt with { RunId = "3", EnergyJoules = null }));
        Complete("skipped", Samples.Summary("4", RunStatus.Skipped));

        (string, string, string, string, string, string, string)[] Judged(string? slo)
        {
            var collect = new Collect(_standardOutput) { Slo = slo == null ? Slo.None : Slo.Parse(slo, "--slo") };
            Assert.That(collect.Run([_scratch.Path], Out, _log), Is.Zero, _log.ToString());
            return [.. Collected().Select(row => (row["slo"], row["good_requests"], row["goodput_per_s"], row["good_share"],
                row["energy_per_good_request_j"], row["good_energy_j"], row["not_good_energy_j"]))];
        }

        Assert.That(Judged("ttft=300ms"), Is.EqualTo(new[]
        {
            ("ttft=300ms", "3", "0.375", "0.75", $"{100 / 3.0:R}", "33", "13"),
            ("ttft=300ms", "3", "0.375", "0.75", $"{100 / 3.0:R}", "33", "13"),
            ("ttft=300ms", "3", "", "0.75", "", "", ""), ("ttft=300ms", "", "", "", "", "", ""),
        }));
        Assert.That(_log.ToString(), Does.Not.Contain("goodput"));
        Assert.That(Judged("ttft=300ms,itl=20ms"), Is.EqualTo(new[]
        {
            ("ttft=300ms,itl=20ms", "2", "0.25", "0.5", "50", "21", "25"), ("ttft=300ms,itl=20ms", "", "", "", "", "", ""),
            ("ttft=300ms,itl=20ms", "2", "", "0.5", "", "", ""), ("ttft=300ms,itl=20ms", "", "", "", "", "", ""),
        }));
        Assert.That(_log.ToString(), Does.Contain("collect: goodput is empty for 1 run whose prompts.csv does not tell itl of every "
            + $"request: {_scratch["older"]}\n"));
        Assert.That(Judged(null)[0], Is.EqualTo(("ttft=1ms", "0", "", "", "", "", "")), "what the run wrote itself");
    }

    /// <summary>A study's worth: complete, invalid, cut off, and of the version before, which lacked the last columns.</summary>
    [Test, NonParallelizable]     // it looks at the memory of the whole process
    public void TwoThousandRunsAreMergedInBoundedMemory()
    {
        const int runs = 2000, promptsOfIncomplete = 200;
        const string former = "schema_version,run_id,status,total_energy_j,valid\n";
        for (var i = 0; i < runs; i++)
        {
            if (i % 10 == 7) _scratch.File($"r{i}/summary.csv", $"{former}1,{i:0000},complete,{i},true\n");
            else if (i % 10 == 3) Unsynced($"r{i}/prompts.partial.csv", Enumerable.Range(0, promptsOfIncomplete)
                .Select(index => Samples.Prompt(index) with { RunId = $"{i:0000}" }));
            else Unsynced($"r{i}/summary.csv", [Samples.Summary($"{i:0000}") with { Energy = new() { Total = i }, Valid = i % 10 != 5 }]);
        }
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var most = 0L;
        using (new Timer(_ => most = Math.Max(most, GC.GetTotalMemory(forceFullCollection: true) - before), null, 100, 200))
            Assert.That(Run(_scratch.Path), Is.Zero, _log.ToString());
        var rows = Collected();
        Assert.Multiple(() =>
        {
            Assert.That(rows.Select(row => row["run_id"]), Is.EqualTo(Enumerable.Range(0, runs).Select(i => $"{i:0000}")),
                "each once, sorted");
            Assert.That(rows.Count(row => row["status"] == "incomplete"), Is.EqualTo(runs / 10));
            Assert.That(rows.Count(row => row["valid"] == "true"), Is.EqualTo(runs / 10 * 8));
            Assert.That(rows.Where(row => row["schema_version"] == "1").Select(row => (row["pieces"], row["run_directory"])), Is.EqualTo(
                from i in Enumerable.Range(0, runs) where i % 10 == 7 select ("", _scratch[$"r{i}"])));
            Assert.That(rows.Where(row => row["total_energy_j"].Length > 0).Sum(row => int.Parse(row["total_energy_j"])),
                Is.EqualTo(Enumerable.Range(0, runs).Where(i => i % 10 != 3).Sum()));
            // A row is 97 short texts; nothing of prompts stays.
            Assert.That(most, Is.LessThan(runs * 16_384L));
        });
    }

    /// <summary>As a run writes it, without waiting for the disk.</summary>
    private void Unsynced<T>(string file, IEnumerable<T> rows)
    {
        using var stream = new MemoryStream();
        CsvRows.WriteHeader<T>(stream);
        CsvRows.Write(stream, rows);
        _scratch.File(file, System.Text.Encoding.UTF8.GetString(stream.ToArray()));
    }

    [Test]
    public void WhereThereIsNoRunNothingIsWritten()
    {
        _scratch.File("all.csv", "of yesterday");
        Assert.That(Run(_scratch.Path), Is.EqualTo(1));
        Assert.That(_log.ToString(), Does.Contain("no run found below " + _scratch.Path));
        Assert.That(File.ReadAllText(Out), Is.EqualTo("of yesterday"));
    }

    [Test]
    public void ADashWritesToStandardOutput()
    {
        Complete("run", Samples.Summary("1"));
        Assert.That(new Collect(_standardOutput).Run([_scratch.Path], "-", _log), Is.Zero);
        Assert.That(_standardOutput.ToString().Split('\n')[1], Does.StartWith("2,1,complete,"));
        Assert.That(File.Exists(_scratch["-"]), Is.False);
    }

    [Test]
    public void AnOutputThatWouldLookLikeARunIsRefused() =>
        Assert.That(() => new Collect(_standardOutput).Run([_scratch.Path], _scratch["summary.csv"], _log),
            Throws.TypeOf<UserErrorException>());

    [Test]
    public void RunsMayBeWrittenWhileTheyAreCollected()
    {
        Complete("done", Samples.Summary("0"));
        using var stop = new CancellationTokenSource();
        var writer = Task.Run(() =>
        {
            for (var i = 1; !stop.IsCancellationRequested; i++)
            {
                using var run = RunDirectory.Create(_scratch["live"], null, "m", DateTimeOffset.UtcNow);
                run.WriteManifest(new Manifest(Samples.Summary(run.RunId)));
                for (var batch = 0; batch < 3; batch++)
                    run.Append([.. Enumerable.Range(0, 20).Select(p => Samples.Prompt(p) with { RunId = run.RunId })], []);
                run.CompleteResults([.. Enumerable.Range(0, 60).Select(p => Samples.Prompt(p % 20) with { RunId = run.RunId })]);
                run.WriteSummary(Samples.Summary(run.RunId));
            }
        });
        try
        {
            for (var i = 0; i < 30; i++)
            {
                Assert.That(Run(_scratch.Path), Is.Zero, _log.ToString());
                Assert.That(Collected().Select(r => r["status"]), Has.All.Matches("^(in)?complete$"));
            }
        }
        finally
        {
            stop.Cancel();
            writer.Wait();
        }
    }
}
