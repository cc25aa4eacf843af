using System.Globalization;
using System.Text.Json.Serialization;
using Harness.Common;
using Harness.Energy;
using Harness.Energy.Accounting;
using Harness.Energy.Recordings;

namespace Harness.Reports.Auditing;

/// <summary>What <c>harness audit</c> was asked.</summary>
/// <param name="Windows">As <c>START..END</c>.</param>
/// <param name="WindowFiles">Results of benchmarks.</param>
/// <param name="UtcOffset">The zone in which local times are; null where none was given.</param>
public sealed record AuditRequest(
    IReadOnlyList<string> Recordings, IReadOnlyList<string> Windows, IReadOnlyList<string> WindowFiles, TimeSpan? UtcOffset);

/// <summary>A recording as it was read.</summary>
public sealed record AuditedRecording(
    string File, string Format, RecordedClock Clock, int Sources, int Readings, double StartSeconds, double EndSeconds);

/// <summary>What an audit found, as text and as JSON.</summary>
/// <param name="Remarks">What a reader of the joules must know, one line each.</param>
public sealed record AuditFindings(
    IReadOnlyList<AuditedRecording> Recordings, IReadOnlyList<AuditedWindow> Windows, IReadOnlyList<string> Remarks)
{
    [JsonPropertyOrder(-1)] public bool Valid => Windows.All(window => window.Valid);
}

/// <summary><c>harness audit</c>: recordings of others, and the windows of their benchmarks, on one clock and judged.</summary>
public static class Audit
{
    private const string Whole = "whole recording";

    /// <summary>Share of a recording whose ends are left out without a word.</summary>
    private const double WorthTelling = 0.01;

    /// <exception cref="UserErrorException">A file cannot be read, or its times cannot be compared with those of another.</exception>
    public static AuditFindings Of(AuditRequest request)
    {
        var recordings = Recording.Together([.. request.Recordings.Select(file => On(RecordingFile.Read(file), request.UtcOffset))]);
        var clock = OneClock(recordings);
        var series = recordings.SelectMany(recording => recording.Series).ToList();
        var (first, last) = (series.Min(one => one.Readings[0].TimeSeconds), series.Max(one => one.Readings[^1].TimeSeconds));
        var audit = new RecordingAudit(series, recordings.SelectMany(recording => recording.Facts));
        var asked = request.Windows.Select(RecordedWindows.Parse).Select(window => On(window, clock, first, request.UtcOffset))
            .Concat(request.WindowFiles.SelectMany(file => RecordedWindows.Read(file).Select(window =>
                window.Start.Clock == RecordedClock.Own && clock != RecordedClock.Own
                    ? throw new UserErrorException($"{file}: its windows are on the clock of their run, which these recordings do not have")
                    : On(window, clock, first, request.UtcOffset)))).ToList();
        var remarks = recordings.SelectMany(recording => recording.Remarks).ToList();
        if (asked.Count == 0)
        {
            var (start, end) = audit.Known ?? (first, last);
            asked = [new(Whole, new(start, clock), new(end, clock))];
            if (last - first - (end - start) > WorthTelling * (last - first)) remarks.Add(string.Create(CultureInfo.InvariantCulture,
                $"{Whole}: the {end - start:F3} s in which every counted device is known, of {last - first:F3} s"));
        }
        List<AuditedWindow> windows =
            [.. asked.Select(window => audit.Judge(window.Name, window.Start.Seconds, window.End.Seconds, window.UncertaintySeconds))];
        remarks.AddRange(About(recordings, asked, windows, audit));
        return new([.. recordings.Select(recording => new AuditedRecording(recording.File, recording.Format, recording.Clock,
            recording.Series.Select(one => one.Rank).Distinct().Count(), recording.Series.Sum(one => one.Readings.Count),
            recording.Series.Min(one => one.Readings[0].TimeSeconds), recording.Series.Max(one => one.Readings[^1].TimeSeconds)))],
            windows, remarks);
    }

    /// <summary>Local times on UTC, where the zone was given.</summary>
    private static Recording On(Recording recording, TimeSpan? utcOffset)
    {
        if (recording.Series.FirstOrDefault(one => one.Readings.Zip(one.Readings.Skip(1)).Any(pair =>
            pair.Second.TimeSeconds < pair.First.TimeSeconds)) is { } disordered)
            throw new UserErrorException($"{recording.File}: the times of {disordered.Domain.Device} go back; put its rows in order");
        if (recording.Series.Count == 0) throw new UserErrorException($"{recording.File}: the recording holds no readings");
        return recording.Clock != RecordedClock.Local || utcOffset is not { } offset ? recording : recording with
        {
            Clock = RecordedClock.Utc,
            Series = [.. recording.Series.Select(one => one.OnClock(seconds => seconds - offset.TotalSeconds))],
        };
    }

