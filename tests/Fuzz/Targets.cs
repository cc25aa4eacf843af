using System.Text;
using Harness.Common;
using Harness.Configuration;
using Harness.Datasets;
using Harness.Datasets.Files;
using Harness.Energy;
using Harness.Energy.Control;
using Harness.Energy.Meters;
using Harness.Energy.Recordings;
using Harness.MLTokenizers;
using Harness.Models.Llama.Checkpoints;
using Harness.Models.Llama.Configuration;
using Harness.Models.Llama.Templates;
using Harness.Models.Llama.Tokenizers;
using Harness.Planning;
using Harness.Reports.Auditing;
using Harness.Reports.Collecting;
using Harness.Reports.Exporting;
using Harness.Reports.Publishing;
using Harness.Runs;
using Harness.Runs.Carbon;
using Harness.Runs.Records;
using Harness.Runs.Verifying;
using Harness.Sharding;
using Harness.Sweeping;
using Harness.Tensors;

namespace Harness.Fuzz;

/// <summary>Every parser, a row each.</summary>
internal static class Targets
{
    private const string Text = "a b ab  abc é 漢字 \ud800 <s> [x] <|end|> 12345\r\n\tdon't";
    private const int PlannedGpus = 4;
    private const long PlannedMemory = 32L << 30;

    private static readonly DateTimeOffset s_now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    private static readonly IReadOnlyDictionary<string, string?> s_noSwitches = new Dictionary<string, string?>();

