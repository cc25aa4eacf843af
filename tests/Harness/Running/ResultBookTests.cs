using System.Runtime.CompilerServices;
using Harness.Datasets;
using Harness.Energy.Accounting;
using Harness.Energy.Clocks;
using Harness.Models.Llama.Tokenizers;
using Harness.Running;
using Harness.Runs;
using Harness.Runs.Pieces;
using Harness.Runs.Records;

namespace Harness.Tests.Running;

/// <summary>What rank 0 keeps of finished batches.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class ResultBookTests : IDisposable
{
    private readonly ScratchDirectory _scratch = new();

    public void Dispose() => _scratch.Dispose();

    /// <summary>A run of days has millions of tokens: what lies in the journal needs not stay in memory, too.</summary>
    [Test]
    public void OfAFinishedBatchStepsAndTokensAreReadBackAndDoNotStayInMemory()
    {
        var book = new ResultBook("run", Prompts(), new NoSink());
        book.Begin(1, _scratch.Path);
        using var journal = new StartJournal(_scratch.Path);
        var report = Take(book, journal);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        Assert.That(report.IsAlive, Is.False);

        var steps = book.Steps(1, _ => new(ClockOffset.Zero, ClockOffset.Zero)).ToList();
        Assert.That(steps.Select(step => (step.StartSeconds, step.EndSeconds, step.Rows.Single())),
            Is.EqualTo(new[] { (1.0, 2.0, 0), (2.0, 3.0, 0) }));
        Assert.That((book.Batches, book.EndOf(1, 0)), Is.EqualTo((1, 3.5)));
        Assert.That((book.EndOf(1, 1), book.EndOf(2, 0)), Is.EqualTo(((double?)null, (double?)null)));
        Assert.That(book.Rows.Single().OutputTokens, Is.EqualTo(2));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference Take(ResultBook book, StartJournal journal)
    {
        var answer = new SequenceReport(0, true, 1, null, [70, 71], [2, 3]);
        var prefill = new Step
        {
            Repeat = 1,
            Replica = 0,
            Batch = 0,
            MicroBatch = 0,
            Kind = StepKind.Prefill,
            StartSeconds = 1,
            EndSeconds = 2,
            Rows = [0],
            Tokens = [3],
        };
        var decode = prefill with { Kind = StepKind.Decode, StartSeconds = 2, EndSeconds = 3, Tokens = null };
        var report = new BatchReport(1, 0, 0, 0, 3.5, [answer], [prefill, decode]);
        journal.Append(report.Serialize());
        book.Take(report);
        return new(report);
    }

    private static PromptSet Prompts()
    {
        Prompt[] prompts = [new() { Index = 0, Dataset = "d", Text = "ab", Question = "ab", Source = "d:1" }];
        return new(prompts, PromptForm.Plain(new ByteTokenizer()),
            new([new WorkItem(0, 0, [1, 69, 70], 2)], new HashSet<int>()), new(prompts, new(), "d"));
    }

    private sealed class NoSink : IResultSink
    {
        public void Append(IReadOnlyList<PromptRecord> prompts, IReadOnlyList<ResponseRecord> responses)
        {
        }
    }
}
