using System.Text.Json.Nodes;
using Harness.Common;
using Harness.Energy;
using Harness.Energy.Accounting;
using Harness.Energy.Records;
using Harness.Reports.Exporting;
using Harness.Runs;
using Harness.Runs.Records;

namespace Harness.Tests.Reports.Exporting;

/// <summary>One small run, made by hand, in every format: 2 GPUs, 10 s, 3 prompts of which one failed, 3.6 kJ, 40 output tokens.</summary>
[TestFixture, Parallelizable]
public sealed class ExportTests
{
    private ScratchDirectory _scratch = null!;
    private StringWriter _log = null!;
    private MemoryStream _standardOutput = null!;

    [SetUp]
    public void SetUp()
    {
        (_scratch, _log, _standardOutput) = (new(), new(), new());
        Make("run", s_summary);
    }

    [TearDown]
    public void TearDown() => _scratch.Dispose();

    private static readonly SummaryRecord s_summary = new()
    {
        RunId = "20261121T000000Z-llama-7b-aaaaaa",
        Status = RunStatus.Complete,
        TimestampUtc = "2026-11-21T00:00:00Z",
        Model = "llama-7b",
        ParametersBillions = 6.738,
        Dtype = "bf16",
        Gpu = "NVIDIA A100",
        NumGpus = 2,
        Nodes = 1,
        Ranks = 4,
        TensorParallel = 2,
        PipelineParallel = 1,
        BatchSize = 8,
        MaxNewTokens = 32,
        Dataset = "alpaca",
        NumPrompts = 3,
        Completed = 2,
        Failed = 1,
        DurationSeconds = 10,
        TotalInputTokens = 60,
        TotalOutputTokens = 40,
        TokensPerSecond = 4,
        ResponsesPerSecond = 0.2,
        Ttft = new() { Mean = 0.5, P50 = 0.25 },
        Tpot = new() { P50 = 0.04 },
        Latency = new() { Mean = 2 },
        Energy = new() { Total = 3600, PerOutputToken = 90, PerResponse = 1800 },
        Carbon = new() { EnergyJoules = 5400, IntensityGramsPerKilowattHour = 400 },
        Valid = true,
    };

    [Test]
    public void MlEnergysResult()
    {
        var result = JsonNode.Parse(Exported("ml-energy"))!.AsObject();
        Assert.Multiple(() =>
        {
            Assert.That(((string?)result["model_id"], (string?)result["gpu_model"], (int)result["num_gpus"]!),
                Is.EqualTo(("llama-7b", "NVIDIA A100", 2)));
            Assert.That(((int)result["max_num_seqs"]!, (string?)result["request_rate"]), Is.EqualTo((16, "inf")),
                "8 on each of two replicas");
            Assert.That(((double)result["output_throughput"]!, (double)result["total_token_throughput"]!,
                (double)result["request_throughput"]!), Is.EqualTo((4.0, 10.0, 0.2)));
            Assert.That((double)result["median_ttft_ms"]!, Is.EqualTo(250));
            Assert.That(result.ContainsKey("steady_state_energy") && result["steady_state_energy"] == null, "what is not known is null");
            Assert.That(result["entire_benchmark_measurement"]!["gpu_energy"]!.AsObject().Select(gpu => (gpu.Key, (double)gpu.Value!)),
                Is.EqualTo(new[] { ("0", 1200.0), ("1", 2400.0) }));
            var requests = result["results"]!.AsArray();
            Assert.That(requests.Select(r =>
                ((string?)r!["output_text"], (int)r["input_len"]!, (int)r["output_len"]!, (double)r["energy"]!)),
                Is.EqualTo(new[] { ("a\nb", 20, 10, 900.0), ("c", 40, 30, 2500.0) }), "in order, without the prompt that failed");
            Assert.That(requests[0]!["itl"]!.AsArray().Select(gap => (double)gap!), Is.EqualTo(new[] { 0.125 }));
        });
    }

    [Test]
    public void MlEnergysLegacyColumns()
    {
        var lines = Exported("ml-energy-legacy").Split('\n');
        Assert.That(lines[0], Is.EqualTo("model,gpu,task,throughput,response_length,latency,energy,parameters"));
        Assert.That(lines[1], Is.EqualTo("llama-7b,NVIDIA A100,alpaca,4,20,2,1800,6.738"));
    }

    /// <summary>A template is a form of any data set's questions: the task is still theirs.</summary>
    [Test]
    public void MlEnergysLegacyTaskOfATemplateNamesTheDataSet()
    {
        Make("templated", s_summary with { RunId = "templated", Task = SummaryRecord.TemplateTask });
        Assert.That(CsvTable.Parse(Exported("ml-energy-legacy")).Select(row => row["task"]), Is.EquivalentTo(
            new[] { "alpaca", "alpaca-template" }));
    }