    public static IReadOnlyList<Target> All { get; } =
    [
        // A model
        new("config.json", Grammar.Json, () => Seeds.Of(Seeds.LlamaConfigJson, Seeds.MistralConfigJson), OneFile("config.json", Plan)),
        Checkpoint("config.json", Grammar.Json, () => Seeds.Of(Seeds.LlamaConfigJson)),
        Checkpoint("model.safetensors", Grammar.SafeTensors, () => [Seeds.Weights(_ => true)]),
        Checkpoint("model.safetensors.index.json", Grammar.Json, () => [Seeds.Index()]),
        Checkpoint(Seeds.FirstShard, Grammar.SafeTensors, () => [Seeds.Weights(Seeds.IsInFirstShard)]),

        // A tokenizer
        Tokenizer("tokenizer.json", Grammar.Json, () => Seeds.Of(Seeds.TokenizerJson, Seeds.ByteLevelJson)),
        Tokenizer("tokenizer.model", Grammar.Protobuf, Seeds.SentencePiece),
        new("tokenizer/tiktoken", Grammar.Text, () => [Seeds.Tiktoken()], OneFile("tokenizer.model", Encode)),
        Tokenizer("tokenizer_config.json", Grammar.Json, () => Seeds.Of(Seeds.TokenizerConfig)),
        Tokenizer("special_tokens_map.json", Grammar.Json, () => Seeds.Of(Seeds.SpecialTokensMap)),
        Tokenizer("added_tokens.json", Grammar.Json, () => Seeds.Of("""{"<pad>":9,"<s>":1}""")),
        Tokenizer("generation_config.json", Grammar.Json, () => Seeds.Of(Seeds.Generation)),

        new("chat template", Grammar.Text, () => Seeds.Of(Seeds.ChatTemplates), OneFile("chat_template.jinja", Render)),

        // Prompts
        Dataset(AlpacaPrompts.Name, Seeds.Alpaca),
        Dataset(GsmPrompts.Name, Seeds.Gsm),
        Dataset(ShareGptPrompts.Name, Seeds.ShareGpt),
        Dataset(JsonLinesPrompts.Name, Seeds.JsonLines),
        new("data set/gsm8k.parquet", Grammar.Parquet, () => [ParquetSeeds.Bytes(ParquetSeeds.Gsm)], OneFile("x.parquet", path =>
            DatasetCatalog.Load(null, path, 0, null, null).Notes.ToList())),
        new("data set/parquet", Grammar.Parquet,
            () => [ParquetSeeds.Bytes(ParquetSeeds.Conversations), ParquetSeeds.Bytes(ParquetSeeds.Gsm)],
            OneFile("x.parquet", path => DatasetRecords.Read(path).Count())),
        new("data set/packed", Grammar.Bytes, () => [.. Seeds.Packed()], OneFile("x.jsonl", path => DatasetRecords.Read(path).Count())),

        // What a person writes
        new("configuration", Grammar.Json, () => Seeds.Of(Seeds.Configuration), OneFile("run.json", path =>
            new ResolvedConfiguration(path, s_noSwitches).Entries().Count())),
        new("grid", Grammar.Json, () => Seeds.Of(Seeds.Grid, Seeds.Configuration), OneFile("grid.json", path =>
            new SweepGrid(path, s_noSwitches).Cells.Select(cell => cell.Name).ToList())),
        new("settings", Grammar.Text, SettingLines, _ => input => SetAll(Encoding.UTF8.GetString(input))) { Cost = 40 },
        new("arrivals", Grammar.Csv, () => Seeds.Of(
            "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:15:46.6805900,374,44\r\n2023-11-16 18:15:50.9951690,396,109\r\n",
            "arrival_s,output_tokens,x\n0,3,a\n1.5,4,b\n"), OneFile("arrivals.csv", path =>
        {
            var trace = ArrivalTrace.Read(path, 2);
            _ = trace.Notes.Count();
            _ = trace.At(3).WithoutLengths();
        })),
        new("slo", Grammar.Text, () => Seeds.Of("ttft=200ms,itl=50ms,latency=5s", "tpot=0.03"), _ => input =>
        {
            var slo = Slo.Parse(Encoding.UTF8.GetString(input), "--slo").ToString();
            if (Slo.Parse(slo, "--slo").ToString() != slo) throw new InvalidOperationException($"{slo} is not read as it is written");
        }),
        new("carbon intensity", Grammar.Csv, () => Seeds.Of(
            "time,g_per_kwh\n2026-01-02T03:00Z,380\n2026-01-02T04:00Z,390.5\n",
            "Datetime (UTC);Carbon intensity gCO₂eq/kWh (direct);Carbon intensity gCO₂eq/kWh (LCA)\n2026-01-02 03:00:00;1;2\n"),
            OneFile("hours.csv", path => CarbonInputs.From(CarbonIntensity.Parse(path, "Carbon:Intensity"), 1.2, 100, 4, s_now))),

        // What a meter says
        new("replay", Grammar.Csv, () => [SeedRun.Files[RunFile.Power.Name]], OneFile("power.csv", Replay)),
        Recording("nvidia-smi", Grammar.Csv, """
            timestamp, uuid, power.draw [W], clocks_event_reasons.active, memory.used [MiB], mig.mode.current
            2026/09/11 04:19:41.500, GPU-a, 180.00 W, 0x0000000000000001, 2 MiB, Disabled
            2026/09/11 04:19:42.500, GPU-a, [N/A], 0x0000000000000000, 2 MiB, Enabled
            2026/09/11 04:19:43.500, GPU-a, 190.5, 0, 2, [N/A]

            """),
        Recording("amd-smi", Grammar.Csv, """
            timestamp,gpu,xcp,vcn_activity,socket_power,throttle_status,total_energy_consumption
            1789100381,0,0,"['N/A', 'N/A']",238,UNTHROTTLED,1000.125
            1789100382,0,0,"['N/A', 'N/A']",240,N/A,1239.5
            1789100383,0,1,"[]",N/A,N/A,N/A

            """),
        Recording("exporter", Grammar.Text, """
            1789100381.25
            # HELP DCGM_FI_DEV_POWER_USAGE Power draw (in W).
            DCGM_FI_DEV_POWER_USAGE{gpu="0",UUID="GPU-a",Hostname="node \"7\""} 68.244000
            DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{gpu="0",UUID="GPU-a",GPU_I_ID="3"} 15152422938
            # 2026-09-11T06:19:42.25+02:00
            DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{gpu="0",UUID="GPU-a"} 15152492938
            gpu_energy_consumed{gpu_id="0",serial_number="SN-0",hostname="b"} 1.4e12 1789100381500

            """),
        Recording("telemetry", Grammar.Json, """
            {"timestamp_ns": 1789100381500000000, "gpu_index": 0, "gpu_uuid": "GPU-a", "hostname": "x", "telemetry_data": {"gpu_power_usage": 30.25, "energy_consumption": 32.5}, "telemetry_source_url": "u1"}
            {"timestamp_ns": 1789100381600000000, "gpu_index": 0, "hostname": "y", "telemetry_data": {"amd_power": null, "amd_energy_consumption": 32.5}}

            """),
        new("audit/power.csv", Grammar.Csv, () => [SeedRun.Files[RunFile.Power.Name]], OneFile("power.csv", JudgeRecording)) { Cost = 4 },
        new("audit/windows", Grammar.Json, () => Seeds.Of(
            """{"date": "20260911-041943", "duration": 1.5, "completed": 3}""",
            """{"timeline": {"benchmark_start_time": 1789100381.5, "benchmark_end_time": 1789100383.5, "steady_state_start_time": null}}""",
            """{"window":{"window":"measured-1","kind":"measured","start_s":7,"end_s":12,"repeat":1},"devices":[]}"""),
            OneFile("windows.json", RecordedWindows.Read)),
        new("audit/window", Grammar.Text, () => Seeds.Of("1789100381.5..1789100383", "2026-09-11T04:19:41Z..2026-09-11T04:19:43.5+00:00"),
            _ => input => RecordedWindows.Parse(Encoding.UTF8.GetString(input))),
        new("command meter", Grammar.Text, () => Seeds.Of("J 15310.25\nW 250.1\nJ 1e3 W 2.5\n# x\n",
            "@1764381600.25 cpu-0 W 40\n@1764381600.25 node J 7 W 300\n@1764381601.25 cpu-0 W 41\n"), _ => input =>
        {
            var lines = new CommandLines(new MonotonicClock(), () => 1764381601);
            foreach (var line in Encoding.UTF8.GetString(input).Split('\n')) lines.Take(line);
            CommandMeter.SplitWords(Encoding.UTF8.GetString(input));
        }),

        // What a start leaves for the next one
        .. JournalTargets.All,
        new("restore", Grammar.Json, () => Seeds.Of(
            """{"host":"elsewhere","devices":[{"uuid":"GPU-0","power_limit_mw":300000,"sm_clock_locked":true}]}""",
            $$"""{"host":"{{Environment.MachineName}}","devices":[{"uuid":"GPU-0","power_limit_mw":null}]}"""), scratch => input =>
        {
            scratch.Write(PowerControl.FileName(0), input);
            PowerControl.RestoreDirectory(scratch.Path, Environment.MachineName, "/no/such/libnvidia-ml.so");
        }),

        // A run directory in which one file is changed
        .. new[]
        {
            RunFile.Summary, RunFile.Prompts, RunFile.Categories, RunFile.Responses, RunFile.Ranks, RunFile.Power, RunFile.Windows,
            RunFile.Steps, RunFile.Phases, RunFile.Energy, RunFile.Carbon, RunFile.Manifest,
        }.SelectMany(Run),
        Unfinished(RunFile.PartialPrompts.Name, Grammar.Csv, () => [SeedRun.Files[RunFile.Prompts.Name]]),
        Unfinished(RunFile.Manifest.Name, Grammar.Json, () => [SeedRun.Files[RunFile.Manifest.Name]]),
        new("sweep of runs", Grammar.Json, () => [SeedRun.Files[RunFile.Manifest.Name]], Cell),
    ];

