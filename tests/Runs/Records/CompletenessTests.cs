using Harness.Runs;
using Harness.Runs.Records;

namespace Harness.Tests.Runs.Records;

/// <summary>Prompts × repeats, by counting on one's fingers.</summary>
internal sealed class CompletenessTests
{
    private static List<PromptRecord> Rows(int prompts, int repeats, int passes = 1, int unfit = 0) =>
    [
        .. from repeat in Enumerable.Range(1, repeats)
           from prompt in Enumerable.Range(0, prompts)
           from pass in Enumerable.Range(0, prompt < unfit ? 1 : passes)
           select Samples.Prompt(prompt, prompt < unfit ? FinishReason.ContextLength : FinishReason.Eos) with { Repeat = repeat },
    ];

    [TestCase(40, 2, 1, 0, 2)]
    [TestCase(40, 3, 4, 0, null)]
    [TestCase(5, 2, 3, 2, null)]
    [TestCase(3, 2, 1, 3, 2)]
    public void AWholeRunHasNoGaps(int prompts, int repeats, int passes, int unfit, int? asked) =>
        Assert.That(Completeness.Gaps(Rows(prompts, repeats, passes, unfit), prompts, asked), Is.Empty);

    [Test]
    public void WhatIsMissingIsNamed()
    {
        var rows = Rows(40, 2);
        Assert.That(Completeness.Gaps(rows[..64], 40, 2), Is.EqualTo(new[] { "repeat 2 has answers to 24 of 40 prompts" }));
        Assert.That(Completeness.Gaps(rows[..40], 40, 2), Is.EqualTo(new[] { "repeat 2 of 2 has no answers" }));
        Assert.That(Completeness.Gaps(rows, 40, 1), Is.EqualTo(new[] { "there are answers of a repeat 2, and the run has 1" }));
        Assert.That(Completeness.Gaps([.. rows, rows[0]], 40, 2),
            Is.EqualTo(new[] { "repeat 1 has 1 answer to some prompts and 2 to others" }));
        Assert.That(Completeness.Gaps([.. Rows(3, 1, unfit: 1), Rows(3, 1, unfit: 1)[0]], 3, 1),
            Is.EqualTo(new[] { "repeat 1 has several rows of a prompt that does not fit" }));
    }

    [TestCase(40, 80, 0, 2, true)]
    [TestCase(40, 78, 2, 2, true)]
    [TestCase(40, 0, 80, 2, true)]
    [TestCase(40, 64, 0, 2, false)]
    [TestCase(40, 40, 0, 2, false)]
    [TestCase(40, 64, 0, null, false)]
    [TestCase(40, 79, 1, 2, false)]
    [TestCase(40, 120, 0, null, true)]
    [TestCase(40, 38 * 9, 2 * 3, null, true)]
    [TestCase(40, 38 * 2, 2 * 3, null, false)]
    [TestCase(40, 0, 0, null, false)]
    public void TheCountsOfASummaryTell(int prompts, int completed, int failed, int? repeats, bool whole)
    {
        var objection = Completeness.Objection(RunStatus.Complete, prompts, completed, failed, repeats);
        Assert.That(objection == null, Is.EqualTo(whole), objection);
        Assert.That(Completeness.Objection(RunStatus.Interrupted, prompts, completed, failed, repeats), Is.Null);
    }
}
