using Harness.Runs;
using Harness.Runs.Pieces;

namespace Harness.Tests.Runs.Pieces;

/// <summary>Which run a start goes on with, whatever else lies in the same directory.</summary>
[Parallelizable(ParallelScope.All), FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class UnfinishedRunTests : IDisposable
{
    private const string Identity = "0a1b2c";

    private readonly ScratchDirectory _scratch = new();

    public void Dispose() => _scratch.Dispose();

    private UnfinishedRun? Claim(string? name, out string? takenBy) =>
        UnfinishedRun.Claim(_scratch.Path, name, Identity, out takenBy);

    private void Manifest(string run, string json)
    {
        _scratch.File($"{run}/manifest.json", json);
        RunLease.Take(_scratch[run]).Dispose();
    }

    [Test]
    public void ItIsTheOneOfTheSameIdentity()
    {
        Manifest("a", """{"run": {"schema_version": 2, "run_id": "r", "status": "incomplete"}, "identity": "0a1b2c"}""");
        var found = Claim(null, out _)!;
        Assert.That((found.Directory, found.Start, found.RunId), Is.EqualTo((_scratch["a"], 2, "r")));
        Assert.That(Directory.Exists(_scratch["a", "piece-2"]), "claimed for it alone");
    }

    [Test]
    public void WhatAnotherVersionBeganIsLeftToIt()
    {
        Manifest("a", """{"identity": "0a1b2c", "software": {"harness": "0.9.1+abc"}}""");
        Assert.That(Claim("a", out var takenBy), Is.Null);
        Assert.That(takenBy, Does.StartWith("it was begun by harness 0.9.1+abc, which can go on with it; this is "));
        Assert.That(Claim(null, out _), Is.Null);
    }

    [TestCase("batches.partial.bin")]
    [TestCase("windows.partial.jsonl")]
    public void JournalsOfTheOlderFormAreLeftToTheirVersion(string file)
    {
        Manifest("a", """{"identity": "0a1b2c"}""");
        _scratch.File($"a/{file}", "");
        Assert.That(Claim("a", out var takenBy), Is.Null);
        Assert.That(takenBy, Is.EqualTo("its journals are of another form; the version that began it can go on with it"));
        Assert.That(Directory.GetDirectories(_scratch["a"]), Is.Empty, "it is left as it is");
    }

    /// <summary>Other programs' manifest.json, other versions', damaged ones: none of it is this run, and none ends it.</summary>
    [Test]
    public void AManifestOfAnyShapeIsNotOurs([Values(
        """{"identity": 7}""", """{"identity": {"a": "0a1b2c"}}""", """{"identity": ["0a1b2c"]}""", """{"identity": null}""",
        """{"identity": true}""", """{"identity": "0a1b2c", "identity": "0a1b2c"}""", """{"identity": "\ud800"}""",
        "[]", "7", "null", "", "{", """{"run": 7}""",
        """{"identity": "0a1b2c", "starts": 7}""",
        """{"identity": "0a1b2c", "starts": [7]}""", """{"identity": "0a1b2c", "starts": [null]}""",
        """{"identity": "0a1b2c", "starts": {"start": 1}}""", """{"\ud800": 1, "identity": "0a1b2c"}""")] string json, [Values] bool isNamed)
    {
        Manifest("a", json);
        Assert.That(Claim(isNamed ? "a" : null, out var takenBy), Is.Null);
        Assert.That(takenBy, isNamed ? Is.Not.Null : Is.Null);
        Assert.That(Directory.GetDirectories(_scratch["a"]), Is.Empty, "it is left as it is");
    }

    [Test]
    public void ASectionRunOfAnyShapeLeavesTheRunItsOwn([Values("7", "[]", "null", "{}", """{"run_id": 7}""", """{"status": {}}""")] string run)
    {
        Manifest("a", $$"""{"run": {{run}}, "identity": "0a1b2c"}""");
        Assert.That(Claim("a", out _)!.RunId, Is.Null);
    }
}
