using Harness.Common;
using Harness.Fuzz;

namespace Harness.Tests.Robustness;

/// <summary>
/// Every parser under damaged inputs: each is read, or refused with a line for the user; none ends in an exception, takes long, or takes
/// much memory. The short form of a campaign (docs/fuzzing.md): always the same inputs.
/// </summary>
[TestFixture, Parallelizable(ParallelScope.All)]
internal sealed class ParserTests
{
    private const int Inputs = 400;
    private const ulong Seed = 1;

    private static readonly Limits s_limits = new();

    [TestCaseSource(typeof(Targets), nameof(Targets.All))]
    public void ADamagedInputIsReadOrRefused(Target target)
    {
        var outcome = new Campaign(target, Seed, Inputs, s_limits).Run();
        Assert.That(outcome.Findings.Select(finding => $"{finding.Count} x {finding.Kind}: {finding.What}"), Is.Empty);
    }

    /// <summary>Inputs are made from these: of one that is refused nothing leads behind the first check.</summary>
    [TestCaseSource(typeof(Targets), nameof(Targets.All))]
    public void ASeedIsRead(Target target)
    {
        var outcome = new Campaign(target, Seed, target.Seeds().Count * target.Cost, s_limits).Run();
        Assert.That((outcome.Refused, outcome.Findings.Count), Is.EqualTo((0, 0)));
    }

    [Test]
    public void TheSeedRunVerifies()
    {
        using var scratch = new Scratch();
        SeedRun.CopyTo(scratch.Path);
        Assert.That(new Harness.Runs.Verifying.RunVerification(scratch.Path).Check(), Is.Empty);
    }

    private static Outcome Try(Action<byte[]> parse, Limits limits, int inputs = 200) =>
        new Campaign(new("planted", Grammar.Json, () => Seeds.Of("""{"layers":2,"name":"x"}"""), _ => parse), Seed, inputs, limits).Run();

    /// <summary>The net itself: what is planted in a parser is found.</summary>
    [Test]
    public void AnExceptionIsFound()
    {
        var outcome = Try(input =>
        {
            using var json = System.Text.Json.JsonDocument.Parse(input);
        }, s_limits);
        Assert.That(outcome.Findings.Select(finding => finding.Kind), Has.Some.StartsWith("JsonReaderException"));
    }

    [Test]
    public void AnObjectionIsNone()
    {
        var outcome = Try(_ => throw new UserErrorException("layers is 2, expected 1"), s_limits);
        Assert.That((outcome.Refused, outcome.Wordings, outcome.Findings.Count), Is.EqualTo((200, 1, 0)));
    }

    [Test]
    public void WhatDoesNotEndIsFound()
    {
        using var end = new CancellationTokenSource();
        var outcome = Try(_ =>
        {
            while (!end.IsCancellationRequested) Thread.SpinWait(100);
        }, s_limits with { Seconds = 0.05, EndlessSeconds = 0.1 }, inputs: 1);
        end.Cancel();
        Assert.That(outcome.Findings.Select(finding => finding.Kind), Is.EqualTo(new[] { "does not end" }));
    }

    [Test]
    public void WhatTakesMuchMemoryIsFound()
    {
        var outcome = Try(input => GC.KeepAlive(new byte[2_000_000]), s_limits with { Bytes = 1_000_000, BytesPerByte = 1 });
        Assert.That(outcome.Findings.Select(finding => finding.Kind), Is.EqualTo(new[] { "allocates much" }));
    }

    [Test]
    public void TheSameSeedMakesTheSameInputs()
    {
        List<string> Inputs()
        {
            var inputs = new List<string>();
            Try(input => inputs.Add(Convert.ToHexString(input)), s_limits);
            return inputs;
        }
        var (once, twice) = (Inputs(), Inputs());
        Assert.That(twice, Is.EqualTo(once).And.Property("Count").EqualTo(200));
    }
}