    /// <summary>As in the leaderboard's own rows: power ÷ throughput is J/token, and that times the mean length J/request.</summary>
    [Test]
    public void TheLeaderboardsIdentitiesHoldInWhatIsExported()
    {
        var row = CsvTable.Parse(Exported("ml-energy-legacy")).Single();
        var result = JsonNode.Parse(Exported("ml-energy"))!;
        double Number(string name) => double.Parse(row[name], System.Globalization.CultureInfo.InvariantCulture);

        var watts = result["entire_benchmark_measurement"]!["gpu_energy"]!.AsObject().Sum(gpu => (double)gpu.Value!)
            / (double)result["duration"]!;
        var perToken = watts / (double)result["output_throughput"]!;
        Assert.That(perToken, Is.EqualTo(s_summary.Energy.PerOutputToken).Within(1e-9));
        Assert.That(perToken * Number("response_length"), Is.EqualTo(Number("energy")).Within(1e-9));
        Assert.That(Number("throughput"), Is.EqualTo((double)result["output_throughput"]!));
    }

    [Test]
    public void InferenceXsPowerColumns()
    {
        var row = CsvTable.Parse(Exported("inferencex")).Single();
        Assert.Multiple(() =>
        {
            Assert.That((row["power_valid"], row["power_metric_schema_version"]), Is.EqualTo(("1", "2")));
            Assert.That((row["avg_power_w"], row["avg_total_gpu_power_w"], row["total_gpu_energy_j"]), Is.EqualTo(("180", "360", "3600")));
            Assert.That((row["joules_per_successful_query"], row["joules_per_input_token"], row["joules_per_output_token"],
                row["joules_per_total_token"]), Is.EqualTo(("1800", "60", "90", "36")));
            Assert.That((row["tput_per_gpu"], row["output_tput_per_gpu"], row["input_tput_per_gpu"]), Is.EqualTo(("5", "2", "3")));
            Assert.That((row["median_intvty"], row["isl"], row["osl"], row["conc"], row["date"]),
                Is.EqualTo(("25", "30", "20", "16", "2026-11-21")));
            Assert.That(row["p99_ttft"], Is.Empty);
        });
    }

    [Test]
    public void CodeCarbonsColumns()
    {
        var row = CsvTable.Parse(Exported("codecarbon")).Single();
        Assert.Multiple(() =>
        {
            // 3600 J are 1 Wh; 5400 J at 400 g/kWh are 0.6 g.
            Assert.That((row["gpu_energy"], row["energy_consumed"], row["emissions"]), Is.EqualTo(("0.001", "0.0015", "0.0006")));
            Assert.That((row["gpu_power"], row["duration"], row["pue"]), Is.EqualTo(("360", "10", "1.2")));
            Assert.That((row["cpu_energy"], row["cpu_power"], row["ram_energy"], row["country_name"]), Is.EqualTo(("", "", "", "")),
                "not measured, so not 0");
            Assert.That((row["gpu_count"], row["gpu_model"], row["experiment_id"]), Is.EqualTo(("2", "NVIDIA A100", "run")));
        });
    }

    [Test]
    public void ARunWithoutValidEnergyIsLeftOutUnlessTheFormatCanSaySo()
    {
        Make("bad", s_summary with { RunId = "bad", Valid = false, InvalidReasons = "throttled" });
        Assert.That(CsvTable.Parse(Exported("codecarbon")), Has.Count.EqualTo(1));
        Assert.That(_log.ToString(), Does.Contain("bad is left out: its energy is not valid (throttled); --include-invalid takes it all "
            + "the same"));
        Assert.That(CsvTable.Parse(Exported("codecarbon", includeInvalid: true)), Has.Count.EqualTo(2));
        var bad = CsvTable.Parse(Exported("inferencex")).Single(row => row["id"] == "bad");
        Assert.That((bad["power_valid"], bad["joules_per_output_token"], bad["avg_power_w"], bad["tput_per_gpu"]),
            Is.EqualTo(("0", "", "", "5")), "watts and joules are withheld, throughput stands");
    }

    [Test]
    public void WhereNothingIsLeftNothingIsWritten()
    {
        Make("run", s_summary with { Status = RunStatus.Interrupted });
        Assert.That(new Export(Export.Find("ml-energy"), _standardOutput).Run([_scratch.Path], _scratch["out.json"], false, _log),
            Is.EqualTo(1));
        Assert.That(File.Exists(_scratch["out.json"]), Is.False);
        Assert.That(_log.ToString(), Does.Contain("(interrupted)").And.Contain("no run is left to export"));
    }

    [Test]
    public void AnUnknownFormatIsRefusedWithTheKnown() =>
        Assert.That(() => Export.Find("csv"),
        Throws.TypeOf<UserErrorException>().With.Message.Contains("ml-energy, ml-energy-legacy, inferencex, codecarbon"));

