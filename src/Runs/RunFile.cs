using System.Globalization;
using Harness.Common;
using Harness.Energy.Control;

namespace Harness.Runs;

/// <summary>Which directory a file of a run lies in.</summary>
public enum RunFilePlace
{
    /// <summary>The run's own.</summary>
    Run,

    /// <summary>Of each start: the run directory for the first, <c>piece-N</c> for the others.</summary>
    Start,
}

/// <summary>A file of a run directory: what the names mean, who writes them and until when they are there. A new file is one row.</summary>
/// <param name="Name">With <c>NNN</c> for a rank's number in three digits, <c>N</c> for the number alone.</param>
/// <param name="Holds">What a reader finds in it.</param>
/// <param name="Writer">The ranks that write it.</param>
/// <param name="When">In a run's life.</param>
/// <param name="Stays">Whether a complete run has it.</param>
public sealed record RunFile(string Name, RunFilePlace Place, string Holds, string Writer, string When, bool Stays)
{
    private const string RankZero = "rank 0", EveryRankWithAMeter = "every rank that has a meter",
        AtTheEnd = "at a start's end", AsItComes = "as it comes";

    public static RunFile Summary { get; } = Lasting("summary.csv", RunFilePlace.Run,
        "one row: what ran, throughput, latency percentiles, joules, validity", "at a start's end, the last of all");

    public static RunFile Prompts { get; } = Lasting("prompts.csv", RunFilePlace.Run,
        "a row per prompt and repeat: tokens, TTFT, TPOT, latency, p99 of ITL, attributed joules, correctness", AtTheEnd);

    public static RunFile Categories { get; } = Lasting("categories.csv", RunFilePlace.Run,
        "the same per category of prompts, where they have one", AtTheEnd);

    public static RunFile Responses { get; } = Lasting("responses.jsonl", RunFilePlace.Run,
        "prompt, `output_ids`, text, inter-token times", AtTheEnd);

    public static RunFile Ranks { get; } = Lasting("ranks.csv", RunFilePlace.Start,
        "per rank and window: seconds, joules, bytes sent, time spent waiting, bytes of weights", AtTheEnd);

    public static RunFile Power { get; } = Lasting("power.csv", RunFilePlace.Start, "samples of every meter", AtTheEnd);

    public static RunFile Windows { get; } = Lasting("windows.jsonl", RunFilePlace.Start,
        "windows, and what each device did in them", AtTheEnd);

    public static RunFile Steps { get; } = Lasting("steps.jsonl", RunFilePlace.Start, "forward passes", AtTheEnd);

    public static RunFile Phases { get; } = Lasting("phases.csv", RunFilePlace.Start,
        "what each rank did with its time: prefill, decode, communication, waiting", AtTheEnd);

    public static RunFile Energy { get; } = Lasting("energy.json", RunFilePlace.Start,
        "sensor facts; with the four before what `verify` computes everything from", "at a start's end, the last of the piece");

    public static RunFile Carbon { get; } = Lasting("carbon.json", RunFilePlace.Run,
        "every term of the SCI, where intensity, PUE and embodied emissions were given", AtTheEnd);

    public static RunFile Manifest { get; } = Lasting("manifest.json", RunFilePlace.Run,
        "configuration as resolved and from where, versions, commit, hosts, starts", "when a start begins, and whenever more is known");

    public static RunFile RankLog { get; } = new("rank-NNN.log", RunFilePlace.Run,
        "what ranks behind the first have to say", "every rank but the first", AsItComes, Stays: true);

    public static RunFile PartialPrompts { get; } = Passing(AppendedFile<object>.PartialPath(Prompts.Name), RunFilePlace.Run,
        "rows of finished batches, without energy", RankZero);

    public static RunFile PartialResponses { get; } =
        Passing(AppendedFile<object>.PartialPath(Responses.Name), RunFilePlace.Run,
        "responses of finished batches", RankZero);

    public static RunFile Journal { get; } = Passing("journal.partial.bin", RunFilePlace.Start,
        "the start, its windows as they begin and end, finished batches with all that is known of them: what a run is continued from",
        RankZero);

    public static RunFile EnergyJournal { get; } = Passing("energy-rank-NNN.partial.bin", RunFilePlace.Start,
        "sensors of a rank, then its samples as in `power.csv`", EveryRankWithAMeter);

    public static RunFile Lease { get; } = new("alive.json", RunFilePlace.Start,
        "which process has the run", RankZero, "every 4 seconds while it lives", Stays: false);

    public static RunFile Restore { get; } = new(PowerControl.FileName(0).Replace("0", "N", StringComparison.Ordinal), RunFilePlace.Run,
        "power limits and clocks as they were", "ranks that change them", "before the first change, until all is put back", Stays: false);

    /// <summary>Every file, those that stay first.</summary>
    public static IReadOnlyList<RunFile> All { get; } =
    [
        Summary, Prompts, Categories, Responses, Ranks, Power, Windows, Steps, Phases, Energy, Carbon, Manifest, RankLog,
        PartialPrompts, PartialResponses, Journal, EnergyJournal, Lease, Restore,
    ];

    /// <summary>Where it lies.</summary>
    /// <param name="directory">Of the run or the start, by its place.</param>
    public string In(string directory) => Path.Combine(directory, Name);

    /// <summary>The file of one rank.</summary>
    public RunFile OfRank(int rank) =>
        this with { Name = Name.Replace("NNN", rank.ToString("000", CultureInfo.InvariantCulture), StringComparison.Ordinal) };

    private static RunFile Lasting(string name, RunFilePlace place, string holds, string when) =>
        new(name, place, holds, RankZero, when, Stays: true);

    private static RunFile Passing(string name, RunFilePlace place, string holds, string writer) =>
        new(name, place, holds, writer, AsItComes, Stays: false);
}
