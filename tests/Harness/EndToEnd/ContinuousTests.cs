using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Harness.Datasets;
using Harness.Runs.Pieces;
using Harness.Tests.Sharding;

namespace Harness.Tests.EndToEnd;

/// <summary>Whole runs of the demo model under continuous batching, with a meter of constant power.</summary>
[TestFixture, Parallelizable(ParallelScope.All), FixtureLifeCycle(LifeCycle.InstancePerTestCase), Platform("Linux"),
    System.Runtime.Versioning.SupportedOSPlatform("linux")]
public sealed class ContinuousTests : IDisposable
{
    private const double Watts = 80;
    private const int Prompts = 96;

    /// <summary>What static batches answer, by the switches of the sampling.</summary>
    private static readonly ConcurrentDictionary<string, Dictionary<(int Repeat, int Prompt), int[]>> s_static = new();

    private readonly ScratchDirectory _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [TestCase(1, 1, 1, "--concurrency", "5")]
    [TestCase(1, 1, 1, "--concurrency", "1")]
    [TestCase(1, 1, 1, "--concurrency", "200")]
    [TestCase(2, 1, 1, "--concurrency", "6")]
    [TestCase(1, 2, 1, "--concurrency", "7", "--micro-batches", "3")]
    [TestCase(2, 2, 1, "--concurrency", "8")]
    [TestCase(1, 1, 2, "--concurrency", "4")]
    [TestCase(1, 2, 2, "--concurrency", "4", "--temperature", "0.8", "--top-p", "0.95", "--seed", "5")]
    public void TheTokensAreThoseOfStaticBatchesAndTheJoulesAddUp(int tensor, int pipeline, int data, params string[] switches)
    {
        string[] sampling = [.. switches.Where((_, i) => switches[i - i % 2] is not ("--concurrency" or "--micro-batches"))];
        var expected = s_static.GetOrAdd(string.Join(' ', sampling), _ => Complete("static", [.. sampling, "--meter", "none"]).OutputIds());
        var run = Complete("continuous",
            ["--schedule", "continuous", "--tp", $"{tensor}", "--pp", $"{pipeline}", "--dp", $"{data}", .. switches]);
        Assert.Multiple(() =>
        {
            Assert.That(run.OutputIds(), Is.EqualTo(expected), "prompt by prompt");
            Assert.That(run.Summary["completed"], Is.EqualTo($"{Prompts}"));
            Assert.That(run.Summary["concurrency"], Is.EqualTo($"{data * int.Parse(switches[1], CultureInfo.InvariantCulture)}"));
            Assert.That((run.Summary["batch_size"], run.Summary["request_rate_per_s"]), Is.EqualTo(("", "")));
            Assert.That(run.Prompts.Select(row => row["queue_s"]), Is.All.Empty);
            CheckEnergy(run);
        });
        run.Verify();
    }

    [Test]
    public void SlotsStayFullAndTheSteadyStateIsPartOfTheRun()
    {
        const int slots = 8, prompts = 64;
        var run = Complete("run",
            ["--schedule", "continuous", "--batch", $"{slots}", "--limit", $"{prompts}", "--max-new-tokens", "120", "--max-length", "120",
            "--ignore-eos", "--repeats", "2"]);
        var steps = run.Steps();
        var last = steps.Where(step => (int)step["repeat"]! == 1).TakeWhile(step => Rows(step).All(row => row < prompts - slots)).ToList();
        Assert.Multiple(() =>
        {
            Assert.That(steps.Select(step => (string)step["kind"]!).Distinct(), Is.EquivalentTo(new[] { "prefill", "decode", "mixed" }));
            Assert.That(last.Count, Is.GreaterThan(100));
            Assert.That(last.Select(step => Rows(step).Count), Is.All.EqualTo(slots),
                "until nobody waits any more, every pass has every slot");
            var (steady, whole) = (Number(run, "steady_duration_s"), Number(run, "duration_s"));
            Assert.That(steady, Is.GreaterThan(0.3 * whole).And.LessThan(whole));
            Assert.That(Number(run, "steady_output_tokens"), Is.LessThan(Number(run, "total_output_tokens")));
            Assert.That(Number(run, "steady_tokens_per_s"), Is.EqualTo(Number(run, "steady_output_tokens") / steady).Within(1e-9).Percent);
            Assert.That(Number(run, "steady_avg_power_w"), Is.EqualTo(Watts).Within(10).Percent);
            Assert.That(Number(run, "steady_energy_per_output_token_j"),
                Is.EqualTo(Number(run, "steady_energy_j") / Number(run, "steady_output_tokens")).Within(1e-9).Percent);
        });
        run.Verify();
        // Another figure than the raw files give is seen.
        var summary = File.ReadAllText(run["summary.csv"]);
        File.WriteAllText(run["summary.csv"], summary.Replace(run.Summary["steady_energy_j"], $"{Number(run, "steady_energy_j") + 1:R}"));
        Assert.That(run.Problems(), Has.Some.Contains("steady_energy_j: written"));
    }

