using Harness.Common;
using Harness.Energy.Accounting;
using Harness.Running;
using Harness.Runs;
using Harness.Runs.Pieces;

namespace Harness.Fuzz;

/// <summary>What a start that was cut off leaves for the next one: it is read as far as it is whole.</summary>
internal static class JournalTargets
{
    public static IReadOnlyList<Target> All { get; } =
    [
        new("journal/start", Grammar.BatchJournal, Starts, scratch => input =>
        {
            scratch.Write(RunFile.Journal.Name, input);
            _ = StartJournal.Read(scratch.Path).Windows.Count(entry => entry.HasEnded);
            _ = StartJournal.Batches(scratch.Path).Count();
        }),
        new("journal/batch", new(JsonInBatch, JsonInBatch, ByteMutations.Change), Batches, scratch => input =>
        {
            File.Delete(RunFile.Journal.In(scratch.Path));
            using (var journal = new StartJournal(scratch.Path)) journal.Append(input);
            _ = BatchReport.In(scratch.Path).Count();
        }),
        new("journal/energy", Grammar.BatchJournal, EnergyJournals, scratch => input =>
        {
            scratch.Write(RunFile.EnergyJournal.OfRank(0).Name, input);
            if (EnergyJournal.Read(scratch.Path, 0) is { } journal)
                EnergyReport.FromJournal(journal.Head, journal.Readings)?.On(domain => domain).OnRunClock();
        }),
    ];

    private static IReadOnlyList<byte[]> Starts()
    {
        using var scratch = new Scratch();
        using (var journal = new StartJournal(scratch.Path))
        {
            journal.Append(new JournalWindow(new("idle", WindowKind.Idle, 0, 1), null));
            journal.Append(new JournalWindow(new("measured-1", WindowKind.Measured, 1, 3, 1), 2));
        }
        return [File.ReadAllBytes(RunFile.Journal.In(scratch.Path))];
    }

    /// <summary>The steps stand in JSON at the end, behind their length.</summary>
    private static byte[] JsonInBatch(byte[] input, byte[] other, SplitMix64 random)
    {
        var at = input.AsSpan().IndexOf("[{"u8);
        if (at < sizeof(int)) return ByteMutations.Change(input, other, random);
        var json = JsonMutations.Change(input[at..], other, random);
        return [.. input[..(at - sizeof(int))], .. BitConverter.GetBytes(json.Length), .. json];
    }

    private static IReadOnlyList<byte[]> Batches() =>
    [
        new BatchReport(1, 0, 0, 3, 12.5,
            [new(4, true, 10, null, [5, 6, 2], [10.5, 11, 12]), new(5, false, 10, 0.25, [7], [10.5])],
            [
                new()
                {
                    Repeat = 1, Replica = 0, Batch = 3, MicroBatch = 0, Kind = StepKind.Prefill, StartSeconds = 10, EndSeconds = 10.5,
                    Rows = [4, 5], Tokens = [17, 9],
                },
                new()
                {
                    Repeat = 1, Replica = 0, Batch = 3, MicroBatch = 0, Kind = StepKind.Mixed, StartSeconds = 10.5, EndSeconds = 11,
                    Rows = [4, null], Tokens = [1, 8], DecodeRows = 1,
                },
            ]).Serialize(),
    ];

    private static IReadOnlyList<byte[]> EnergyJournals()
    {
        var head = """
            {"Rank":0,"Sensors":[{"device":"node-1/GPU-0","counter_update_s":0.02,"counter_step_j":1,"power_update_s":null,
            "read_s":0.001}],"Domains":[{"Host":"node-1","Device":"GPU-0","Kind":0,"Source":"nvml","Name":"H100"}],"Facts":[],
            "Cost":{"samples":1,"missed_deadlines":0,"latest_s":0,"cpu_s":0,"wall_s":1,"allocated_bytes":0},
            "Clock":{"Start":{"offset_s":0,"uncertainty_s":0,"at_s":0},
            "End":{"offset_s":0,"uncertainty_s":0,"at_s":0}},"OriginUtc":"2026-01-02T03:04:05+00:00"}
            """.ReplaceLineEndings("");
        using var scratch = new Scratch();
        using (new EnergyJournal(scratch.Path, 0, head)) { }
        return [File.ReadAllBytes(RunFile.EnergyJournal.OfRank(0).In(scratch.Path))];
    }
}