    /// <exception cref="UserErrorException">There is none of that name.</exception>
    public static Target Find(string name) => All.FirstOrDefault(target => target.Name == name)
        ?? throw new UserErrorException($"there is no target '{name}'; fuzz list names them");

    private static Func<Scratch, Action<byte[]>> OneFile(string name, Action<string> read) =>
        scratch => input => read(scratch.Write(name, input));

    private static Func<Scratch, Action<byte[]>> OneFile<T>(string name, Func<string, T> read) =>
        OneFile(name, path => { _ = read(path); });

    /// <summary>As <c>harness plan</c> does with it.</summary>
    private static void Plan(string path)
    {
        var model = ModelConfiguration.Load(path);
        var planner = new Planner
        {
            Name = path,
            Model = model,
            MemoryBytes = PlannedMemory,
            Work = PlannedWork.Of(new(), 8, model.MaxPositions, DType.BF16, DType.BF16),
        };
        _ = planner.Rows(PlannedGpus).ToList();
    }

    /// <summary>A model's directory with one of its files changed, opened as a run does, and the first row of each tensor read.</summary>
    private static Target Checkpoint(string file, Grammar grammar, Func<IReadOnlyList<byte[]>> seeds) =>
        new($"checkpoint/{file}", grammar, seeds, scratch =>
        {
            scratch.Write("config.json", Encoding.UTF8.GetBytes(Seeds.LlamaConfigJson));
            if (file is "model.safetensors.index.json" or Seeds.FirstShard)
            {
                scratch.Write("model.safetensors.index.json", Seeds.Index());
                scratch.Write(Seeds.FirstShard, Seeds.Weights(Seeds.IsInFirstShard));
                scratch.Write(Seeds.SecondShard, Seeds.Weights(name => !Seeds.IsInFirstShard(name)));
            }
            else
                scratch.Write("model.safetensors", Seeds.Weights(_ => true));
            return input =>
            {
                scratch.Write(file, input);
                using var checkpoint = new HuggingFaceCheckpoint(scratch.Path);
                foreach (var tensor in new ShardPlan(checkpoint.Config.Shape, 1, 1).For(0, 0).Tensors())
                {
                    var slice = checkpoint.Read(tensor);
                    slice.CopyRows(tensor.Rows.Count - 1, 1, new byte[slice.Columns * slice.DType.Bytes()]);
                }
            };
        });