    [TestCase(1, 1)]
    [TestCase(2, 2)]
    public void RequestsArriveAtTheirTimes(int pipeline, int data)
    {
        const double rate = 40;
        var run = Complete("run",
            ["--schedule", "continuous", "--concurrency", "3", "--rate", $"{rate}", "--Generation:Seed=9", "--pp", $"{pipeline}", "--dp",
            $"{data}"]);
        var expected = RandomArrivals.Seconds(Prompts, rate, shape: 1, seed: 9, repeat: 1, pass: 0);
        var rows = run.Prompts.OrderBy(row => int.Parse(row["prompt_index"], CultureInfo.InvariantCulture)).ToList();
        var starts = rows.Select(row => Number(row["start_s"])).ToArray();
        Assert.Multiple(() =>
        {
            // Of each replica; replicas begin a little apart.
            foreach (var own in Enumerable.Range(0, data)
                .Select(replica => Enumerable.Range(0, Prompts).Where(i => i % data == replica).ToArray()))
                Assert.That(own.Select(i => starts[i] - starts[own[0]]), Is.EqualTo(own.Select(i => expected[i] - expected[own[0]]))
                    .Within(1e-6));
            Assert.That(rows.Select(row => Number(row["queue_s"])), Is.All.GreaterThanOrEqualTo(0));
            Assert.That(rows.All(row => Number(row["ttft_s"]) > Number(row["queue_s"])), "time in the queue is part of the latency");
            Assert.That(Number(run, "request_rate_per_s"), Is.EqualTo(rate));
            Assert.That(run.Summary["steady_duration_s"], Is.Empty, "slots need not be full");
            Assert.That(Number(run, "duration_s"), Is.GreaterThan(expected[^1]));
            CheckEnergy(run);
        });
        run.Verify();
    }

