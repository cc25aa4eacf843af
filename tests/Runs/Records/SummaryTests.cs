using System.Globalization;
using Harness.Runs;
using Harness.Runs.Records;

namespace Harness.Tests.Runs.Records;

[TestFixture]
public sealed class SummaryTests
{
    // Values of numpy.percentile with its default method.
    [TestCase(new[] { 0.31, 0.12, 0.58, 0.44, 0.97 }, 0.44, 0.814, 0.892, 0.9544)]
    [TestCase(new[] { 2.0 }, 2, 2, 2, 2)]
    [TestCase(new[] { 1.0, 2 }, 1.5, 1.9, 1.95, 1.99)]
    public void PercentilesAreNumpys(double[] sample, double p50, double p90, double p95, double p99)
    {
        var statistics = new Statistics(sample);
        Assert.That(statistics.Percentile(50), Is.EqualTo(p50).Within(1e-15));
        Assert.That(statistics.Percentile(90), Is.EqualTo(p90).Within(1e-15));
        Assert.That(statistics.Percentile(95), Is.EqualTo(p95).Within(1e-15));
        Assert.That(statistics.Percentile(99), Is.EqualTo(p99).Within(1e-15));
        Assert.That(statistics.Mean, Is.EqualTo(sample.Average()).Within(1e-15));
    }

    /// <summary>Gaps of three answers of the demo model, recorded, and numpy.percentile and numpy.mean of all of them together.</summary>
    [Test]
    public void InterTokenLatenciesArePooledOverAllGaps()
    {
        double[][] recorded =
        [
            [0.002351861, 0.000783342, 0.000525942, 0.000527926, 0.000654943, 0.000544586, 0.000497189, 0.000645004, 0.000636047],
            [0.000763506, 0.000513699, 0.000547552, 0.000483052],
            [0.000763506, 0.000513699, 0.000547552, 0.000483052, 0.000382024, 0.000389917, 0.000381152, 0.000378897, 0.000383416,
                0.000389828, 0.000382845, 0.000379338],
        ];
        var itl = Distribution.Of(recorded.SelectMany(gaps => gaps));
        Assert.That(new[] { itl.P50, itl.P90, itl.P95, itl.P99, itl.Mean },
            Is.EqualTo(new[] { 0.000513699, 0.000763506, 0.0007793748, 0.0019754164399999967, 0.000593995 }).Within(1e-15));
        Assert.That(itl.Mean * 25, Is.EqualTo(0.014849875).Within(1e-15), "25 gaps");
        Assert.That(recorded.Select(gaps => new Statistics(gaps).Percentile(99)!.Value),
            Is.EqualTo(new[] { 0.00222637948, 0.00075702738, 0.00073975106 }).Within(1e-15), "of each answer by itself");
    }

    [Test]
    public void FiguresByHand()
    {
        PromptRecord[] rows =
        [
            Samples.Prompt(0) with { InputTokens = 5, OutputTokens = 4, OutputWords = 3, TtftSeconds = 1, TpotSeconds = 0.5,
                LatencySeconds = 2.5, Correct = true },
            Samples.Prompt(1) with { InputTokens = 7, OutputTokens = 1, OutputWords = 1, TtftSeconds = 3, TpotSeconds = null,
                LatencySeconds = 3, Correct = false },
            Samples.Prompt(2, FinishReason.ContextLength) with { InputTokens = 9000, OutputTokens = 0, OutputWords = 0, TtftSeconds = null,
                TpotSeconds = null, LatencySeconds = null, Correct = null },
            Samples.Prompt(3, FinishReason.Length) with { InputTokens = 8, OutputTokens = 5, OutputWords = 4, TtftSeconds = 2,
                TpotSeconds = 1.5, LatencySeconds = 8, Correct = true },
        ];
        var measured = Samples.Summary("r") with { Energy = new() { Total = 600, Net = 500 }, Valid = true, EnergySource = "nvml_counter" };
        var summary = Summary.Compute(measured, rows, 4);
        Assert.That((summary.AccuracyLow, summary.AccuracyHigh), Is.EqualTo((0.2077, 0.9385)).Using<(double?, double?), (double, double)>(
            (was, known) => Math.Abs(was.Item1!.Value - known.Item1) < 5e-5 && Math.Abs(was.Item2!.Value - known.Item2) < 5e-5),
                "Wilson's for 2 of 3");
        Assert.That(summary with { AccuracyLow = null, AccuracyHigh = null }, Is.EqualTo(new SummaryRecord
        {
            RunId = "r",
            Status = "complete",
            NumPrompts = 4,
            Completed = 3,
            Failed = 1,
            DurationSeconds = 4,
            TotalInputTokens = 20,
            TotalOutputTokens = 10,
            TotalOutputWords = 8,
            WordsPerSecond = 2,
            TokensPerSecond = 2.5,
            ResponsesPerSecond = 0.75,
            Ttft = new() { Mean = 2, P50 = 2, P90 = 2.8, P95 = 2.9, P99 = 2.98 },
            Tpot = new() { Mean = 1, P50 = 1, P90 = 1.4, P95 = 1.45, P99 = 1.49 },
            Latency = new() { Mean = 4.5, P50 = 3, P90 = 7, P95 = 7.5, P99 = 7.9 },
            Energy = new() { Total = 600, Net = 500, AverageWatts = 150, PerOutputToken = 60, PerResponse = 200 },
            Accuracy = 2.0 / 3,
            EnergyPerCorrectJoules = 300,
            EnergySource = "nvml_counter",
            Valid = true,
        }));
    }