    [Test]
    public void ARealRunOfTheProgramIsExportedInEveryFormat()
    {
        var run = HarnessProcess.Run(_scratch.Path, "run", "--limit", "4", "--meter", "none", "--out", "real", "--name", "r");
        Assert.That(run.ExitCode, Is.Zero, run.Error);
        foreach (var format in Export.Formats.Where(format => format.IsText))
        {
            var result = HarnessProcess.Run(_scratch.Path, "export", "real", "--format", format.Name, "--include-invalid");
            Assert.That((result.ExitCode, result.Output.Length > 100), Is.EqualTo((0, true)), result.Error);
        }
    }

    [Test]
    public void SummariesAreExportedWithTheirTypes()
    {
        Assert.That(new Export(Export.Find("parquet"), Stream.Null).Run([_scratch.Path], _scratch["all.parquet"], false, _log), Is.Zero,
            _log.ToString());
        var row = Harness.Datasets.Files.DatasetRecords.Read(_scratch["all.parquet"]).Select(row => row.Value.Clone()).Single();
        Assert.That(row.EnumerateObject().Select(column => column.Name), Is.EqualTo(ColumnMap<SummaryRecord>.Names));
        Assert.That((row.GetProperty("total_energy_j").GetDouble(), row.GetProperty("completed").GetInt64(),
            row.GetProperty("valid").GetBoolean(), row.GetProperty("tpot_p99_s").ValueKind),
            Is.EqualTo((3600.0, 2L, true, System.Text.Json.JsonValueKind.Null)));
    }

    private string Exported(string format, bool includeInvalid = false)
    {
        _standardOutput.SetLength(0);
        Assert.That(new Export(Export.Find(format), _standardOutput).Run([_scratch.Path], "-", includeInvalid, _log), Is.Zero,
            _log.ToString());
        return System.Text.Encoding.UTF8.GetString(_standardOutput.ToArray());
    }

    private void Make(string name, SummaryRecord summary)
    {
        Directory.CreateDirectory(_scratch[name]);
        PromptRecord Row(int index, int input, int output, double joules, string finish = FinishReason.Eos) => new()
        {
            RunId = summary.RunId,
            Repeat = 1,
            Dataset = "alpaca",
            PromptIndex = index,
            InputTokens = input,
            OutputTokens = output,
            FinishReason = finish,
            TtftSeconds = 0.5,
            LatencySeconds = 2,
            EnergyJoules = joules,
        };
        ResponseRecord Response(int index, string text) =>
            new()
            {
                RunId = summary.RunId,
                Repeat = 1,
                PromptIndex = index,
                Prompt = $"p{index}",
                OutputIds = [1, 2],
                Text = text,
                FinishReason = FinishReason.Eos,
                ItlSeconds = [0.125]
            };
        DomainEnergy Gpu(string uuid, double joules) =>
            new() { Host = "h", Device = uuid, Kind = DomainKind.Gpu, DurationSeconds = 5, CounterJoules = joules, InvalidReasons = [] };
        EnergyWindow Window(WindowKind kind, int? repeat) => new(repeat == null ? "idle" : $"measured-{repeat}", kind, 0, 5, repeat);

        Csv(_scratch[name, RunFile.Summary.Name], summary);
        Csv(_scratch[name, RunFile.Prompts.Name], Row(0, 20, 10, 900), Row(1, 9999, 0, 0, FinishReason.ContextLength),
            Row(2, 40, 30, 2500));
        AtomicFile.Write(_scratch[name, RunFile.Responses.Name], stream =>
            JsonRows.Write(stream, [Response(0, "a\nb"), Response(1, ""), Response(2, "c")]));
        AtomicFile.Write(_scratch[name, RunFile.Windows.Name], stream =>
        {
            using var text = new StreamWriter(stream, leaveOpen: true);
            WindowRecords.Write(text,
            [
                new(Window(WindowKind.Idle, null), [Gpu("GPU-1", 77), Gpu("GPU-2", 77)]),
                new(Window(WindowKind.Measured, 1), [Gpu("GPU-1", 500), Gpu("GPU-2", 1000)]),
                new(Window(WindowKind.Measured, 2), [Gpu("GPU-1", 700), Gpu("GPU-2", 1400)]),
            ]);
        });
        _scratch.File($"{name}/{RunFile.Energy.Name}", "{}");
        _scratch.File($"{name}/{RunFile.Manifest.Name}", """{"configuration": {"Carbon:Pue": {"value": "1.2", "source": "command line"}}}""");
    }

    private static void Csv<T>(string path, params T[] rows) => AtomicFile.Write(path, stream =>
    {
        CsvRows.WriteHeader<T>(stream);
        CsvRows.Write(stream, rows);
    });
}
