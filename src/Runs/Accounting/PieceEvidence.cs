using System.Text.Json;
using Harness.Common;
using Harness.Energy.Accounting;
using Harness.Energy.Records;
using Harness.Runs.Records;

namespace Harness.Runs.Accounting;

/// <summary>
/// What one start of a run measured, under the start's number.
/// </summary>
public sealed record PieceEvidence(int Number, EnergyEvidence Evidence)
{
    /// <summary>Takes the raw files of a start away: of one without a finished batch that counts, or one that is told anew.</summary>
    public static void Remove(string runDirectory, int start)
    {
        var directory = RunLayout.DirectoryOf(runDirectory, start);
        StorageFailure.Guard(directory, () =>
        {
            // energy.json first: without it what is left is no piece
            foreach (var file in new[] { RunFile.Energy, RunFile.Power, RunFile.Windows, RunFile.Steps, RunFile.Phases, RunFile.Ranks })
                File.Delete(file.In(directory));
        });
    }

    /// <summary>
    /// <c>power.csv</c>, <c>windows.jsonl</c>, <c>phases.csv</c> where they are known, <c>ranks.csv</c>, and at last <c>energy.json</c>.
    /// </summary>
    public void Write(string runDirectory, IEnumerable<RankRecord> ranks)
    {
        var energy = new EnergyAccount(Evidence);
        var directory = RunLayout.DirectoryOf(runDirectory, Number);
        WriteText(RunFile.Power.In(directory), text => PowerRecords.Write(text, Evidence.Series));
        WriteText(RunFile.Windows.In(directory), text => WindowRecords.Write(text, energy.Windows.Select(WindowRecord.Of)));
        if (Evidence.Phases is { } phases) AtomicFile.Write(RunFile.Phases.In(directory), stream => PhaseRecords.Write(stream, phases));
        AtomicFile.Write(RunFile.Ranks.In(directory), stream =>
        {
            CsvRows.WriteTable(stream,
                ranks.Select(row => (row with { Device = energy.DevicesOfRank(row.Rank) })
                    .With(energy.JoulesOfRank(row.Rank, row.Window), energy.PhasesOfRank(row.Rank, row.Window))));
        });
        AtomicFile.Write(RunFile.Energy.In(directory), stream => JsonSerializer.Serialize(stream, new { Evidence }, JsonRows.Document));
    }

    /// <summary>
    /// <c>steps.jsonl</c>, which names rows of the whole run: written when those are known, of every piece, since one that was told before
    /// may have lost rows.
    /// </summary>
    public void WriteSteps(string runDirectory, IEnumerable<Step> steps) =>
        AtomicFile.Write(RunFile.Steps.In(RunLayout.DirectoryOf(runDirectory, Number)), stream => JsonRows.Write(stream, steps));

    /// <summary>Adds to the first piece's <c>energy.json</c> the figures of the whole run's repeats, for people to read.</summary>
    public static void WriteFigures(string runDirectory, RunAccount account, IEnumerable<PromptRecord> rows, PieceEvidence first)
    {
        var figures = Figures(account, rows);
        AtomicFile.Write(RunFile.Energy.In(RunLayout.DirectoryOf(runDirectory, first.Number)), stream => JsonSerializer.Serialize(stream,
            new { first.Evidence, figures.Repeats, figures.EnergyPerOutputToken, figures.Phases }, JsonRows.Document));
    }

    /// <summary>What <see cref="WriteFigures"/> adds.</summary>
    public static EnergyFigures Figures(RunAccount account, IEnumerable<PromptRecord> rows) =>
        new(account.Repeats, account.JoulesPerToken(rows), account.Phases);

    /// <exception cref="UserErrorException">A file is missing or damaged.</exception>
    public static PieceEvidence Read(string runDirectory, int piece)
    {
        var reader = new RunReader(runDirectory);
        return new(piece, reader.Document(RunFile.Energy, piece, tree =>
            JsonRows.Checked<EnergyEvidence>(tree.GetProperty("evidence"))) with
        {
            Series = reader.Samples(piece),
            Windows = [.. reader.Windows(piece).Select(record => record.Window)],
            Phases = reader.Phases(piece),
        });
    }

    /// <exception cref="UserErrorException">The file is missing or damaged.</exception>
    public static IReadOnlyList<Step> ReadSteps(string runDirectory, int piece) =>
        new RunReader(runDirectory).Lines<Step>(RunFile.Steps, piece);

    private static void WriteText(string path, Action<TextWriter> content) => AtomicFile.Write(path, stream =>
    {
        using var text = new StreamWriter(stream, leaveOpen: true);
        content(text);
    });
}
