using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Harness.Common;
using Harness.Reports.Collecting;
using Harness.Runs;
using Harness.Runs.Verifying;

namespace Harness.Tests.Runs.Verifying;

/// <summary>
/// One run with a meter, categories and two repeats, of which copies are damaged in every place where a figure can stand.
/// </summary>
[Platform("Linux"), System.Runtime.Versioning.SupportedOSPlatform("linux")]
[Parallelizable]
internal sealed partial class RunVerificationTests
{
    private const int Prompts = 4, Repeats = 2;

    /// <summary>Which of these are kept is a matter of the machine, and not of what is tested.</summary>
    private const string Bounds = "ttft=50ms,itl=2ms";

    private ScratchDirectory _scratch = null!;
    private int _copies;

    private string Whole => _scratch["results", "whole"];

    [OneTimeSetUp]
    public void Run()
    {
        _scratch = new();
        var meter = _scratch.File("meter.sh",
            "#!/bin/sh\nwhile kill -0 $PPID 2>/dev/null; do awk '{ printf \"J %.3f W 80\\n\", $1 * 80; fflush() }' /proc/uptime; sleep "
            + "0.02; done\n");
        File.SetUnixFileMode(meter, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        _scratch.File("prompts.jsonl", string.Concat(Enumerable.Range(0, Prompts).Select(i => $$"""{"prompt": "Question: {{i}}", "category": "{{(i % 2 == 0 ? "=1+1" : "b")}}"}""" + "\n")));
        var result = HarnessProcess.Run(_scratch.Path, "run", "--data", "prompts.jsonl", "--repeats", $"{Repeats}",
            "--max-new-tokens", "8", "--ignore-eos", "--idle-baseline", "300ms", "--meter", $"command:{meter}",
            "--carbon-intensity", "380", "--pue", "1.2", "--embodied", "100", "--slo", Bounds, "--name", "whole");
        Assert.That(result.ExitCode, Is.Zero, result.Error);
    }

    [OneTimeTearDown]
    public void End() => _scratch.Dispose();

    private static IReadOnlyList<string> Check(string run) => new RunVerification(run).Check();

    /// <summary>The run with one of its files changed.</summary>
    private string With(string file, Func<string, string> change)
    {
        var copy = _scratch[$"copy-{_copies++}"];
        Directory.CreateDirectory(copy);
        foreach (var path in Directory.GetFiles(Whole)) File.Copy(path, Path.Combine(copy, Path.GetFileName(path)));
        var changed = Path.Combine(copy, file);
        var (before, after) = (File.ReadAllText(changed), change(File.ReadAllText(changed)));
        Assert.That(after, Is.Not.EqualTo(before));
        File.WriteAllText(changed, after);
        return copy;
    }

    private static bool Fails(string run)
    {
        try { return Check(run).Count > 0; }
        catch (Exception e) when (e is UserErrorException) { return true; }
    }

    [Test]
    public void TheRunItselfIsRight()
    {
        Assert.That(Check(Whole), Is.Empty);
        Assert.That(Directory.GetFiles(Whole).Where(path => RunFileTests.RowOf(path) is not { Stays: true }), Is.Empty,
            "files without a row");
        Assert.That(new RunReader(Whole).Prompts().Count(), Is.EqualTo(Prompts * Repeats));
        Assert.That(new RunReader(Whole).Categories().Select(row => row.Category), Is.EqualTo(new[] { "'=1+1", "b" }),
            "what a spreadsheet would compute it does not");
    }

    /// <summary>
    /// Columns that come from different files say the same: gaps of responses.jsonl and times of prompts.csv, joules of rows and the meter.
    /// </summary>
    [Test]
    public void TailsAndGoodputAddUp()
    {
        var run = new RunReader(Whole).Summary();
        var rows = new RunReader(Whole).Prompts().ToList();
        var gaps = run.TotalOutputTokens - run.Completed;
        Assert.That(gaps, Is.EqualTo(Prompts * Repeats * 7), "eight tokens each");
        Assert.That(run.Itl.Mean * gaps, Is.EqualTo(rows.Sum(row => row.LatencySeconds - row.TtftSeconds)).Within(1e-9));
        Assert.That(new[] { run.Itl.P50, run.Itl.P90, run.Itl.P95, run.Itl.P99 }, Is.Ordered);
        Assert.That((run.Goodput.Slo, run.Goodput.Good), Is.EqualTo((Bounds,
            rows.Count(row => row.TtftSeconds <= 0.05 && row.ItlP99Seconds <= 0.002))));
        Assert.That(run.Goodput.PerSecond, Is.LessThanOrEqualTo(run.ResponsesPerSecond!.Value));
        Assert.That(run.Goodput.GoodJoules + run.Goodput.NotGoodJoules + run.Energy.Unattributed,
            Is.EqualTo(run.Energy.Total).Within(1e-9 * run.Energy.Total!.Value));
        Assert.That(Check(With("summary.csv", text => text.Replace($"\"{Bounds}\"", "\"ttft=1ns\"", StringComparison.Ordinal))),
            Has.Some.StartWith("manifest.json, slo: written ttft=50ms,itl=2ms, but ttft=1ns"));
        Assert.That(Fails(With("summary.csv", text => text.Replace($"\"{Bounds}\"", "soon", StringComparison.Ordinal))));
        Assert.That(Fails(With("prompts.csv", text => SetCell(text, Array.IndexOf(text.Split('\n')[0].Split(','), "itl_p99_s"), "1"))));
    }

    /// <summary>Runs of versions that did not have a column are verified as far as they go.</summary>
    [Test]
    public void ARunOfAnEarlierVersionIsRight()
    {
        var copy = With("prompts.csv", text => WithoutColumn(text, "itl_p99_s"));
        foreach (var (file, columns) in new[]
        {
            ("summary.csv", new[] { "ttft_p95_s", "itl_p99_s", "slo", "good_requests", "goodput_per_s", "good_share",
                "energy_per_good_request_j", "good_energy_j", "not_good_energy_j" }),
            ("categories.csv", ["ttft_p95_s", "tpot_p95_s", "latency_p95_s"]),
        })
            File.WriteAllText(Path.Combine(copy, file), columns.Aggregate(File.ReadAllText(Path.Combine(copy, file)), WithoutColumn));
        var manifest = JsonNode.Parse(File.ReadAllText(Path.Combine(copy, "manifest.json")))!;
        foreach (var name in new[] { "slo", "itl_p99_s" }) Assert.That(manifest["run"]!.AsObject().Remove(name), name);
        File.WriteAllText(Path.Combine(copy, "manifest.json"), manifest.ToJsonString());
        Assert.That(Check(copy), Is.EqualTo(Check(Whole)));
    }

    private static string WithoutColumn(string text, string column)
    {
        var rows = CsvTable.Parse(text);
        var names = rows[0].Keys.Where(name => name != column).ToList();
        Assert.That(names, Has.Count.EqualTo(rows[0].Count - 1), column);
        return string.Concat(rows.Select(row => names.Select(name => row[name])).Prepend(names)
            .Select(row => string.Join(',', row.Select(cell => $"\"{cell}\"")) + "\n"));
    }

    /// <summary>The same in a column of numbers that was empty.</summary>
    [Test]
    public void ANumberThatIsNoneFailsInEveryColumnOfEveryTable(
        [Values("summary.csv", "prompts.csv", "categories.csv", "ranks.csv", "power.csv", "phases.csv")] string file,
            [Values("NaN", "Infinity", "-1e999")] string value)
    {
        var columns = File.ReadLines(Path.Combine(Whole, file)).First().Split(',');
        string[] texts = ["run_id", "status", "timestamp_utc", "commit", "model", "dtype", "backend", "gpu", "schedule", "dataset", "task",
            "chat_template", "system_prompt", "arrivals", "lengths", "kv_dtype", "energy_source", "energy_scope", "valid", "invalid_reasons",
            "beside_invalid_reasons", "finish_reason", "correct", "category", "window", "host", "device", "kind", "source", "power_field",
            "throttle_reasons"];
        var blind = columns.Where((column, at) => !texts.Contains(column) && !Fails(With(file, text => SetCell(text, at, value)))).ToList();
        Assert.That(blind, Is.Empty);
    }

    /// <summary>JSON has no NaN; a number may be too large to be one.</summary>
    [TestCase("windows.jsonl")]
    [TestCase("steps.jsonl")]
    [TestCase("responses.jsonl")]
    [TestCase("energy.json")]
    [TestCase("carbon.json")]
    public void ANumberBeyondAllFiguresFailsInEveryJsonFile(string file)
    {
        var members = NumberMember().Matches(File.ReadAllText(Path.Combine(Whole, file))).Select(match => match.Groups["name"].Value)
            .Distinct().ToList();
        Assert.That(members, Is.Not.Empty);
        var blind = members.Where(name => !Fails(With(file, text =>
            new Regex($"\"{name}\": ?\\[?-?[0-9][0-9.eE+-]*").Replace(text, $"\"{name}\":{(IsList(text, name) ? "[" : "")}1e999", 1))))
                .ToList();
        Assert.That(blind, Is.Empty);

        static bool IsList(string text, string name) => Regex.IsMatch(text, $"\"{name}\": ?\\[");
    }

    [Test]
    public void AFigureOfTheManifestIsThatOfTheSummary()
    {
        Assert.That(Check(With("manifest.json", text =>
            text.Replace("\"num_prompts\": 4", "\"num_prompts\": 5", StringComparison.Ordinal))),
            Is.EqualTo(new[] { "manifest.json, num_prompts: written 5, but 4 in summary.csv" }));
        Assert.That(Fails(With("manifest.json", text => new Regex("\"parameters_b\": [0-9.]+").Replace(text, "\"parameters_b\": 1e999"))));
    }

    [Test]
    public void AFigureThatNobodyComputesFromIsComparedToo()
    {
        Assert.That(Fails(With("energy.json", text => new Regex("\"average_power_w\": [0-9.]+").Replace(text, "\"average_power_w\": 1"))));
        Assert.That(Fails(With("windows.jsonl", text =>
            new Regex("\"power_integral_j\":[0-9.]+").Replace(text, "\"power_integral_j\":1"))));
    }

    [Test]
    public void PromptsAndRepeatsAreCounted()
    {
        var rows = Check(With("prompts.csv", text => WithoutLastLines(text, 1)));
        Assert.That(rows, Has.Some.EqualTo("prompts.csv: repeat 2 has answers to 3 of 4 prompts"));
        Assert.That(Check(With("prompts.csv", text => WithoutLastLines(text, Prompts))),
            Has.Some.EqualTo("prompts.csv: repeat 2 of 2 has no answers"));
    }

    /// <summary>
    /// A whole run but for its last repeat, which nothing in its tables speaks of: the manifest knows that it was to be there.
    /// </summary>
    [Test]
    public void CollectCountsToo()
    {
        var copy = With("summary.csv", text => SetCell(text, Array.IndexOf(text.Split('\n')[0].Split(','), "completed"), $"{Prompts}"));
        var (log, output) = (new StringWriter(), _scratch["all.csv"]);
        Assert.That(new Collect(TextWriter.Null).Run([copy], output, log), Is.EqualTo(1));
        Assert.That(CsvTable.Read(output).Single()["status"], Is.EqualTo("incomplete"));
        Assert.That(log.ToString(),
            Does.StartWith($"collect: {copy} says it is complete, but its 4 answers are not 4 prompts × 2 repeats"));
        Assert.That(new Collect(TextWriter.Null).Run([Whole], output, new StringWriter()), Is.Zero);

        var wrong = With("summary.csv", text => SetCell(text, Array.IndexOf(text.Split('\n')[0].Split(','), "total_energy_j"), "nan"));
        Assert.That(new Collect(TextWriter.Null).Run([wrong], output, log), Is.EqualTo(1));
        Assert.That(log.ToString(), Does.Contain("summary.csv: column total_energy_j holds 'nan', which is no figure"));
    }

    /// <summary>git with core.autocrlf, Excel, Windows editors; Excel writes a byte-order mark, too.</summary>
    [Test]
    public void LinesMayEndInCarriageReturnAndLineFeed([Values] bool mark)
    {
        var copy = With("summary.csv", text => text + "\n");
        foreach (var path in Directory.GetFiles(copy))
        {
            var text = File.ReadAllText(path).TrimEnd('\n') + "\n";
            File.WriteAllText(path, text.Replace("\n", "\r\n", StringComparison.Ordinal),
                new UTF8Encoding(mark && path.EndsWith(".csv", StringComparison.Ordinal)));
        }
        Assert.That(Check(copy), Is.Empty);
        Assert.That(new Collect(TextWriter.Null).Run([copy], _scratch["crlf.csv"], new StringWriter()), Is.Zero);
        Assert.That(CsvTable.Read(_scratch["crlf.csv"]).Single()["pieces"], Is.EqualTo("1"));
    }

    /// <summary>
    /// Every member of every JSON file, every cell of every table, whole files: none of it ends as a defect of the program.
    /// </summary>
    [TestCase("windows.jsonl")]
    [TestCase("steps.jsonl")]
    [TestCase("responses.jsonl")]
    [TestCase("energy.json")]
    [TestCase("carbon.json")]
    [TestCase("manifest.json")]
    [TestCase("power.csv")]
    [TestCase("prompts.csv")]
    [TestCase("ranks.csv")]
    [TestCase("phases.csv")]
    [TestCase("categories.csv")]
    [TestCase("summary.csv")]
    public void AFileThatIsDamagedInAnyWayGivesProblemsOrOneLine(string file)
    {
        var text = File.ReadAllText(Path.Combine(Whole, file));
        var copy = With(file, _ => "");
        var defects = new List<string>();
        foreach (var damaged in Damages(file, text).Distinct().Where(damaged => damaged != text))
        {
            File.WriteAllText(Path.Combine(copy, file), damaged);
            try
            {
                Check(copy);
            }
            catch (UserErrorException e)
            {
                if (e.Message.Contains('\n', StringComparison.Ordinal)
                    || !e.Message.Contains(copy, StringComparison.Ordinal)) defects.Add(e.Message);
            }
            catch (Exception e)
            {
                defects.Add($"{e.GetType().Name} {e.Message} {e.StackTrace?.Split('\n')[0]} of {Difference(text, damaged)}");
            }
        }
        Assert.That(defects, Is.Empty);

        static string Difference(string was, string now)
        {
            var at = was.Zip(now).TakeWhile(pair => pair.First == pair.Second).Count();
            return $"…{now[Math.Max(0, at - 40)..Math.Min(now.Length, at + 40)]}";
        }
    }

    /// <summary>Lost, cut, empty, without rows; an open quote; null, and values of every other kind.</summary>
    private static IEnumerable<string> Damages(string file, string text)
    {
        string[] whole = ["", "\n", "null", "null\n", "7", "[]", "{}", "[null]", text[..(text.Length / 2)], text[..^2],
            text.Split('\n')[0] + "\n", "\"" + text, text + "\"", text + "null\n", "NaN"];
        return whole.Concat(file.EndsWith(".csv", StringComparison.Ordinal) ? DamagedCells(text) : DamagedMembers(file, text));
    }

    private static IEnumerable<string> DamagedCells(string table) =>
        from column in Enumerable.Range(0, table.Split('\n')[0].Split(',').Length)
        from value in new[] { "", "x", "-1", "NaN", "\"", "2147483648", "9" }
        select SetCell(table, column, value);

    private static IEnumerable<string> DamagedMembers(string file, string text)
    {
        var lines = file.EndsWith(".jsonl", StringComparison.Ordinal) ? text.Split('\n')[..^1] : [text];
        foreach (var at in new[] { 0, lines.Length - 1 }.Distinct())
        {
            string With(JsonNode? line) => string.Join('\n', [.. lines[..at], line?.ToJsonString() ?? "null", .. lines[(at + 1)..]]) + "\n";
            foreach (var path in Members(JsonNode.Parse(lines[at])!).ToList())
                foreach (var value in new[] { "null", "[]", "{}", "\"x\"", "-1", "7", "true", "" })
                {
                    var root = JsonNode.Parse(lines[at])!;
                    var (parent, last) =
                        (path[..^1].Aggregate(root, (node, step) => step is int i ? node[i]! : node[(string)step]!), path[^1]);
                    if (last is int index) parent[index] = value.Length == 0 ? null : JsonNode.Parse(value);
                    else if (value.Length == 0) parent.AsObject().Remove((string)last);
                    else parent[(string)last] = JsonNode.Parse(value);
                    yield return With(root);
                }
            foreach (var value in new[] { "null", "[]", "{}", "7" }) yield return With(JsonNode.Parse(value));
        }
    }

    /// <summary>Names and, of lists, the first element's number, down to every value.</summary>
    private static IEnumerable<object[]> Members(JsonNode? tree) => tree switch
    {
        JsonObject members => members.SelectMany(member =>
            Members(member.Value).Select(path => (object[])[member.Key, .. path]).Prepend([member.Key])),
        JsonArray { Count: > 0 } elements => Members(elements[0]).Select(path => (object[])[0, .. path]).Prepend([0]),
        _ => [],
    };

    /// <summary>In the first row; none of these files has a quoted field before a number in it.</summary>
    private static string SetCell(string table, int column, string value)
    {
        var lines = table.Split('\n');
        var quoted = Regex.Matches(lines[1], "\"[^\"]*\"").Select(match => match.Value).ToList();
        var cells = Regex.Replace(lines[1], "\"[^\"]*\"", "\u0001").Split(',');
        cells[column] = value;
        var next = 0;
        lines[1] = Regex.Replace(string.Join(',', cells), "\u0001", _ => quoted[next++]);
        return string.Join('\n', lines);
    }

    private static string WithoutLastLines(string text, int count) => string.Join('\n', text.TrimEnd('\n').Split('\n')[..^count]) + "\n";

    [GeneratedRegex("\"(?<name>[a-z_0-9]+)\": ?\\[?-?[0-9]")]
    private static partial Regex NumberMember();
}
