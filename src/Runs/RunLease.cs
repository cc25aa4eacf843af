using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Harness.Runs;

/// <summary>
/// Says that a process has a run: <c>alive.json</c> in the run's (or its piece's) directory, written anew every few seconds
/// while the process lives. No file lock and no comparison of two machines' clocks: who asks from elsewhere waits to see
/// whether the file changes.
/// </summary>
public sealed class RunLease : IDisposable
{
    public const string FileName = "alive.json";
    private const string Ended = "ended";
    private static readonly TimeSpan Beat = TimeSpan.FromSeconds(4);

    /// <summary>Three beats: one may be late, and NFS shows another node's writes a few seconds later.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(12);

    private sealed record Holder(
        [property: JsonPropertyName("host")] string Host,
        [property: JsonPropertyName("process")] int Process,
        [property: JsonPropertyName("started")] string Started,
        [property: JsonPropertyName("job")] string? Job,
        [property: JsonPropertyName("restarts")] int Restarts,
        [property: JsonPropertyName("beat")] long Number);

    private readonly string _path;
    private readonly Timer _timer;
    private readonly Lock _gate = new();
    private long _beat;
    private bool _ended;

    private RunLease(string directory)
    {
        _path = Path.Combine(directory, FileName);
        Write(StartOf(Environment.ProcessId) ?? "");
        _timer = new Timer(_ => Write(StartOf(Environment.ProcessId) ?? ""), null, Beat, Beat);
    }

    public static RunLease Take(string directory) => new(directory);

    /// <summary>Who has the run that lies in this directory, as host and process; null where nobody does any more. May wait some seconds.</summary>
    public static string? LivingHolder(string directory)
    {
        var path = Path.Combine(directory, FileName);
        var first = Read(path);
        if (first is { Started: Ended }) return null;
        // Between the making of a directory and the lease in it lies a moment.
        if (first == null && Directory.GetCreationTimeUtc(directory) < DateTime.UtcNow - 10 * Patience) return null;
        if (first is { } known && IsSameMachine(known)) return IsRunning(known) ? Describe(known) : null;
        if (first != null && IsEarlierStartOfThisJob(first)) return null;
        for (var waited = Stopwatch.StartNew(); waited.Elapsed < Patience;)
        {
            Thread.Sleep(500);
            if (Read(path) is { } now && now != first) return Describe(now);
        }
        return null;
    }

    /// <summary>When the holder was last seen alive; null where there never was one.</summary>
    public static DateTimeOffset? LastBeat(string directory)
    {
        var path = Path.Combine(directory, FileName);
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

    /// <summary>Not flushed to the storage: a beat that is lost is followed by another.</summary>
    private void Write(string started)
    {
        lock (_gate)
        {
            if (_ended || !Directory.Exists(Path.GetDirectoryName(_path))) return;
            var (job, restarts) = Slurm();
            try { File.WriteAllText(_path, JsonSerializer.Serialize(new Holder(Machine(), Environment.ProcessId, started, job, restarts, _beat++))); }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException) { }      // results are what a full disk must be told of
        }
    }

    /// <summary>Null where there is none; one that is being written counts as another than any before it.</summary>
    private static Holder? Read(string path)
    {
        try { return JsonSerializer.Deserialize<Holder>(File.ReadAllText(path)); }
        catch (JsonException) { return new("?", 0, "", null, 0, Stopwatch.GetTimestamp()); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { return null; }
    }

    private static string Describe(Holder holder) => string.Create(CultureInfo.InvariantCulture, $"process {holder.Process} on {holder.Host.Split('/')[0]}{(holder.Job is { } job ? $", job {job}" : "")}");

    private static bool IsSameMachine(Holder holder) => holder.Host == Machine();

    private static bool IsRunning(Holder holder) => StartOf(holder.Process) == holder.Started;

    /// <summary>A requeued job has its old id: whatever held the run under it has ended.</summary>
    private static bool IsEarlierStartOfThisJob(Holder holder) => Slurm() is ({ } job, var restarts) && job == holder.Job && restarts > holder.Restarts;

    private static (string? Job, int Restarts) Slurm() =>
        (Environment.GetEnvironmentVariable("SLURM_JOB_ID"), int.TryParse(Environment.GetEnvironmentVariable("SLURM_RESTART_COUNT"), CultureInfo.InvariantCulture, out var count) ? count : 0);

    /// <summary>The host, and on Linux the namespace in which process ids mean something: containers may share a host's name.</summary>
    private static string Machine() => $"{Environment.MachineName}/{new FileInfo("/proc/self/ns/pid").LinkTarget}";

    /// <summary>When a process started, in the system's own words; null where it does not run. Process ids are used again.</summary>
    private static string? StartOf(int process)
    {
        try
        {
            // proc(5): field 22 of stat, starttime; the name in field 2 may hold anything up to its closing bracket.
            if (OperatingSystem.IsLinux()) return File.ReadAllText($"/proc/{process}/stat").Split(')')[^1].Split(' ')[20];
            using var found = Process.GetProcessById(process);
            return found.StartTime.ToUniversalTime().ToString("O", CultureInfo.InvariantCulture);
        }
        catch (Exception e) when (e is IOException or ArgumentException or InvalidOperationException or UnauthorizedAccessException) { return null; }
    }
}
