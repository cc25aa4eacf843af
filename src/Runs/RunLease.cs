using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Harness.Common;

namespace Harness.Runs;

/// <summary>
/// Says that a process has a run: <c>alive.json</c> in the directory of the run's start, written anew every few seconds while the process
/// lives. No file lock, and nothing that hangs on two machines' clocks being alike: who asks from elsewhere waits to see whether the file
/// changes. Only of a file that says nothing, or is not there yet, it counts whether that is minutes old.
/// </summary>
public sealed class RunLease : IDisposable
{
    private const string Ended = "ended";
    private static readonly TimeSpan s_beat = TimeSpan.FromSeconds(4);

    /// <summary>Three beats: one may be late, and NFS shows another node's writes a few seconds later.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(12);

    /// <summary>More than what clocks of machines that share storage differ by.</summary>
    private static readonly TimeSpan s_oblivion = 10 * s_patience;

    private sealed record Holder(
        [property: JsonPropertyName("host"), JsonRequired] string Host,
        [property: JsonPropertyName("process")] int Process,
        [property: JsonPropertyName("started")] string Started,
        [property: JsonPropertyName("job")] string? Job,
        [property: JsonPropertyName("restarts")] int Restarts,
        [property: JsonPropertyName("beat")] long Number);

    /// <summary>The file as it was at one moment.</summary>
    /// <param name="Holder">Null where it is empty or damaged.</param>
    private sealed record Sight(Holder? Holder, string Content, DateTime WrittenUtc);

    private readonly string _path;
    private readonly Timer _timer;
    private readonly Lock _gate = new();
    private long _beat;
    private bool _ended;

    private RunLease(string directory)
    {
        _path = RunFile.Lease.In(directory);
        Write(StartOf(Environment.ProcessId) ?? "");
        _timer = new Timer(_ => Write(StartOf(Environment.ProcessId) ?? ""), null, s_beat, s_beat);
    }

    public static RunLease Take(string directory) => new(directory);

    /// <summary>
    /// Who has the run that lies in this directory, as host and process; null where nobody does any more. May wait some seconds.
    /// </summary>
    public static string? LivingHolder(string directory)
    {
        var path = RunFile.Lease.In(directory);
        var first = Look(path);
        if (first?.Holder is { Started: Ended }) return null;
        // Between the making of a directory and the lease in it lies a moment.
        if (first?.Holder == null && (first?.WrittenUtc ?? Directory.GetCreationTimeUtc(directory)) < DateTime.UtcNow - s_oblivion)
            return null;
        if (first?.Holder is { } known && IsSameMachine(known)) return IsRunning(known) ? Describe(known) : null;
        if (first?.Holder is { } other && IsEarlierStartOfThisJob(other)) return null;
        for (var waited = Stopwatch.StartNew(); waited.Elapsed < s_patience;)
        {
            Thread.Sleep(500);     // a file on storage that another machine writes has no event
            if (Look(path) is not { } now || now == first) continue;
            if (now.Holder == null) return $"a process that renews {path}, which says nothing of it";
            return now.Holder.Started == Ended ? null : Describe(now.Holder);
        }
        return null;
    }

    /// <summary>When the holder was last seen alive; null where there never was one.</summary>
    public static DateTimeOffset? LastBeat(string directory)
    {
        var path = RunFile.Lease.In(directory);
        return File.Exists(path) ? new DateTimeOffset(File.GetLastWriteTimeUtc(path), TimeSpan.Zero) : null;
    }

    /// <summary>Says that the process has let go, however it went.</summary>
    public void Dispose()
    {
        _timer.Dispose();
        lock (_gate)
        {
            if (_ended) return;
            Write(Ended);
            _ended = true;
        }
    }

    /// <summary>Whole or not at all, but not flushed to the storage: a beat that is lost is followed by another.</summary>
    private void Write(string started)
    {
        lock (_gate)
        {
            if (_ended || !Directory.Exists(Path.GetDirectoryName(_path))) return;
            var (job, restarts) = Slurm();
            var holder = new Holder(Here(), Environment.ProcessId, started, job, restarts, _beat++);
            try { AtomicFile.WriteUnflushed(_path, Encoding.UTF8.GetBytes(JsonSerializer.Serialize(holder))); }
            // results are what a full disk must be told of
            catch (Exception e) when (e is IOException or UnauthorizedAccessException) { }
        }
    }

    /// <summary>Null where there is no such file.</summary>
    private static Sight? Look(string path)
    {
        try
        {
            var (written, content) = (File.GetLastWriteTimeUtc(path), File.ReadAllText(path));
            return new(HolderIn(content), content, written);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return File.Exists(path) ? new(null, "", File.GetLastWriteTimeUtc(path)) : null;
        }
    }

    private static Holder? HolderIn(string content)
    {
        try { return JsonSerializer.Deserialize<Holder>(content) is { Host: not null, Started: not null } holder ? holder : null; }
        catch (JsonException) { return null; }
    }

    private static string Describe(Holder holder) => string.Create(CultureInfo.InvariantCulture,
        $"process {holder.Process} on {holder.Host.Split('/')[0]}{(holder.Job is { } job ? $", job {job}" : "")}");

    private static bool IsSameMachine(Holder holder) => holder.Host == Here();

    private static bool IsRunning(Holder holder) => StartOf(holder.Process) == holder.Started;

    /// <summary>A requeued job has its old id: whatever held the run under it has ended.</summary>
    private static bool IsEarlierStartOfThisJob(Holder holder) =>
        Slurm() is ({ } job, var restarts) && job == holder.Job && restarts > holder.Restarts;

    private static (string? Job, int Restarts) Slurm() => (Environment.GetEnvironmentVariable("SLURM_JOB_ID"),
        int.TryParse(Environment.GetEnvironmentVariable("SLURM_RESTART_COUNT"), CultureInfo.InvariantCulture, out var count) ? count : 0);

    /// <summary>The host's name for people, and where process ids mean something: machines and containers may share a name.</summary>
    private static string Here() => $"{Environment.MachineName}/{Machine.ProcessPlace}";

    /// <summary>
    /// When a process started, in the system's own words; null where it does not run: one that was killed and that its parent has not
    /// asked after has ended. Process ids are used again.
    /// </summary>
    private static string? StartOf(int process)
    {
        try
        {
            if (OperatingSystem.IsLinux())
            {
                // proc(5): fields 3 and 22 of stat, state and starttime; the name in field 2 may hold anything up to its closing bracket.
                var fields = File.ReadAllText($"/proc/{process}/stat").Split(')')[^1].Split(' ');
                return fields[1] is "Z" or "X" or "x" ? null : fields[20];
            }
            using var found = Process.GetProcessById(process);
            return found.StartTime.ToUniversalTime().ToString("O", CultureInfo.InvariantCulture);
        }
        catch (Exception e) when (e is IOException or ArgumentException or InvalidOperationException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
