using System.Text.Json.Nodes;
using Harness.Common;
using Harness.Runs;
using Harness.Runs.Records;

namespace Harness.Tests.Runs.Records;

[TestFixture]
public sealed class RunDirectoryTests
{
    private static readonly DateTimeOffset s_now = new(2025, 11, 21, 3, 56, 0, TimeSpan.FromHours(2));

    private ScratchDirectory _scratch = null!;

    [SetUp]
    public void SetUp() => _scratch = new ScratchDirectory();

    [TearDown]
    public void TearDown() => _scratch.Dispose();

    private RunDirectory Create(string? name = "run") => RunDirectory.Create(_scratch.Path, name, "m", s_now);

    private static string[] FilesOf(RunDirectory run) =>
        [.. Directory.GetFiles(run.Path).Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal)];

    [TestCase("/models/Llama-2-7b-hf/", "Llama-2-7b-hf")]
    [TestCase("synthetic:3.1-405b", "synthetic-3.1-405b")]
    [TestCase("a model & more", "a-model-more")]
    public void TheDefaultNameIsTimeModelAndChance(string model, string part)
    {
        using var run = RunDirectory.Create(_scratch["made", "on demand"], null, model, s_now);
        Assert.That(run.RunId, Does.Match($"^20251121T015600Z-{part}-[0-9a-f]{{6}}$"));
        Assert.That(run.Path, Is.EqualTo(_scratch["made", "on demand", run.RunId]));
        Assert.That(Directory.Exists(run.Path));
    }

    [Test]
    public void ANameThatIsTakenGetsANumber()
    {
        _scratch.File("run-2/kept.txt", "mine");
        using var first = Create();
        using var second = Create();
        Assert.That((Path.GetFileName(first.Path), Path.GetFileName(second.Path)), Is.EqualTo(("run", "run-3")));
        Assert.That(first.RunId, Is.Not.EqualTo(second.RunId));
    }

    [Test]
    public void ManyThatStartAtOnceEachGetTheirOwn()
    {
        var paths = new string[32];
        var start = new Barrier(8);
        Parallel.ForEach(Enumerable.Range(0, 8), new ParallelOptions { MaxDegreeOfParallelism = 8 }, worker =>
        {
            for (var i = 0; i < 4; i++)
            {
                using var run = Create();
                paths[4 * worker + i] = run.Path;
            }
        });
        Assert.That(paths.Distinct().Count(), Is.EqualTo(32));
        Assert.That(Directory.GetDirectories(_scratch.Path), Has.Length.EqualTo(32));
    }

    [TestCase("a/b")]
    [TestCase("..")]
    [TestCase(".")]
    [TestCase("a\\b")]
    [TestCase("a\nb")]
    [TestCase("\u001b[31m")]
    public void ANameWithAPathIsRefused(string name) =>
        Assert.That(() => Create(name), Throws.TypeOf<UserErrorException>().With.Message.Contains($"'{name}'"));

    [Test]
    public void AnOutputThatIsAFileIsRefusedInOneLine()
    {
        var file = _scratch.File("file", "");
        Assert.That(() => RunDirectory.Create(file, "run", "m", s_now), Throws.TypeOf<UserErrorException>()
            .With.Message.StartWith($"cannot write {file}/run: ").And.Message.Contains("--out").And.Message.Not.Contains("\n"));
    }

    [Test]
    public void FinishedBatchesAreOnDiskUnderPartialNamesUntilAllIsComplete()
    {
        using var run = Create();
        run.Append([Samples.Prompt(0), Samples.Prompt(1)], [Samples.Response(0), Samples.Response(1)]);
        Assert.That(FilesOf(run), Is.EqualTo(new[] { "prompts.partial.csv", "responses.partial.jsonl" }));
        Assert.That(new RunReader(run.Path).Prompts(), Is.EqualTo(new[] { Samples.Prompt(0), Samples.Prompt(1) }));
        Assert.That(new RunReader(run.Path).Responses().Select(r => r.PromptIndex), Is.EqualTo(new[] { 0, 1 }));

        run.Append([Samples.Prompt(2)], [Samples.Response(2)]);
        run.CompleteResults([Samples.Prompt(0), Samples.Prompt(1), Samples.Prompt(2)]);
        run.WriteCsv(RunFile.Ranks.Name,
            [new RankRecord { RunId = "r", Window = "measured", Host = "node1", Seconds = 1.5, BytesSent = 1L << 40 }]);
        run.WriteSummary(Samples.Summary("r"));
        Assert.That(FilesOf(run), Is.EqualTo(new[] { "prompts.csv", "ranks.csv", "responses.jsonl", "summary.csv" }));
        var reader = new RunReader(run.Path);
        Assert.That(reader.Prompts().Select(p => p.PromptIndex), Is.EqualTo(new[] { 0, 1, 2 }));
        Assert.That(reader.Ranks().Single().BytesSent, Is.EqualTo(1L << 40));
        var lines = File.ReadAllLines(RunFile.Ranks.In(run.Path)).Select(line => line.Split(',')).ToList();
        void Without(int columns) => File.WriteAllLines(RunFile.Ranks.In(run.Path),
            lines.Select(fields => string.Join(',', fields.SkipLast(columns))));
        Without(6);
        Assert.That(reader.Ranks().Single() is { BytesSent: 1L << 40, PrefillJoules: null, OtherJoules: null }, "of an older version");
        Without(7);
        Assert.That(() => reader.Ranks().ToList(),
            Throws.TypeOf<UserErrorException>().With.Message.EndsWith("has no column kv_cache_bytes"));
        Assert.That(reader.Summary(), Is.EqualTo(Samples.Summary("r")));
    }

    [Test]
    public void RowsWhoseEnergyWasResolvedLaterReplaceThePartialOnes()
    {
        using var run = Create();
        run.Append([Samples.Prompt(0)], [Samples.Response(0)]);
        run.CompleteResults([Samples.Prompt(0) with { EnergyJoules = 7 }]);
        Assert.That(FilesOf(run), Is.EqualTo(new[] { "prompts.csv", "responses.jsonl" }));
        Assert.That(new RunReader(run.Path).Prompts().Single().EnergyJoules, Is.EqualTo(7));
    }

    [Test]
    public void ARowCutOffByAKillIsNotThere()
    {
        using var run = Create();
        run.Append([Samples.Prompt(0), Samples.Prompt(1)], [Samples.Response(0), Samples.Response(1)]);
        run.Dispose();
        foreach (var file in new[] { "prompts.partial.csv", "responses.partial.jsonl" })
            File.AppendAllText(run.PathOf(file), File.ReadLines(run.PathOf(file)).Last()[..^9]);
        Assert.That(new RunReader(run.Path).Prompts().Count(), Is.EqualTo(2));
        Assert.That(new RunReader(run.Path).Responses().Count(), Is.EqualTo(2));
    }

    /// <summary>What a process that was killed in the midst of a file leaves; other runs' below are none of this one's.</summary>
    [Test]
    public void WhatAStartWasKilledInTheMidstOfGoesWithTheNextStartOrAtTheEnd([Values] bool atTheEnd)
    {
        string Half(string file) => _scratch.File($"run/{file}.{Guid.NewGuid():N}{AtomicFile.TemporarySuffix}", "half");
        using var first = Create();
        first.Dispose();
        string[] left = [Half(".manifest.json"), Half("piece-2/.alive.json"), Half("piece-3/.energy.json")];
        string[] others = [Half("other/.manifest.json"), _scratch.File("run/.mine.tmp", ""), _scratch.File("run/notes.tmp", "")];
        _scratch.File("run/piece-2/alive.json", "");
        _scratch.File("run/piece-3/energy.json", "{}");
        if (atTheEnd) first.DropJournals();
        else RunDirectory.Continue(first.Path, "r").Dispose();
        Assert.That(left.Where(File.Exists), Is.Empty);
        Assert.That(others.All(File.Exists));
        Assert.That(Directory.Exists(_scratch["run", "piece-2"]), Is.EqualTo(!atTheEnd), "a start that measured nothing that counts");
        Assert.That(File.Exists(_scratch["run", "piece-3", "energy.json"]));
    }

    [Test]
    public void ResponsesAreReadableJsonLines()
    {
        using var run = Create();
        run.Append([], [Samples.Response(5) with { Id = "q5" }]);
        var line = File.ReadAllLines(run.PathOf("responses.partial.jsonl")).Single();
        Assert.That(line, Does.Contain("Janet’s"));
        Assert.That(JsonNode.DeepEquals(JsonNode.Parse(line), JsonNode.Parse("""
            {"run_id": "r", "repeat": 0, "prompt_index": 5, "id": "q5", "prompt": "Question 5:\n\"Janet\u2019s\"", "output_ids": [5, 2],
             "text": "a, b\r\nc", "finish_reason": "eos", "itl_s": [0.30000000000000004]}
            """)), line);
    }

    private enum Speed
    {
        VeryFast,
    }

    [Test]
    public void TheManifestIsReplacedWholeAndNamesKeepTheirForm()
    {
        using var run = Create();
        var manifest = new Manifest(Samples.Summary("r", RunStatus.Incomplete) with { TensorParallel = 2 });
        run.WriteManifest(manifest);
        manifest["configuration"] = new { Batch = new { Size = 64 }, Speed = Speed.VeryFast };
        manifest["host_names"] = new[] { "a", "b" };
        run.WriteManifest(manifest);
        Assert.That(FilesOf(run), Is.EqualTo(new[] { "manifest.json", "prompts.partial.csv", "responses.partial.jsonl" }));
        var text = File.ReadAllText(run.PathOf("manifest.json"));
        Assert.That(text, Does.Contain("\n  \"run\": {\n    \"schema_version\": 2,"));
        Assert.That(JsonNode.DeepEquals(JsonNode.Parse(text), JsonNode.Parse("""
            {"run": {"schema_version": 2, "run_id": "r", "status": "incomplete", "tensor_parallel": 2, "valid": false},
             "configuration": {"batch": {"size": 64}, "speed": "very_fast"}, "host_names": ["a", "b"]}
            """)), text);
        Assert.That(Manifest.RunOf(new RunReader(run.Path).ReadManifest())!.TensorParallel, Is.EqualTo(2));
    }

    [TestCase("[1]")]
    [TestCase("{")]
    [TestCase("")]
    [TestCase("null")]
    public void ADamagedManifestIsNamed(string content)
    {
        var path = _scratch.File("manifest.json", content);
        Assert.That(() => new RunReader(_scratch.Path).ReadManifest(), Throws.TypeOf<UserErrorException>().With.Message.Contains(path));
    }

    [Test]
    public void AMissingFileIsNamed()
    {
        Assert.That(() => new RunReader(_scratch.Path).Summary(), Throws.TypeOf<UserErrorException>().With.Message.Contains("summary.csv"));
        Assert.That(() => new RunReader(_scratch.Path).Prompts().ToList(),
            Throws.TypeOf<UserErrorException>().With.Message.Contains("prompts.csv"));
    }
}
