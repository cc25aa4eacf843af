using Harness.Common;
using Harness.Reports.Collecting;
using Harness.Runs;
using Harness.Runs.Pieces;
using Harness.Runs.Records;
using Harness.Tests.Runs.Records;

namespace Harness.Tests.Reports.Collecting;

/// <summary>Slurm's joules, from a stand-in for <c>sacct</c>: a cluster without an energy plug-in has none to give.</summary>
[TestFixture, Platform("Linux"), System.Runtime.Versioning.SupportedOSPlatform("linux")]
public sealed class SlurmEnergyTests
{
    private const string Answer = """
        11||
        11.batch|1|70000
        11.0|2|90000
        11.extern|2|
        12.0|2|0
        13.0|1|500
        13.1|1|600
        14.3|1|18446744073709551614
        """;

    private ScratchDirectory _scratch = null!;
    private StringWriter _log = null!;

    [SetUp]
    public void SetUp() => (_scratch, _log) = (new ScratchDirectory(), new StringWriter());

    [TearDown]
    public void TearDown() => _scratch.Dispose();

    private void Run(string id, double? joules, params StartRecord[] starts)
    {
        var summary = Samples.Summary(id) with { Energy = new() { Total = joules } };
        Directory.CreateDirectory(_scratch[id]);
        AtomicFile.Write(_scratch[id, RunFile.Summary.Name], stream => CsvRows.WriteTable(stream, [summary]));
        AtomicFile.Write(_scratch[id, RunFile.Manifest.Name], stream =>
            new Manifest(summary) { [StartRecord.Section] = starts }.Write(stream));
    }

    private static StartRecord In(string? job, string? step, int nodes, int start = 1) => new()
    {
        Start = start,
        Job = job,
        Step = step,
        Hosts = [.. Enumerable.Range(0, 2 * nodes).Select(rank => $"node{rank / 2}")],
        Batches = 3,
    };

    private (int Code, Dictionary<string, (string Joules, string Ratio)> Rows) Collect(string script)
    {
        var program = _scratch.File("sacct", $"#!/bin/sh\necho \"$@\" >> {_scratch["asked"]}\n{script}\n");
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        var code = new Collect(TextWriter.Null, new SlurmAccounting(program)).Run([_scratch.Path], _scratch["all.csv"], _log);
        return (code, CsvTable.Read(_scratch["all.csv"]).ToDictionary(row => row["run_id"],
            row => (row["slurm_energy_j"], row["slurm_energy_ratio"])));
    }

    [Test]
    public void TheJoulesAreThoseOfTheRunsOwnStepOnAllItsNodes()
    {
        Run("both-nodes", 45000, In("11", null, 2));
        Run("nothing-counted", 100, In("12", "0", 2));
        Run("told-step", 300, In("13", "1", 1));
        Run("no-value", 300, In("14", "3", 1));
        Run("no-job", 300, In(null, null, 1));
        Run("no-energy-of-ours", null, In("13", "0", 1));

        var (code, rows) = Collect($"cat <<END\n{Answer}\nEND");

        Assert.That(code, Is.Zero, _log.ToString());
        Assert.That(rows, Is.EquivalentTo(new Dictionary<string, (string, string)>
        {
            ["both-nodes"] = ("90000", "2"),        // neither the batch step, on one node, nor the sum of steps at one time
            ["nothing-counted"] = ("", ""),
            ["told-step"] = ("600", "2"),
            ["no-value"] = ("", ""),
            ["no-job"] = ("", ""),
            ["no-energy-of-ours"] = ("500", ""),
        }));
        Assert.That(File.ReadAllLines(_scratch["asked"]),
            Is.EqualTo(new[] { "--noheader --parsable2 --format=JobIDRaw,NNodes,ConsumedEnergyRaw --jobs=11,12,13,14" }), "asked once");
        Assert.That(_log.ToString(), Does.Contain("Slurm has joules of 3 of 6 runs"));
    }

    [Test]
    public void StartsOfOneRunAddUp()
    {
        Run("continued", 900, In("13", "0", 1), In("13", "1", 1, start: 2));

        Assert.That(Collect($"cat <<END\n{Answer}\nEND").Rows["continued"].Joules, Is.EqualTo("1100"));
    }

    [Test]
    public void WhatCannotBeToldIsEmptyWithALine()
    {
        Run("which", 300, In("13", null, 1));
        Run("elsewhere", 300, In("11", "0", 3));
        Run("requeued", 300, In("14", "3", 1), In("14", "3", 1, start: 2));

        var (code, rows) = Collect($"cat <<END\n{Answer}\nEND");

        Assert.That((code, rows.Values.Distinct().Single()), Is.EqualTo((0, ("", ""))));
        Assert.That(_log.ToString(), Does.Contain("which of the steps 0, 1 of job 13 it was is not told")
            .And.Contain("job 11 has no step of its 3 nodes").And.Contain("job 14 was requeued"));
    }

    [Test]
    public void AStepOfSeveralRunsIsNoFigureOfOne()
    {
        Run("cap-250", 300, In("13", "0", 1));
        Run("cap-150", 200, In("13", "0", 1));

        Assert.That(Collect($"cat <<END\n{Answer}\nEND").Rows.Values.Distinct().Single(), Is.EqualTo(("", "")));
        Assert.That(_log.ToString(), Does.Contain("step 13.0 had 2 runs"));
    }

    [Test]
    public void WhereTheAccountingDoesNotAnswerTheRestIsCollected()
    {
        Run("a", 300, In("11", "0", 2));

        var (code, rows) = Collect("echo 'Slurm accounting storage is disabled' >&2; exit 1");

        Assert.That((code, rows["a"]), Is.EqualTo((1, ("", ""))));
        Assert.That(_log.ToString(), Does.Contain("failed with exit code 1: Slurm accounting storage is disabled"));
        Assert.That(new Collect(TextWriter.Null, new SlurmAccounting("no-such-sacct")).Run([_scratch.Path], _scratch["all.csv"], _log),
            Is.EqualTo(1));
        Assert.That(_log.ToString(), Does.Contain("no-such-sacct cannot be started"));
    }
}
