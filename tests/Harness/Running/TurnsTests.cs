using System.Globalization;
using System.Text.Json.Nodes;
using Harness.Common;
using Harness.Configuration;
using Harness.Models.Llama.Checkpoints;
using Harness.Running;
using Harness.Runs.Verifying;
using Harness.Tests.EndToEnd;
using Harness.Tests.Models.Llama;
using Harness.Tests.Models.Llama.Templates;
using Harness.Tests.Models.Llama.Tokenizers;

namespace Harness.Tests.Running;

/// <summary>
/// Conversations of several turns against single prompts that hold the whole conversation: the same tokens, whatever of them was in the
/// cache.
/// </summary>
[TestFixture, Parallelizable(ParallelScope.All), FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class TurnsTests : IDisposable
{
    private static readonly string[][] s_questions =
    [
        ["Tim has 2 dogs. How many?", "And cats?", "Why?", "Never asked"],
        ["Sort the words: moon, rose, vase", "Sort them again"],
        ["Hello"],
        ["Count the letters in leaf", "And in tree", "And in wood"],
        ["One and one?", "And two?", "And three?", "And four?"],
    ];

    private const int Turns = 3;

    /// <summary>Of each conversation its turns, in order.</summary>
    private static readonly (int Prompt, int Turn)[] s_asked =
        [.. s_questions.SelectMany((turns, prompt) => turns.Take(Turns).Select((_, i) => (prompt, i + 1)))];

    private readonly ScratchDirectory _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [TestCase(1, 1, 1, 2)]
    [TestCase(1, 1, 1, 9)]
    [TestCase(2, 2, 1, 3)]
    [TestCase(1, 2, 2, 2)]
    public void TheTokensAreThoseOfSingleRunsOverTheWholeConversation(int tensor, int pipeline, int data, int concurrency)
    {
        var run = Run("turns", ShareGpt(), ("Dataset:Turns", $"{Turns}"), ("Batch:Schedule", "continuous"),
            ("Batch:Concurrency", $"{concurrency}"), ("Generation:MaxNewTokens", "16"), ("Sharding:Tensor", $"{tensor}"),
            ("Sharding:Pipeline", $"{pipeline}"), ("Sharding:Data", $"{data}"), ("Batch:Rate", data > 1 ? "200" : "0"));
        var turns = ByTurn(run);
        Assert.That(turns.Keys, Is.EquivalentTo(s_asked));

        // What was read is what was said: questions as they stand, answers as they were given, an empty line behind each.
        var singles = s_asked.Select(turn => string.Concat(Enumerable.Range(1, turn.Turn - 1).Select(before =>
            s_questions[turn.Prompt][before - 1] + Text(turns[(turn.Prompt, before)].Response) + "\n\n"))
            + s_questions[turn.Prompt][turn.Turn - 1]).ToList();
        Assert.That(s_asked.Select(turn => (string)turns[turn].Response["prompt"]!), Is.EqualTo(singles));
        var single = Run("singles", _scratch.File("singles.jsonl", Lines(singles.Select(text => new JsonObject { ["prompt"] = text }))),
            ("Dataset:Task", "plain"), ("Batch:Size", "4"), ("Generation:MaxNewTokens", "16"));
        MustBeAlike(run, turns, single);

        var rows = s_asked.Select(turn => turns[turn].Row).ToList();
        Assert.Multiple(() =>
        {
            Assert.That(rows.Where(row => row["turn"] == "1").Select(row => row["cached_tokens"]), Is.All.EqualTo("0"));
            Assert.That(rows.Where(row => row["turn"] != "1").Select(row => Number(row, "cached_tokens")), Is.All.Positive);
            Assert.That((run.Summary["turns"], run.Summary["num_prompts"], run.Summary["completed"]),
                Is.EqualTo(($"{Turns}", $"{s_asked.Length}", $"{s_asked.Length}")));
            Assert.That(run.Summary["cached_input_tokens"], Is.EqualTo($"{rows.Sum(row => Number(row, "cached_tokens"))}"));
            // A turn's clock begins when the answer before it is known.
            foreach (var (prompt, turn) in s_asked.Where(one => one.Turn > 1))
            {
                var before = turns[(prompt, turn - 1)].Row;
                Assert.That(Seconds(turns[(prompt, turn)].Row, "start_s"),
                    Is.EqualTo(Seconds(before, "start_s") + Seconds(before, "latency_s")).Within(1e-9));
            }
            Assert.That(rows.Select(row => row["queue_s"].Length > 0), Is.All.EqualTo(data > 1));
        });
    }

    /// <summary>
    /// By a template, and by one that writes what was said before anew each turn, so that little of it is in the cache. A model of random
    /// weights over bytes answers with what is no UTF-8, which is other tokens when it is read again.
    /// </summary>
    [TestCase("llama-3-8b-instruct", true)]
    [TestCase("{% for m in messages %}{{ '[' ~ loop.revindex ~ ']' ~ m.role ~ ':' ~ m.content }}{% endfor %}", false)]
    public void ATemplateRendersTheConversationAndTheCacheKeepsWhatIsTheSame(string template, bool keeps)
    {
        new TinyCheckpoint { Vocabulary = 512 }.Write(_scratch);
        _scratch.File("model/tokenizer.model", TokenizerFixtures.SmallRankList());
        _scratch.File("model/generation_config.json", """{"eos_token_id": 257}""");
        _scratch.File("model/tokenizer_config.json", """{"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"}""");
        _scratch.File("model/chat_template.jinja", keeps ? File.ReadAllText(TemplateFixtures.Path($"{template}.jinja")) : template);
        (string, string)[] model = [("Model:Path", _scratch["model"]), ("Generation:MaxNewTokens", "6")];
        var run = Run("turns", ShareGpt(), [.. model, ("Dataset:Turns", $"{Turns}"), ("Batch:Schedule", "continuous"),
            ("Batch:Concurrency", "2")]);
        var turns = ByTurn(run);
        JsonObject Message(string role, string content) => new() { ["role"] = role, ["content"] = content };
        var single = Run("singles", _scratch.File("singles.jsonl", Lines(s_asked.Select(turn => new JsonObject
        {
            ["messages"] = new JsonArray([.. Enumerable.Range(1, turn.Turn - 1).SelectMany(before => (JsonObject[])[
                Message("user", s_questions[turn.Prompt][before - 1]), Message("assistant", Text(turns[(turn.Prompt, before)].Response))]),
                Message("user", s_questions[turn.Prompt][turn.Turn - 1])]),
        }))), [.. model, ("Batch:Size", "4")]);
        MustBeAlike(run, turns, single);
        foreach (var (prompt, turn) in s_asked.Where(one => one.Turn > 1))
        {
            var cached = Number(turns[(prompt, turn)].Row, "cached_tokens");
            var before = turns[(prompt, turn - 1)].Row;
            if (keeps) Assert.That(cached, Is.GreaterThanOrEqualTo(Number(before, "input_tokens")), "all of the prompt before, at least");
            else Assert.That(cached, Is.LessThan(3), "[3] of the first message is [2] no more");
        }
    }

    [Test]
    public void TurnsForWhichThereIsNoRoomHaveTheirRows()
    {
        var run = Run("turns", ShareGpt(), ("Dataset:Turns", $"{Turns}"), ("Batch:Schedule", "continuous"), ("Batch:Concurrency", "2"),
            ("Generation:MaxLength", "40"), ("Generation:MaxNewTokens", "16"), ("Generation:IgnoreEos", "true"), ("Repeats:Count", "2"));
        var rows = run.Prompts;
        Assert.Multiple(() =>
        {
            Assert.That(rows.Select(row => (row["repeat"], row["prompt_index"], row["turn"])).Distinct().Count(),
                Is.EqualTo(2 * s_asked.Length).And.EqualTo(rows.Count));
            var unfit = rows.Where(row => row["finish_reason"] == "context_length").ToList();
            Assert.That(unfit, Is.Not.Empty);
            Assert.That(unfit.Select(row => (row["turn"] == "1", row["output_tokens"], row["latency_s"])),
                Is.All.EqualTo((false, "0", "")));
            Assert.That(unfit.Where(row => row["input_tokens"] != "0").Select(row => Number(row, "input_tokens")), Is.All.AtLeast(40));
            // Behind a turn without room there is none with it.
            foreach (var conversation in rows.GroupBy(row => (row["repeat"], row["prompt_index"])))
                Assert.That(conversation.OrderBy(row => row["turn"]).Select(row => row["finish_reason"] == "context_length"), Is.Ordered);
            Assert.That(run.Summary["failed"], Is.EqualTo($"{unfit.Count}"));
            Assert.That(rows.Where(row => row["output_tokens"] != "0")
                .Select(row => Number(row, "input_tokens") + Number(row, "output_tokens")), Is.All.AtMost(40));
        });
        Verify(run);
    }

    /// <summary>A conversation that was cut off goes on with its next turn, behind the answers that are known.</summary>
    [Test]
    public void AConversationGoesOnBehindTheAnswersThatAreKnown()
    {
        var configuration = Configuration("turns", ShareGpt(), ("Dataset:Turns", $"{Turns}"), ("Batch:Schedule", "continuous"));
        var set = PromptSet.Load(configuration.Options, new SyntheticCheckpoint("synthetic:7b").Config, new NoProgress());
        Assert.That(set.Workload.Items.Select(item => (item.PromptIndex, item.Turn)), Is.EqualTo(s_asked));
        // The first two turns of conversation 0 (items 0 to 2), all of 1 and 2 (3 to 5), none of 3 and 4.
        var finished = new[] { 0, 1, 3, 4, 5 };
        var start = new RunStart("", "", "", 0, [.. finished.Select(number => new FinishedPrompt(1, 0, number))], 0,
            [.. finished.Select(number => new FinishedAnswer(1, 0, number, $" {number}."))]);
        var conversations = Conversations.Of(configuration.Options, set.Workload,
            new SyntheticCheckpoint("synthetic:7b").Config, start.Answers);
        var work = ReplicaWork.Of(configuration.Options, set.Workload, 0, start, conversations);

        var schedule = work.Jobs(repeat: 1, pass: 0).Single().Schedule;
        schedule.Begin(new(new(), 0, new HashSet<int>()), 0);
        var chosen = schedule.Next(0, 1).Select(one => one.Sequence).ToList();
        Assert.That(chosen.Select(sequence => sequence.Id), Is.EqualTo((int[])[2, 6, 9]));
        Assert.That(chosen[0].Tokens, Is.EqualTo(set.Tokenizer.Encode(
            "Tim has 2 dogs. How many? 0.\n\nAnd cats? 1.\n\nWhy?", addBeginOfText: true)));
        Assert.That(chosen[0].FromCache, Is.Zero);
        Assert.That(chosen[1].Tokens, Is.EqualTo(set.Workload.Items[6].Tokens));

        var whole = work.Jobs(repeat: 2, pass: 0).Single().Schedule;
        whole.Begin(new(new(), 0, new HashSet<int>()), 0);
        Assert.That(whole.Next(0, 1).Select(one => one.Sequence.Id), Is.EqualTo((int[])[0, 3, 5, 6, 9]), "of another repeat none is known");
    }

    [TestCase("Batch:Schedule", "static", "1, or continuous batching (--schedule continuous) is expected")]
    [TestCase("Dataset:InputTokens", "9", "1 beside --input-tokens")]
    [TestCase("Generation:Lengths", "reference", "1 beside --lengths reference")]
    [TestCase("Dataset:Task", "chat", "1 beside --task chat")]
    public void WhatDoesNotGoWithTurnsIsRefused(string key, string value, string message) =>
        Assert.That(() => Configuration("x", "x", ("Dataset:Turns", "2"), ("Batch:Schedule", "continuous"), (key, value)),
            Throws.TypeOf<UserErrorException>().With.Message.StartsWith("Dataset:Turns (--turns) is '2', but ")
                .And.Message.Contains(message));

    [TestCase("prompts.jsonl", "{\"prompt\": \"a\"}", "dataset jsonl has single questions; leave --turns out, or give a ShareGPT file")]
    public void DataOfSingleQuestionsIsRefused(string file, string content, string message) =>
        Assert.That(() => PromptSet.Load(Configuration("x", _scratch.File(file, content), ("Dataset:Turns", "2"),
            ("Batch:Schedule", "continuous")).Options, new SyntheticCheckpoint("synthetic:7b").Config, new NoProgress()),
            Throws.TypeOf<UserErrorException>().With.Message.EndsWith(message));

    /// <summary>
    /// Ids, lengths and ends of each turn and of the single prompt; and each turn computed what was not in the cache, once.
    /// </summary>
    private static void MustBeAlike(RunOutput run, Dictionary<(int, int), (Dictionary<string, string> Row, JsonNode Response)> turns,
        RunOutput single)
    {
        var alone = single.Prompts.Zip(single.Responses).OrderBy(one => Number(one.First, "prompt_index")).ToList();
        Assert.Multiple(() =>
        {
            Assert.That(s_asked.Select(turn => Ids(turns[turn].Response)), Is.EqualTo(alone.Select(one => Ids(one.Second))));
            foreach (var column in (string[])["input_tokens", "output_tokens", "finish_reason"])
                Assert.That(s_asked.Select(turn => turns[turn].Row[column]), Is.EqualTo(alone.Select(one => one.First[column])));
            var prefilled = new Dictionary<int, int>();
            foreach (var step in run.Steps().Where(step => (string)step["kind"]! != "decode"))
            {
                var (rows, tokens) = (step["rows"]!.AsArray(), step["tokens"]!.AsArray());
                for (var i = (int?)step["decode_rows"] ?? 0; i < rows.Count; i++)
                    prefilled[(int)rows[i]!] = prefilled.GetValueOrDefault((int)rows[i]!) + (int)tokens[i]!;
            }
            Assert.That(run.Prompts.Select((row, i) => prefilled[i] + Number(row, "cached_tokens")),
                Is.EqualTo(run.Prompts.Select(row => Number(row, "input_tokens"))));
        });
        Verify(run);
    }

    private string ShareGpt() => _scratch.File("sharegpt.json", new JsonArray([.. s_questions.Select((turns, i) => new JsonObject
    {
        ["id"] = $"c{i}",
        ["conversations"] = new JsonArray([.. turns.SelectMany(text => (JsonObject[])
            [new() { ["from"] = "human", ["value"] = text }, new() { ["from"] = "gpt", ["value"] = "not the model's own" }])]),
    })]).ToJsonString());

    private static Dictionary<(int Prompt, int Turn), (Dictionary<string, string> Row, JsonNode Response)> ByTurn(RunOutput run) =>
        run.Prompts.Zip(run.Responses).ToDictionary(one => (Number(one.First, "prompt_index"), Number(one.First, "turn")));

    private static string Text(JsonNode response) => (string)response["text"]!;

    private static int[] Ids(JsonNode response) => [.. response["output_ids"]!.AsArray().Select(id => (int)id!)];

    private static string Lines(IEnumerable<JsonObject> records) => string.Concat(records.Select(record => record.ToJsonString() + "\n"));

    private static int Number(Dictionary<string, string> row, string column) => int.Parse(row[column], CultureInfo.InvariantCulture);

    private static double Seconds(Dictionary<string, string> row, string column) => double.Parse(row[column], CultureInfo.InvariantCulture);

    private static void Verify(RunOutput run) => Assert.That(new RunVerification(run.Path).Check(), Is.Empty);

    private RunOutput Run(string name, string data, params (string Key, string Value)[] settings)
    {
        using var stop = new StopSignal();
        var configuration = Configuration(name, data, settings);
        Assert.That(Ranks.Run(configuration.Options.Sharding, threads: 1, new RunJob(configuration, stop).Execute), Is.Zero);
        return new(_scratch["out", name]);
    }

    private ResolvedConfiguration Configuration(string name, string data, params (string Key, string Value)[] settings)
    {
        var all = new Dictionary<string, string?>
        {
            ["Dataset:Path"] = data,
            ["Repeats:Warmup"] = "0",
            ["Energy:Meter"] = "none",
            ["Output:Directory"] = _scratch["out"],
            ["Output:Name"] = name,
        };
        foreach (var (key, value) in settings) all[key] = value;
        return new(null, all);
    }
}