    [LongTestCase(1)]
    [TestCase(2)]
    public void RequestsOfAFileArriveAtItsTimesWithItsLengths(int data)
    {
        const int prompts = 12;
        const double rate = 60;
        // Gaps that differ, times of a day, and lengths that no prompt of the demo has by itself.
        double[] seconds = [.. Enumerable.Range(0, prompts + 5).Select(i => i * i / 16.0)];
        int Input(int i) => 3 + 7 * i;
        int Output(int i) => 1 + 5 * i % 13;
        var file = _scratch.File("azure.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\r\n" + string.Concat(seconds.Select((time, i) =>
            $"{new DateTime(2023, 11, 16, 18, 15, 46).AddSeconds(time):yyyy-MM-dd HH:mm:ss.fffffff},{Input(i)},{Output(i)}\r\n")));
        var run = Complete("run",
            ["--schedule", "continuous", "--concurrency", "3", "--arrivals", "azure.csv", "--rate", $"{rate}", "--limit", $"{prompts}", "--dp",
            $"{data}"]);
        var rows = run.Prompts.OrderBy(row => int.Parse(row["prompt_index"], CultureInfo.InvariantCulture)).ToList();
        var starts = rows.Select(row => Number(row["start_s"])).ToArray();
        var stretch = (prompts - 1) / seconds[prompts - 1] / rate;
        Assert.Multiple(() =>
        {
            foreach (var own in Enumerable.Range(0, data)
                .Select(replica => Enumerable.Range(0, prompts).Where(i => i % data == replica).ToArray()))
                Assert.That(own.Select(i => starts[i] - starts[own[0]]),
                    Is.EqualTo(own.Select(i => (seconds[i] - seconds[own[0]]) * stretch)).Within(1e-6));
            Assert.That(rows.Select(row => (row["input_tokens"], row["output_tokens"], row["finish_reason"])),
                Is.EqualTo(Enumerable.Range(0, prompts).Select(i => ($"{Input(i)}", $"{Output(i)}", "length"))));
            Assert.That(rows.Select(row => row["correct"]), Is.All.Empty, "of questions that were cut or repeated");
            Assert.That(rows.Select(row => Number(row["queue_s"])), Is.All.GreaterThanOrEqualTo(0));
            var digest = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(file)));
            Assert.That((run.Summary["request_rate_per_s"], run.Summary["burstiness"], run.Summary["arrivals"], run.Summary["lengths"]),
                Is.EqualTo(($"{rate}", "", digest[..12], "arrivals")));
            Assert.That(run.Summary["steady_duration_s"], Is.Empty, "slots need not be full");
            var told = run.Manifest["arrivals"]!;
            Assert.That(((string?)told["sha256"], (int)told["rows"]!, (int)told["used"]!), Is.EqualTo((digest, prompts + 5, prompts)));
            CheckEnergy(run);
        });
        run.Verify();

        // The file is part of what a run is: with one time changed it is another.
        var before = (string?)run.Manifest["identity"];
        File.WriteAllText(file, File.ReadAllText(file).Replace("18:15:46.0625", "18:15:46.0626"));
        var other = Complete("other", ["--schedule", "continuous", "--concurrency", "3", "--arrivals", "azure.csv", "--rate", $"{rate}",
            "--limit", $"{prompts}", "--dp", $"{data}", "--meter", "none"]);
        Assert.That((string?)other.Manifest["identity"], Is.Not.EqualTo(before));
        Assert.That(other.OutputIds(), Is.EqualTo(run.OutputIds()));
    }

    [LongTestCase("INT", 1, 1)]
    [TestCase("TERM", 2, 2)]
    [LongTestCase("KILL", 1, 2)]
    public void ARunThatIsCutOffKeepsFinishedRequestsAndGoesOnWithTheOthers(string signal, int pipeline, int data)
    {
        string[] switches = ["--schedule", "continuous", "--concurrency", "6", "--pp", $"{pipeline}", "--dp", $"{data}",
            "--max-new-tokens", "90", "--ignore-eos", "--repeats", "3"];
        using (var process = HarnessProcess.Start(_scratch.Path, Switches("run", switches)))
        {
            // Two reports and more: the first counts when readings reach its end.
            for (var waited = Stopwatch.StartNew(); StartJournal.Batches(_scratch["out", "run"]).Count() < 2 + data; Thread.Sleep(20))
                if (process.HasExited || waited.Elapsed > TimeSpan.FromMinutes(2)) Assert.Fail($"nothing was finished: {process.Wait()}");
            process.Signal(signal);
            Assert.That(process.Wait().ExitCode, Is.EqualTo(signal == "KILL" ? 137 : 3));
        }
        var run = new RunOutput(_scratch["out", "run"]);
        if (signal != "KILL")
        {
            Assert.That(run.Summary["status"], Is.EqualTo("interrupted"));
            Assert.That(run.Prompts, Is.Not.Empty.And.Count.LessThan(3 * Prompts));
            Assert.That(run.Steps().SelectMany(step => step["rows"]!.AsArray()).Count(row => row == null), Is.Positive,
                "some were in flight, and have no row");
            CheckEnergy(run);
            run.Verify();
        }
        Complete("run", switches);
        var expected = Complete("whole", [.. switches, "--meter", "none"]);
        Assert.Multiple(() =>
        {
            Assert.That(run.OutputIds(), Is.EqualTo(expected.OutputIds()), "every prompt of every repeat once, with the same tokens");
            Assert.That(run.Prompts, Has.Count.EqualTo(3 * Prompts));
            Assert.That(run.Summary["pieces"], Is.EqualTo("2"));
            CheckEnergy(run);
            foreach (var repeat in run.Prompts.GroupBy(row => row["repeat"]))
                Assert.That(repeat.GroupBy(row => row["batch_index"]).Select(group =>
                    group.Select(row => row["piece"]).Distinct().Count()), Is.All.EqualTo(1), "a number belongs to one group");
        });
        run.Verify();
    }

    /// <summary>Conversations that were cut off go on behind the answers that are known, with nothing in the cache.</summary>
    [LongTestCase("KILL")]
    [LongTestCase("INT")]
    public void ConversationsThatAreCutOffGoOnWithTheNextTurn(string signal)
    {
        const int conversations = 300, turns = 4;
        _scratch.File("chats.json", new JsonArray([.. Enumerable.Range(0, conversations).Select(i => new JsonObject
        {
            ["id"] = $"{i}",
            ["conversations"] = new JsonArray([.. Enumerable.Range(0, turns).Select(turn =>
                new JsonObject { ["from"] = "human", ["value"] = $"Question {turn} of {i}: how many words?" })]),
        })]).ToJsonString());
        string[] switches = ["--data", "chats.json", "--turns", $"{turns}", "--schedule", "continuous", "--concurrency", "6", "--dp", "2",
            "--max-new-tokens", "60", "--ignore-eos"];
        using (var process = HarnessProcess.Start(_scratch.Path, Switches("run", switches)))
        {
            for (var waited = Stopwatch.StartNew(); StartJournal.Batches(_scratch["out", "run"]).Count() < 2; Thread.Sleep(20))
                if (process.HasExited || waited.Elapsed > TimeSpan.FromMinutes(2)) Assert.Fail($"nothing was finished: {process.Wait()}");
            process.Signal(signal);
            Assert.That(process.Wait().ExitCode, Is.EqualTo(signal == "KILL" ? 137 : 3));
        }
        var run = Complete("run", switches);
        var whole = Complete("whole", [.. switches, "--meter", "none"]);
        Assert.Multiple(() =>
        {
            Assert.That(Turns(run), Is.EqualTo(Turns(whole)), "every turn once, with the same prompt and tokens");
            Assert.That(run.Prompts, Has.Count.EqualTo(turns * conversations));
            Assert.That(run.Summary["pieces"], Is.EqualTo("2"));
            var first = run.Prompts.Where(row => row["piece"] == "2").GroupBy(row => row["prompt_index"]).Select(rows => rows.First());
            Assert.That(first.Select(row => row["turn"]).Distinct().Count(), Is.GreaterThan(1), "some went on in their midst");
            Assert.That(first.Select(row => row["cached_tokens"]), Is.All.EqualTo("0"));
            CheckEnergy(run);
        });
        run.Verify();

        static Dictionary<(int, int), (string, string)> Turns(RunOutput run) => run.Responses.ToDictionary(
            response => ((int)response["prompt_index"]!, (int)response["turn"]!),
            response => ((string)response["prompt"]!, response["output_ids"]!.ToJsonString()));
    }

    [Test]
    public void OutputsAreAsLongAsTheDataSetsOwnReplies()
    {
        string[] replies = ["yes", "A longer reply, of several words.", "",
            "To be, or not to be, that is the question: Whether 'tis nobler in the mind to suffer"];
        _scratch.File("data.jsonl",
            Lines(replies.Select((reply, i) => new JsonObject { ["prompt"] = $"Question {i}", ["answer"] = reply })));
        _scratch.File("replies.jsonl",
            Lines(replies.Where(reply => reply.Length > 0).Select(reply => new JsonObject { ["prompt"] = reply })));
        var run = Complete("run",
            ["--data", "data.jsonl", "--lengths", "reference", "--schedule", "continuous", "--concurrency", "2", "--meter", "none",
            "--max-new-tokens", "20"]);
        var asPrompts = Complete("prompts", ["--data", "replies.jsonl", "--meter", "none"]).Prompts.ToDictionary(row =>
            row["prompt_index"], row => int.Parse(row["input_tokens"], CultureInfo.InvariantCulture) - 1);
        var expected = new[] { asPrompts["0"], asPrompts["1"], 1, Math.Min(20, asPrompts["2"]) };
        Assert.That(asPrompts["2"], Is.GreaterThan(20), "the limit bounds the last");
        Assert.That(run.Prompts.OrderBy(row => row["prompt_index"])
            .Select(row => int.Parse(row["output_tokens"], CultureInfo.InvariantCulture)), Is.EqualTo(expected));
        Assert.That(run.Prompts.Select(row => row["finish_reason"]), Is.All.EqualTo("length"));

        var refused = HarnessProcess.Run(_scratch.Path, Switches("none", ["--data", "replies.jsonl", "--lengths", "reference"]));
        Assert.That(refused.ExitCode, Is.EqualTo(1), refused.Error);
        Assert.That(refused.Error, Does.Contain("Generation:Lengths (--lengths) is 'reference', but limit"));

        static string Lines(IEnumerable<JsonObject> records) => string.Concat(records.Select(record => record.ToJsonString() + "\n"));
    }

    [TestCase("mpiexec.openmpi")]
    [TestCase("mpiexec.mpich")]
    public void ProcessesGiveTheSameTokensAsThreads(string launcher)
    {
        var mpiexec = launcher == Mpiexec.OpenMpi.Launcher ? Mpiexec.OpenMpi : Mpiexec.Mpich;
        string[] switches = ["--schedule", "continuous", "--concurrency", "5", "--limit", "24", "--threads", "1", "--pp", "2", "--dp", "2",
            "--rate", "200", "--meter", "none", "--out", _scratch["out"]];
        var threads = Complete("threads", switches);
        var result = mpiexec.Run(Path.Combine(AppContext.BaseDirectory, "harness.dll"), 4, null, TimeSpan.FromMinutes(3),
            Switches("processes", switches));
        Assert.That(result.ExitCode, Is.Zero, result.Output);
        Assert.That(new RunOutput(_scratch["out", "processes"]).OutputIds(), Is.EqualTo(threads.OutputIds()));
        new RunOutput(_scratch["out", "processes"]).Verify();
    }

    private string[] Switches(string name, string[] switches)
    {
        var meter = _scratch.File("meter.sh",
            $"#!/bin/sh\nwhile kill -0 $PPID 2>/dev/null; do awk '{{ printf \"J %.3f\\n\", $1 * {Watts}; fflush() }}' /proc/uptime; sleep "
            + "0.02; done\n");
        File.SetUnixFileMode(meter, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        string[] own = ["--threads", "1", "--max-new-tokens", "40", "--warmup", "1", "--idle-baseline", "200ms", "--meter",
            $"command:{meter}", "--out", "out", "--name", name];
        // A switch that is given again takes the place of ours.
        return ["run", .. own.Chunk(2).Where(pair => !switches.Contains(pair[0])).SelectMany(pair => pair), .. switches];
    }

    private RunOutput Complete(string name, string[] switches)
    {
        var result = HarnessProcess.Run(_scratch.Path, Switches(name, switches));
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        return new(_scratch["out", name]);
    }

    /// <summary>Constant power times the measured seconds, and all of it either a prompt's or nobody's.</summary>
    private static void CheckEnergy(RunOutput run)
    {
        var total = Number(run, "total_energy_j");
        Assert.That(total, Is.EqualTo(Watts * Number(run, "duration_s")).Within(10).Percent);
        Assert.That(run.Prompts.Where(row => row["energy_j"].Length > 0).Sum(row => Number(row["energy_j"]))
            + Number(run, "unattributed_energy_j"), Is.EqualTo(total).Within(1e-6 * total));
    }

    /// <summary>On a loaded machine samples may come late, which verify rightly refuses; but no figure may differ.</summary>
    private static List<int> Rows(JsonNode step) => [.. step["rows"]!.AsArray().Select(row => (int)row!)];

    private static double Number(RunOutput run, string column) => Number(run.Summary[column]);

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);
}