    /// <summary>A file of a tokenizer beside those that it goes with.</summary>
    private static Target Tokenizer(string file, Grammar grammar, Func<IReadOnlyList<byte[]>> seeds) =>
        new($"tokenizer/{file}", grammar, seeds, scratch =>
        {
            if (file != "tokenizer.model") scratch.Write("tokenizer.json", Encoding.UTF8.GetBytes(Seeds.TokenizerJson));
            if (file is not ("tokenizer.json" or "tokenizer.model")) scratch.Write("tokenizer.model", Seeds.SentencePiece()[0]);
            return input => Encode(scratch.Write(file, input));
        });

    /// <summary>With each library that reads it; a text to ids and back.</summary>
    private static void Encode(string path)
    {
        var directory = Path.GetDirectoryName(path)!;
        foreach (var factory in new ITokenizerFactory[] { new OwnTokenizers(), new MLTokenizerFactory() })
        {
            if (factory is MLTokenizerFactory && !path.EndsWith("tokenizer.model", StringComparison.Ordinal)) continue;
            try
            {
                var tokenizer = TokenizerLoader.Load(directory, factory);
                foreach (var text in new[] { Text, "" }) tokenizer.Decode(tokenizer.Encode(text, addBeginOfText: true));
            }
            catch (UserErrorException) when (factory is MLTokenizerFactory)
            {
                // What the project's own reader says of it counts.
            }
        }
    }

    /// <summary>A question with a system prompt, and one without.</summary>
    private static void Render(string path)
    {
        var template = ChatTemplate.Find(Path.GetDirectoryName(path)!)!;
        template.Render([new("user", Text)]);
        template.Render([new("system", "x"), new("user", Text)]);
    }

    /// <summary>Each task's form of every prompt, judged against its own reference.</summary>
    private static Target Dataset(string name, string seed) => new($"data set/{name}", Grammar.Json, () => Seeds.Of(seed), at => input =>
    {
        var path = at.Write("x.jsonl", input);
        if (name == GsmPrompts.Name) at.Write("train.jsonl", input);
        var loaded = DatasetCatalog.Load(name, path, name == GsmPrompts.Name ? 1 : 0, limit: 3, seed: 7,
            turns: name == ShareGptPrompts.Name ? 3 : 1);
        _ = loaded.Notes.ToList();
        foreach (var prompt in loaded.Prompts)
        {
            if (prompt is { Question.Length: > 0, HasText: true }) PromptTask.Apply("instruct", prompt);
            GsmAnswer.Judge(prompt.ReferenceAnswer, prompt.ReferenceOutput ?? prompt.Text);
        }
        _ = DatasetCatalog.Load(null, path, 0, null, null);
    });

    private static IReadOnlyList<byte[]> SettingLines() =>
        [Encoding.UTF8.GetBytes(string.Concat(Settings.All.Select(setting => $"{setting.Key}={setting.Default}\n")))];

