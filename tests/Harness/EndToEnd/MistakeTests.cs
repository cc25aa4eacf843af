namespace Harness.Tests.EndToEnd;

/// <summary>What people get wrong: one line on standard error, exit code 1, no stack trace, nothing left behind.</summary>
[Parallelizable(ParallelScope.All), FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class MistakeTests
{
    private ScratchDirectory _scratch = null!;

    [SetUp]
    public void Begin()
    {
        _scratch = new();
        _scratch.File("text.txt", "Once upon a time");
    }

    [TearDown]
    public void End() => _scratch.Dispose();

    [TestCase("run --model nothing",
        "model 'nothing' is not a directory; --model takes a Hugging Face checkpoint directory or synthetic:NAME")]
    [TestCase("run --model synthetic:9b", "model 'synthetic:9b' is unknown; synthetic shapes are 7b,")]
    [TestCase("run --dataset nothing", "unknown dataset nothing; known are demo, alpaca, gsm8k, sharegpt, jsonl")]
    [TestCase("run --data nothing", "there is no dataset at nothing; give --data")]
    [TestCase("run --dataset gsm8k", "dataset gsm8k needs its file: give --data")]
    [TestCase("run --batch zero", "Batch:Size (--batch) is 'zero', but a whole number is expected")]
    [TestCase("run --batch 0", "Batch:Size (--batch) is '0', but a whole number of at least 1 is expected")]
    [TestCase("run --batch", "Required argument missing for option: '--batch'; see harness run --help")]
    [TestCase("run --batch 1 --batch 2", "Option '--batch' expects a single argument but 2 were provided; see harness run --help")]
    [TestCase("run --bacth 4", "'--bacth' is not an option of harness run; see harness run --help")]
    [TestCase("run demo", "'demo' is not an option of harness run")]
    [TestCase("run --Bacth:Size=4", "configuration section Bacth is unknown")]
    [TestCase("run --Batch:Sise=4", "configuration key Batch:Sise is unknown; Batch has Size, Schedule")]
    [TestCase("run --Batch:Size 4", "'--Batch:Size' is not an option of harness run; see harness run --help, or write --Section:Key=value")]
    [TestCase("run --config nothing.json", "configuration file 'nothing.json' does not exist; --config takes a JSON file")]
    [TestCase("run --tp 3", "--tp 3 does not divide the model's 8 query heads and 4 key/value heads; use one of 1, 2, 4, 8")]
    [TestCase("run --pp 7", "--pp 7 exceeds the model's 6 layers; use 1 to 6")]
    [TestCase("run --tp 5000", "5000 ranks as threads of one process are more than 256; use smaller degrees, or start processes (mpiexec "
        + "-n 5000)")]
    [TestCase("run --tp 100000 --pp 100000", "--tp 100000 × --pp 100000 × --dp 1 are more ranks than there can be")]
    [TestCase("run --tp 2 --communicator solo", "communicator 'solo' is one rank, and 2 were asked for; use threads or mpi")]
    [TestCase("run --dtype int4", "dtype 'int4' is unknown; use f32, bf16, f16 or int8")]
    [TestCase("run --dtype int8 --backend torch", "--backend torch has no int8 weights; use --backend cpu, or --dtype bf16 or f16")]
    [TestCase("run --kv-dtype int8", "Model:KvDtype (--kv-dtype) is 'int8', but one of f32, bf16, f16 is expected")]
    [TestCase("run --meter geiger",
        "Energy:Meter (--meter) is 'geiger', but nvml, nvml:all, amdsmi, amdsmi:all, rapl[:DIR], perf[:DIR], craypm[:DIR], hwmon[:DIR], replay:FILE, command:PROGRAM, host, auto, none, or several of them "
        + "separated by commas is expected")]
    [TestCase("run --meter nvml,geiger", "Energy:Meter (--meter) is 'nvml,geiger', but")]
    [TestCase("run --carbon-intensity 380 --pue 1.1 --embodied=-5",
        "Carbon:Embodied (--embodied) is '-5', but kg of CO2e, at least 0 is expected")]
    [TestCase("sweep --meter geiger --dry-run", "Energy:Meter (--meter) is 'geiger', but")]
    [TestCase("run --tokenizer nothing", "nothing: no such directory")]
    [TestCase("run --name a/b --meter none",
        "the run's name 'a/b' is not a plain name; give the directory with --out and a name without slashes")]
    [TestCase("run --name .. --meter none", "the run's name '..' is not a plain name; ")]
    [TestCase("run --out text.txt --meter none", "cannot write text.txt/")]
    [TestCase("score", "Option '--text' is required; see harness score --help")]
    [TestCase("score --text nothing.txt --out o.jsonl", "cannot read nothing.txt")]
    [TestCase("score --text text.txt --out nowhere/o.jsonl", "cannot write nowhere/o.jsonl")]
    [TestCase("score --text text.txt --out o.jsonl --logits nowhere/l.npy", "cannot write nowhere/l.npy")]
    [TestCase("score --text text.txt --out o.jsonl --Sharding:Data=2",
        "Sharding:Data (--dp) is '2', but 1, since a text is scored once, is expected")]
    [TestCase("sweep --config nothing.json", "configuration file 'nothing.json' does not exist; --config takes a JSON file")]
    [TestCase("sweep --config text.txt", "configuration file 'text.txt' is not valid JSON: ")]
    [TestCase("sweep --model nothing", "cell nothing: model 'nothing' is neither a directory nor a file")]
    [TestCase("sweep --bacth 4", "'--bacth' is not an option of harness sweep; see harness sweep --help")]
    [TestCase("sweep --power-limits 250,x", "cell 2 of 2 (Energy:PowerLimits=x): Energy:PowerLimits (--power-limits) is 'x'")]
    [TestCase("sweep --launcher mpiexec_{rank}",
        "--launcher has 'mpiexec_{rank}', but {ranks}, {nodes}, {tp}, {pp}, {dp} are what is replaced")]
    [TestCase("sweep --launcher srun_{nodes}", "--gpus-per-node is missing; the nodes of a cell follow from how many ranks one takes")]
    [TestCase("sweep --emit pbs", "--emit is 'pbs', but slurm is expected")]
    [TestCase("sweep --emit slurm", "--gpus-per-node is missing")]
    [TestCase("sweep --emit slurm --dry-run", "give one of them")]
    [TestCase("sweep --dry-run --flops 1TFLOPS", "--bandwidth is missing; a prediction needs --bandwidth and --flops")]
    [TestCase("rum", "'rum' is no command; see harness --help")]
    public void AMistakeIsOneLine(string command, string message)
    {
        var result = HarnessProcess.Run(_scratch.Path, command.Split(' '));
        Assert.Multiple(() =>
        {
            Assert.That(result.ExitCode, Is.EqualTo(1));
            Assert.That(result.Error, Does.StartWith("harness: ").And.Contain(message));
            Assert.That(result.Error.TrimEnd('\n'), Does.Not.Contain("\n"), "one line");
            Assert.That(result.Output, Is.Empty);
            Assert.That(Directory.GetFileSystemEntries(_scratch.Path).Select(Path.GetFileName), Is.EquivalentTo(new[] { "text.txt" }),
                "nothing is left behind");
        });
    }

    /// <summary>80 layers of 8,192 keys and values of 4 bytes, 1,900 positions of 96 prompts: a terabyte, whatever the weights.</summary>
    [Test]
    public void WhatDoesNotFitIsRefusedAndLeavesNoRun()
    {
        var result = HarnessProcess.Run(_scratch.Path, "run", "--model", "synthetic:65b", "--batch", "96", "--ignore-eos",
            "--max-new-tokens", "1900", "--max-length", "1900", "--meter", "none");
        Assert.That(result.ExitCode, Is.EqualTo(1));
        Assert.That(result.Error.TrimEnd('\n').Split('\n')[^1],
            Does.Match("^harness: rank 0 needs weights .* KV cache 890.6 GiB .*; harness plan shows what fits$"));
        Assert.That(Directory.GetFileSystemEntries(_scratch["results"]), Is.Empty);
    }

    [Test]
    public void ADamagedCheckpointIsNamedBeforeARunDirectoryIsMade([Values(1, 4)] int ranks)
    {
        var model = _scratch["model"];
        Directory.CreateDirectory(model);
        foreach (var file in new[] { "config.json", "tokenizer.model" })
            File.Copy(Path.Combine(Models.Llama.Stories.Directory, file), Path.Combine(model, file));
        var weights = Path.Combine(model, "model.safetensors");
        var bytes = File.ReadAllBytes(Path.Combine(Models.Llama.Stories.Directory, "model.safetensors"));

        File.WriteAllBytes(weights, bytes[..^4]);
        Expect("model/model.safetensors is damaged: it is 4 bytes shorter than its header says (truncated?); fetch the file again");

        // A tensor of the last layer under another name: only the stage that has that layer misses it.
        var name = "model.layers.4.mlp.up_proj.weight"u8;
        var at = bytes.AsSpan().IndexOf(name);
        bytes[at + name.Length - 1] = (byte)'x';
        File.WriteAllBytes(weights, bytes);
        Expect("model has no tensor model.layers.4.mlp.up_proj.weight; the checkpoint is incomplete or not a LLaMA");

        void Expect(string message)
        {
            var result = HarnessProcess.Run(_scratch.Path, "run", "--model", "model", "--pp", $"{ranks}", "--meter", "none");
            Assert.That(result.ExitCode, Is.EqualTo(1));
            Assert.That(result.Error, Does.StartWith($"harness: {message}"));
            Assert.That(result.Error.TrimEnd('\n'), Does.Not.Contain("\n"));
            Assert.That(Directory.Exists(_scratch["results"]), Is.False);
        }
    }

    [Test]
    public void ATokenizerOfAnotherModelIsRefused()
    {
        var llama3 = SharedData.Path("tokenizers", "llama3");
        var run = HarnessProcess.Run(_scratch.Path, "run", "--tokenizer", llama3);
        var score = HarnessProcess.Run(_scratch.Path, "score", "--tokenizer", llama3, "--text", "text.txt", "--out", "o.jsonl");
        foreach (var result in new[] { run, score })
        {
            Assert.That(result.ExitCode, Is.EqualTo(1));
            Assert.That(result.Error,
                Does.Contain("but the model has 512; tokenizer and checkpoint do not belong together").And.Not.Contain("   at "));
        }
    }

    [Test]
    public void ARecordThatIsMalformedIsNamedByFileAndLine()
    {
        _scratch.File("prompts.jsonl", "{\"prompt\": \"a\"}\n{\"prompt\": 3}\n");
        var result = HarnessProcess.Run(_scratch.Path, "run", "--data", "prompts.jsonl");
        Assert.That(result.ExitCode, Is.EqualTo(1));
        Assert.That(result.Error, Does.Contain("prompts.jsonl:2").And.Not.Contain("   at "));
    }

    [Test]
    public void HelpNamesVerbsAndSwitches()
    {
        var all = HarnessProcess.Run(_scratch.Path, "--help");
        var run = HarnessProcess.Run(_scratch.Path, "run", "--help");
        Assert.Multiple(() =>
        {
            Assert.That((all.ExitCode, run.ExitCode), Is.EqualTo((0, 0)));
            foreach (var verb in new[] { "run", "sweep", "score", "plan", "collect", "verify" })
                Assert.That(all.Output, Does.Contain($"  {verb} "));
            foreach (var name in ("--model --data --dataset --limit --batch --tp --pp --max-new-tokens --temperature --top-p --seed "
                + "--threads --dtype --backend --communicator --repeats --warmup --out --print-config").Split(' '))
                Assert.That(run.Output, Does.Contain($"  {name} "));
        });
    }

    [Test]
    public void PrintConfigShowsEachValueAndItsLayer()
    {
        var file = _scratch.File("run.json", """{ "Batch": { "Size": 11 }, "Generation": { "TopK": 12 }, "Sharding": { "Tensor": 13 } }""");
        using var process = HarnessProcess.Start(_scratch.Path, ["run", "--config", "run.json", "--tp", "4", "--print-config"],
            ("HARNESS_Generation__TopK", "22"), ("HARNESS_Sharding__Tensor", "23"));
        var result = process.Wait();
        var lines = result.Output.Split('\n')
            .Select(line => line.Split(' ', 3, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
            .Where(cells => cells.Length == 3).ToDictionary(cells => cells[0], cells => (cells[1], cells[2]));
        Assert.Multiple(() =>
        {
            Assert.That(result.ExitCode, Is.Zero, result.Error);
            Assert.That(lines["Batch:Size"], Is.EqualTo(("11", "run.json")));
            Assert.That(lines["Generation:TopK"], Is.EqualTo(("22", "environment")));
            Assert.That(lines["Sharding:Tensor"], Is.EqualTo(("4", "command line")));
            Assert.That(lines["Sharding:Pipeline"], Is.EqualTo(("1", "default")));
            Assert.That(Directory.GetDirectories(_scratch.Path), Is.Empty);
        });
    }
}
