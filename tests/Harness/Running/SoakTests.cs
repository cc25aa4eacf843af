using Harness.Bench;
using Harness.Common;
using Harness.Configuration;
using Harness.Datasets;
using Harness.Energy.Accounting;
using Harness.Models.Llama.Tokenizers;
using Harness.Running;
using Harness.Runs;
using Harness.Runs.Records;

namespace Harness.Tests.Running;

/// <summary>The short form of tests/soak.sh: what a row costs in memory while a run goes on, and two runs of one command.</summary>
internal sealed class SoakTests
{
    /// <summary>A packed row of 80 bytes and 8 that say where it is from, in a list that is half empty when it has just grown.</summary>
    private const double MostBytesPerRow = 80 + 2 * 8 + 4;

    private const int Batch = 50;

    [Test, NonParallelizable]
    public void ARowTakesAboutAHundredBytesUntilTheRunEnds()
    {
        using var scratch = new ScratchDirectory();
        var book = new ResultBook("run", Prompts(), new NoSink());
        book.Begin(1, scratch.Path);
        Take(book, 0, 200);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        Take(book, 200, 1000);
        var after = GC.GetTotalMemory(forceFullCollection: true);
        Assert.That(book.Rows, Has.Count.EqualTo(1000 * Batch));
        Assert.That((after - before) / (800.0 * Batch), Is.LessThan(MostBytesPerRow), "bytes of a row");
    }

    [Test]
    public void TwoRunsOfOneCommandDifferInTimesAndJoulesAlone()
    {
        using var scratch = new ScratchDirectory();
        foreach (var name in new[] { "once", "twice" })
        {
            using var stop = new StopSignal();
            var configuration = new ResolvedConfiguration(null, new Dictionary<string, string?>
            {
                ["Sharding:Tensor"] = "2",
                ["Sharding:Pipeline"] = "2",
                ["Dataset:Limit"] = "8",
                ["Batch:Size"] = "4",
                ["Repeats:Count"] = "2",
                ["Repeats:Warmup"] = "0",
                ["Generation:MaxNewTokens"] = "4",
                ["Energy:Meter"] = "none",
                ["Output:Directory"] = scratch.Path,
                ["Output:Name"] = name,
            });
            Assert.That(Ranks.Run(configuration.Options.Sharding, threads: 1, new RunJob(configuration, stop).Execute), Is.Zero);
        }
        Assert.That(SameRuns.Differences(scratch["once"], scratch["twice"]), Is.Empty);

        var rows = new RunReader(scratch["twice"]).Prompts().ToList();
        rows[3] = rows[3] with { OutputTokens = rows[3].OutputTokens + 1, LatencySeconds = 1e6 };
        File.Delete(scratch["twice", RunFile.Prompts.Name]);
        AtomicFile.Write(scratch["twice", RunFile.Prompts.Name], stream => CsvRows.WriteTable(stream, rows));
        Assert.That(SameRuns.Differences(scratch["once"], scratch["twice"]), Has.Count.EqualTo(1).And.One.Contains("output_tokens"));
    }

    [TestCase("ttft_s", true)]
    [TestCase("energy_j", true)]
    [TestCase("run_id", true)]
    [TestCase("invalid_reasons", true)]
    [TestCase("output_tokens", false)]
    [TestCase("finish_reason", false)]
    [TestCase("correct", false)]
    public void WhatMayDifferFollowsFromTheTableOfColumns(string name, bool mayDiffer) =>
        Assert.That(Column.Under(typeof(PromptRecord)).Single(column => column.Name == name).MayDiffer, Is.EqualTo(mayDiffer));

    private static void Take(ResultBook book, int first, int end)
    {
        for (var batch = first; batch < end; batch++)
            book.Take(new(1, batch, 0, batch, batch + 1, [.. Enumerable.Range(0, Batch).Select(number =>
                new SequenceReport(number, ReachedEndOfText: false, batch, null, [70, 71], [batch + 0.5, batch + 1]))],
                [new Step
                {
                    Repeat = 1, Replica = 0, Pass = batch, Batch = batch, MicroBatch = 0, Kind = StepKind.Decode,
                    StartSeconds = batch, EndSeconds = batch + 1, Rows = [0],
                }]));
    }

    private static PromptSet Prompts()
    {
        Prompt[] prompts = [.. Enumerable.Range(0, Batch).Select(i =>
            new Prompt { Index = i, Dataset = "d", Text = "ab", Question = "ab", Source = "d" })];
        WorkItem[] items = [.. prompts.Select(prompt => new WorkItem(prompt.Index, prompt.Index, [1, 69, 70], 2))];
        return new(prompts, PromptForm.Plain(new ByteTokenizer()), new(items, new HashSet<int>()), new(prompts, new(), "d"));
    }

    private sealed class NoSink : IResultSink
    {
        public void Append(IReadOnlyList<PromptRecord> prompts, IReadOnlyList<ResponseRecord> responses)
        {
        }
    }
}