    /// <summary>A line is Section:Key=value, as on the command line; each by itself, so that one that is wrong hides no other.</summary>
    private static void SetAll(string lines)
    {
        UserErrorException? first = null;
        foreach (var line in lines.Split('\n'))
        {
            if (line.Split('=', 2) is not [var key, var value]) continue;
            try
            {
                var entries = new ResolvedConfiguration(null, new Dictionary<string, string?> { [key] = value }).Entries();
                foreach (var entry in entries.Where(entry => !entry.IsDefault)) entry.Setting.Json(entry.Value);
                if (Settings.IsKnown(key)) Settings.Known(key).CellPart(value);
            }
            catch (UserErrorException e)
            {
                first ??= e;
            }
        }
        if (first != null) throw first;
    }

    private sealed class Ticks : IRunClock
    {
        public double? SuspendedSeconds => null;
        public double Seconds { get; set; }

        public void Wait(double deadlineSeconds, WaitHandle? wake) => Seconds = deadlineSeconds;
    }

    private static void Replay(string path)
    {
        var clock = new Ticks();
        using var meter = new ReplayMeter(path, clock);
        var readings = new EnergyReading[meter.Domains.Count];
        for (; clock.Seconds < 10; clock.Seconds += 0.25) meter.Read(readings);
    }

    /// <summary>A recording of another program, judged as a whole and in a window, as text.</summary>
    private static Target Recording(string name, Grammar grammar, string seed) =>
        new($"audit/{name}", grammar, () => Seeds.Of(seed), OneFile("recording", JudgeRecording)) { Cost = 4 };

    private static void JudgeRecording(string path)
    {
        foreach (var windows in new string[][] { [], ["0.5..1.25"] })
            AuditText.Of(Audit.Of(new([path], windows, [], null)));
    }

    /// <summary>What verify says of a run with one file changed, and, as a target of its own, those who read many runs.</summary>
    private static IEnumerable<Target> Run(RunFile file)
    {
        var grammar = Path.GetExtension(file.Name) == ".csv" ? Grammar.Csv : Grammar.Json;
        yield return new($"verify/{file.Name}", grammar, () => [SeedRun.Files[file.Name]], scratch =>
        {
            SeedRun.CopyTo(scratch.Path);
            return input =>
            {
                scratch.Write(file.Name, input);
                _ = new RunVerification(scratch.Path).Check();
            };
        })
        { Cost = 10 };
        yield return new($"read/{file.Name}", grammar, () => [SeedRun.Files[file.Name]], scratch =>
        {
            SeedRun.CopyTo(scratch["run"]);
            return input =>
            {
                File.WriteAllBytes(scratch["run", file.Name], input);
                ReadMany(scratch);
            };
        })
        { Cost = 40 };
    }

    /// <summary>A run that goes on, or was killed.</summary>
    private static Target Unfinished(string file, Grammar grammar, Func<IReadOnlyList<byte[]>> seeds) =>
        new($"unfinished/{file}", grammar, seeds, scratch =>
        {
            SeedRun.CopyTo(scratch["run"], RunFile.Summary.Name, RunFile.Prompts.Name, RunFile.Responses.Name);
            return input =>
            {
                File.WriteAllBytes(scratch["run", file], input);
                ReadMany(scratch);
            };
        })
        { Cost = 20 };

    /// <summary>collect, export in every format and report, none of which may stop at a run that is damaged.</summary>
    private static void ReadMany(Scratch scratch)
    {
        var log = new StringWriter();
        var slo = Slo.Parse(SeedRun.Bounds, "--slo");
        _ = new Collect(TextWriter.Null) { Slo = slo }.Run([scratch["run"]], "-", log);
        foreach (var format in Export.Formats) _ = new Export(format, Stream.Null).Run([scratch["run"]], "-", includeInvalid: true, log);
        _ = new Report(TextWriter.Null, log) { Slo = slo }.Write([scratch["run"]], new(scratch["page.html"], "-", null));
    }

    /// <summary>A directory in which a cell of a sweep looks for what is done.</summary>
    private static Action<byte[]> Cell(Scratch scratch)
    {
        SeedRun.CopyTo(scratch["x"]);
        var cell = new SweepGrid(null, new Dictionary<string, string?>
        {
            ["Output:Directory"] = scratch.Path,
            ["Output:Name"] = "x",
            ["Repeats:Count"] = "2",
        }).Cells[0];
        return input =>
        {
            File.WriteAllBytes(scratch["x", RunFile.Manifest.Name], input);
            _ = CellDirectories.Look(cell).NextRunName();
        };
    }
}
