using System.Globalization;
using Harness.Common;

namespace Harness.Running;

/// <summary>
/// What a rank has to say: rank 0 to the terminal, the others to <c>rank-N.log</c> in the run directory, so that 32 ranks do not
/// speak at once.
/// </summary>
internal sealed class RankLog(int rank, Action<string> terminal)
{
    private string? _file;

    /// <summary>The run directory, once it is there.</summary>
    public string Directory { get; private set; } = "";

    /// <summary>From now on the run directory is there to be written to.</summary>
    public void Open(string runDirectory)
    {
        Directory = runDirectory;
        if (rank > 0) _file = Path.Combine(runDirectory, string.Create(CultureInfo.InvariantCulture, $"rank-{rank:000}.log"));
    }

    public void Note(string line)
    {
        if (rank == 0) terminal(line);
        if (_file == null) return;
        try { File.AppendAllText(_file, string.Create(CultureInfo.InvariantCulture, $"{DateTime.UtcNow:O} {VisibleText.Of(line)}\n")); }
        catch (IOException) { _file = null; }       // a full disk must not end a run for the sake of a log
    }

    /// <summary>Only from rank 0: what is true of all ranks.</summary>
    public void NoteOnce(string line)
    {
        if (rank == 0) terminal(line);
    }
}