    [Test]
    public void WhatIsNotKnownIsMissingAndNeverZeroOrNaN()
    {
        var none = Summary.Compute(Samples.Summary("r"), [Samples.Prompt(0, FinishReason.Error) with { Correct = null }], null);
        Assert.That(none, Is.EqualTo(new SummaryRecord
        {
            RunId = "r",
            Status = "complete",
            NumPrompts = 1,
            Completed = 0,
            Failed = 1,
            TotalInputTokens = 0,
            TotalOutputTokens = 0,
            TotalOutputWords = 0,
        }));
        var unjudged = Summary.Compute(Samples.Summary("r") with { Energy = new() { Total = 5 } }, [Samples.Prompt(0)], 0);
        Assert.That(unjudged.TokensPerSecond, Is.Null);
        Assert.That(unjudged.EnergyPerCorrectJoules, Is.Null);
    }

    [Test]
    public void RepeatsArePooledAndPromptsCountedOnce()
    {
        var rows = Enumerable.Range(0, 3).SelectMany(r => Enumerable.Range(0, 5).Select(i => Samples.Prompt(i) with { Repeat = r }))
            .ToList();
        var summary = Summary.Compute(Samples.Summary("r"), rows, 30);
        Assert.That((summary.NumPrompts, summary.Completed, summary.ResponsesPerSecond), Is.EqualTo((5, 15, 0.5)));
    }

    /// <summary>A run directory as written, its summary recomputed from the text of prompts.csv by other means.</summary>
    [Test]
    public void TheSummaryFollowsFromTheRowsOnDisk()
    {
        using var scratch = new ScratchDirectory();
        using var run = RunDirectory.Create(scratch.Path, "run", "m", DateTimeOffset.UtcNow);
        var random = new Random(1);
        var rows = Enumerable.Range(0, 501)
            .Select(i => Samples.Prompt(i, i % 50 == 7 ? FinishReason.ContextLength : FinishReason.Length) with
            {
                TtftSeconds = random.NextDouble(),
                LatencySeconds = 1 + random.NextDouble(),
                OutputTokens = random.Next(1, 300),
                OutputWords = random.Next(1, 200),
            }).ToList();
        run.Append(rows, []);
        run.CompleteResults(rows);
        run.WriteSummary(Summary.Compute(Samples.Summary(run.RunId) with { Energy = new() { Total = 1234.5 } }, rows, 77.7));

        var written = Table(Path.Combine(run.Path, "summary.csv")).Single();
        var done = Table(Path.Combine(run.Path, "prompts.csv")).Where(r => r["finish_reason"] != "context_length").ToList();
        var (tokens, words) = (done.Sum(r => int.Parse(r["output_tokens"])), done.Sum(r => int.Parse(r["output_words"])));
        var ttft = done.Select(r => double.Parse(r["ttft_s"], CultureInfo.InvariantCulture)).Order().ToList();
        Assert.Multiple(() =>
        {
            Assert.That(written["completed"], Is.EqualTo("491"));
            Assert.That(written["failed"], Is.EqualTo("10"));
            Assert.That(written["total_output_tokens"], Is.EqualTo($"{tokens}"));
            Close("tokens_per_s", tokens / 77.7);
            Close("words_per_s", words / 77.7);
            Close("responses_per_s", 491 / 77.7);
            Close("energy_per_output_token_j", 1234.5 / tokens);
            Close("energy_per_response_j", 1234.5 / 491);
            Close("avg_power_w", 1234.5 / 77.7);
            Close("ttft_mean_s", ttft.Average());
            // 491 sorted values: position 490 · 0.5 = 245, 490 · 0.9 = 441, 490 · 0.99 = 485.1.
            Close("ttft_p50_s", ttft[245]);
            Close("ttft_p90_s", ttft[441]);
            Close("ttft_p99_s", 0.9 * ttft[485] + 0.1 * ttft[486]);
        });

        void Close(string column, double expected) =>
            Assert.That(double.Parse(written[column], CultureInfo.InvariantCulture), Is.EqualTo(expected).Within(1e-12 * expected), column);
    }

    private static List<Dictionary<string, string>> Table(string path)
    {
        var lines = File.ReadAllLines(path).Select(l => l.Split(',')).ToList();
        return lines.Skip(1).Select(l => lines[0].Zip(l).ToDictionary(p => p.First, p => p.Second)).ToList();
    }

    [TestCase("", 0)]
    [TestCase("one", 1)]
    [TestCase(" leading and trailing ", 3)]
    [TestCase("two  spaces", 2)]
    [TestCase("only\nspaces split\twords", 2)]
    public void WordsAreSplitOnSpaces(string text, int count) => Assert.That(Words.Count(text), Is.EqualTo(count));
}
