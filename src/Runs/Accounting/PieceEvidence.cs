using System.Text.Json;
using Harness.Common;
using Harness.Energy.Accounting;
using Harness.Energy.Records;
using Harness.Runs.Records;

namespace Harness.Runs.Accounting;

/// <summary>
/// What one start of a run measured. The first piece's files lie in the run directory, those of piece N in <c>piece-N</c>.
/// </summary>
public sealed record PieceEvidence(int Number, EnergyEvidence Evidence)
{
    /// <summary>Where a piece's raw files lie.</summary>
    public static string DirectoryOf(string runDirectory, int piece) => RunLayout.PieceDirectory(runDirectory, piece);

    /// <summary>Numbers of the pieces that a run directory has.</summary>
    public static IReadOnlyList<int> In(string runDirectory) => RunLayout.PiecesIn(runDirectory);

    /// <summary>Whether the piece's figures are on disk as a whole, however it ended.</summary>
    public static bool IsConcluded(string runDirectory, int piece) =>
        File.Exists(Path.Combine(DirectoryOf(runDirectory, piece), RunDirectory.EnergyFile));

    /// <summary>
    /// Makes a piece's directory and takes away what a start without a finished batch, or one that is told anew, may have left there and
    /// behind it.
    /// </summary>
    public static void Prepare(string runDirectory, int piece)
    {
        var directory = DirectoryOf(runDirectory, piece);
        StorageFailure.Guard(directory, () =>
        {
            Directory.CreateDirectory(directory);
            foreach (var file in new[] { RunDirectory.EnergyFile, RunDirectory.PowerFile, RunDirectory.WindowsFile, RunDirectory.StepsFile,
                RunDirectory.RanksFile })
                File.Delete(Path.Combine(directory, file));
            for (var later = piece + 1; Directory.Exists(DirectoryOf(runDirectory, later)); later++)
                Directory.Delete(DirectoryOf(runDirectory, later), recursive: true);
        });
    }

    /// <summary><c>power.csv</c>, <c>windows.jsonl</c>, <c>steps.jsonl</c>, <c>ranks.csv</c>, and at last <c>energy.json</c>.</summary>
    public void Write(string runDirectory, IEnumerable<Step> steps, IEnumerable<RankRecord> ranks)
    {
        var energy = new EnergyAccount(Evidence);
        string PathOf(string file) => Path.Combine(DirectoryOf(runDirectory, Number), file);
        WriteText(PathOf(RunDirectory.PowerFile), text => PowerRecords.Write(text, Evidence.Series));
        WriteText(PathOf(RunDirectory.WindowsFile), text => WindowRecords.Write(text, energy.Windows.Select(WindowRecord.Of)));
        AtomicFile.Write(PathOf(RunDirectory.StepsFile), stream => JsonRows.Write(stream, steps));
        AtomicFile.Write(PathOf(RunDirectory.RanksFile), stream =>
        {
            CsvRows.WriteTable(stream,
                ranks.Select(row => row with
                {
                    EnergyJoules = energy.JoulesOfRank(row.Rank, row.Window),
                    Device = energy.DevicesOfRank(row.Rank)
                }));
        });
        AtomicFile.Write(PathOf(RunDirectory.EnergyFile), stream => JsonSerializer.Serialize(stream, new { Evidence }, JsonRows.Document));
    }

    /// <summary>Adds to the first piece's <c>energy.json</c> the figures of the whole run's repeats, for people to read.</summary>
    public static void WriteFigures(string runDirectory, RunAccount account, IEnumerable<PromptRecord> rows, PieceEvidence first)
    {
        var figures = Figures(account, rows);
        AtomicFile.Write(Path.Combine(runDirectory, RunDirectory.EnergyFile), stream => JsonSerializer.Serialize(stream,
            new { first.Evidence, figures.Repeats, figures.EnergyPerOutputToken }, JsonRows.Document));
    }

    /// <summary>What <see cref="WriteFigures"/> adds.</summary>
    public static EnergyFigures Figures(RunAccount account, IEnumerable<PromptRecord> rows) =>
        new(account.Repeats, account.JoulesPerToken(rows));

    /// <exception cref="UserErrorException">A file is missing or damaged.</exception>
    public static PieceEvidence Read(string runDirectory, int piece)
    {
        var reader = new RunReader(runDirectory);
        return new(piece, reader.Document(RunFile.Energy, piece, tree =>
            JsonRows.Checked<EnergyEvidence>(tree.GetProperty("evidence"))) with
        {
            Series = reader.Samples(piece),
            Windows = [.. reader.Windows(piece).Select(record => record.Window)],
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