    private static RecordedClock OneClock(IReadOnlyList<Recording> recordings)
    {
        var first = recordings[0];
        foreach (var other in recordings.Skip(1))
        {
            if (first.Clock == RecordedClock.Own || other.Clock == RecordedClock.Own)
            {
                var own = first.Clock == RecordedClock.Own ? first : other;
                throw new UserErrorException($"{own.File}: its times count from a second 0 of its own and cannot be compared with those of "
                    + "another recording; audit it by itself");
            }
            if (first.Clock != other.Clock)
            {
                var (local, utc) = first.Clock == RecordedClock.Local ? (first, other) : (other, first);
                throw new UserErrorException($"{local.File} has local times without a zone and {utc.File} has UTC; add --utc-offset "
                    + "+HH:MM, the zone of the machine that recorded the first");
            }
        }
        return first.Clock;
    }

    private static RecordedWindow On(RecordedWindow window, RecordedClock clock, double first, TimeSpan? utcOffset)
    {
        if (window.Start.Clock == RecordedClock.Local && utcOffset is { } offset)
            window = Move(window, -offset.TotalSeconds, RecordedClock.Utc);
        if (window.Start.Clock == RecordedClock.Own && clock != RecordedClock.Own) return Move(window, first, clock);
        if (window.Start.Clock == clock) return window;
        throw new UserErrorException(clock == RecordedClock.Own
            ? $"window {window.Name}: the recording counts from a second 0 of its own; give the window in its seconds, or its windows.jsonl"
            : $"window {window.Name}: of it and the recording one has local times without a zone, the other UTC; add --utc-offset "
                + "+HH:MM, the zone of the local times");
    }

    private static RecordedWindow Move(RecordedWindow window, double seconds, RecordedClock clock) => window with
    {
        Start = new(window.Start.Seconds + seconds, clock),
        End = new(window.End.Seconds + seconds, clock),
    };

    private static IEnumerable<string> About(IReadOnlyList<Recording> recordings, IReadOnlyList<RecordedWindow> asked,
        IReadOnlyList<AuditedWindow> windows, RecordingAudit audit)
    {
        foreach (var (mirror, of) in audit.Mirrors)
            yield return $"{mirror} shows the counter of {of} a second time: the two are counted once";
        foreach (var device in windows[0].Devices.Where(device => device.Sources > 1))
        {
            yield return $"{device.Domain.Key} was seen by {device.Sources} sources: it is counted once, by the one that lost fewest "
                + "readings, of equals the first";
        }
        if (asked.Any(window => window.UncertaintySeconds > 0))
        {
            yield return "the window of a vLLM result ends when the file was begun, told to the second; what its client did between the "
                + "last answer and then is in it";
        }
        if (asked.Count > 0 && recordings[0].Clock == RecordedClock.Local && windows.Any(window => window.Name != Whole))
            yield return "recording and window have local times without a zone, which were taken for those of one zone";
        var counted = windows.SelectMany(window => window.Counted).DistinctBy(device => device.Domain.Key).ToList();
        foreach (var device in counted.Where(device => device.UpdateIsBound))
        {
            yield return $"{device.Domain.Key}: every reading shows another value, so its sensor updates every "
                + string.Create(CultureInfo.InvariantCulture, $"{device.UpdateSeconds:G3} s or more often");
        }
        if (counted.Where(device => device.Domain.Kind == DomainKind.Gpu && device.Figures.ThrottleReasons is null)
            .Select(device => device.Domain.Key).ToList() is { Count: > 0 } untold)
        {
            yield return $"{string.Join(", ", untold)}: nothing tells whether heat slowed it; record clocks_event_reasons.active "
                + "(nvidia-smi), DCGM_FI_DEV_CLOCKS_EVENT_REASONS (DCGM) or throttle_status (amd-smi), too";
        }
        if (counted.Any(device => device.Domain.Kind == DomainKind.Gpu))
            yield return "no recording tells whether others computed on its devices: that was not checked";
    }
}
