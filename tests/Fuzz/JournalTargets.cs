using System.Text;
using Harness.Energy.Accounting;
using Harness.Runs;
using Harness.Runs.Pieces;
using Harness.Running;

namespace Harness.Fuzz;

/// <summary>What a start that was cut off leaves for the next one: it is read as far as it is whole.</summary>
internal static class JournalTargets
{
    public static IReadOnlyList<Target> All { get; } =
    [
        new("journal/batches", Grammar.BatchJournal, Batches, scratch => input =>
        {
            scratch.Write(RunFile.BatchJournal.Name, input);
            foreach (var batch in BatchJournal.Read(scratch.Path)) BatchReport.Deserialize(batch);
        }),
        new("journal/windows", Grammar.Json, Windows, scratch => input =>
        {
            scratch.Write(RunFile.WindowJournal.Name, input);
            _ = WindowJournal.Read(scratch.Path).Count(entry => WindowJournal.HasEnded(entry.Window));
        }),
        new("journal/energy", Grammar.JsonThenCsv, EnergyJournals, scratch => input =>
        {
            scratch.Write(RunFile.EnergyJournal.OfRank(0).Name, input);
            if (EnergyJournal.Read(scratch.Path, 0) is { } journal)
                EnergyReport.FromJournal(journal.Head, journal.Readings)?.On(domain => domain).OnRunClock();
        }),
    ];

    private static IReadOnlyList<byte[]> Batches()
    {
        using var scratch = new Scratch();
        using (var journal = new BatchJournal(scratch.Path))
        {
            journal.Append(Seeds.BatchEntry());
            journal.Append(Seeds.BatchEntry());
        }
        return [File.ReadAllBytes(RunFile.BatchJournal.In(scratch.Path))];
    }

    private static IReadOnlyList<byte[]> Windows()
    {
        using var scratch = new Scratch();
        WindowJournal.Append(scratch.Path, new(new("idle", WindowKind.Idle, 0, 1), null));
        WindowJournal.Append(scratch.Path, new(new("measured-1", WindowKind.Measured, 1, 3, 1), 2));
        return [File.ReadAllBytes(RunFile.WindowJournal.In(scratch.Path))];
    }

    private static IReadOnlyList<byte[]> EnergyJournals()
    {
        var head = """
            {"Rank":0,"Sensors":[{"device":"node-1/GPU-0","counter_update_s":0.02,"counter_step_j":1,"power_update_s":null,
            "read_s":0.001}],"Domains":[{"Host":"node-1","Device":"GPU-0","Kind":0,"Source":"nvml","Name":"H100"}],"Facts":[],
            "Cost":{"samples":1,"missed_deadlines":0,"latest_s":0,"cpu_s":0,"wall_s":1,"allocated_bytes":0},
            "Clock":{"Start":{"offset_s":0,"uncertainty_s":0,"at_s":0},
            "End":{"offset_s":0,"uncertainty_s":0,"at_s":0}},"OriginUtc":"2026-01-02T03:04:05+00:00"}
            """.ReplaceLineEndings("");
        return [[.. Encoding.UTF8.GetBytes(head + "\n"), .. SeedRun.Files[RunDirectory.PowerFile]]];
    }
}
