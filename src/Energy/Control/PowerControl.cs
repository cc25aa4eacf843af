using System.Runtime.InteropServices;
using System.Text.Json;
using Harness.Common;
using Harness.Energy.Nvml;

namespace Harness.Energy.Control;

/// <summary>How an attempt to change a device ended.</summary>
public enum ControlOutcome
{
    Applied,
    /// <summary>The process lacks the privilege; the cell of the sweep is to be skipped and marked.</summary>
    NotPermitted,
    /// <summary>The devices cannot do it, or there are none; to be skipped and marked.</summary>
    NotSupported,
    /// <summary>A device does not take this value; to be skipped and marked.</summary>
    OutOfRange,
    /// <summary>The process has been told to end: nothing is wrong with the setting, and nothing is to be marked.</summary>
    Ending,
}

/// <param name="Message">One line for a person; empty when applied.</param>
public sealed record ControlResult(ControlOutcome Outcome, string Message = "");

/// <summary>
/// Changes power limits and clocks of the GPUs that a rank owns, being the lowest that reads them, and
/// puts them back on every way out: <see cref="Dispose"/> (normal end and exceptions), signals by its own handlers, and after
/// SIGKILL by <see cref="RestoreFile"/> or the next run, for which the original values are on file before the first change
/// (<see cref="RestoreState"/> in the run directory, <see cref="DeviceClaim"/> on the machine). They are held in memory too, so that
/// no storage is needed to put them back. Originals that were found on file are adopted: what a device is like then is what a
/// killed run made of it. NVML needs root (or CAP_SYS_ADMIN) for all of it.
/// </summary>
public sealed class PowerControl : IDisposable
{
    /// <summary>
    /// Those that end a process. A hangup that is ignored (nohup), or that somebody else in this process answers, ends nothing: limits
    /// that went back then would be missing from a run that goes on.
    /// </summary>
    private static readonly Lazy<PosixSignal[]> s_endings = new(() => HangupEnds()
        ? [PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGQUIT, PosixSignal.SIGHUP]
        : [PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGQUIT]);

    private readonly Lock _gate = new();
    private readonly string _host;
    private readonly string _path;
    private readonly NvmlLibrary? _nvml;
    private readonly List<NvmlDevice> _devices;
    private readonly IEnumerable<string> _elsewhere;
    private readonly Action<string> _say;
    private readonly List<PosixSignalRegistration> _signals = [];
    private readonly List<DeviceClaim> _claims = [];
    private readonly List<string> _written = [];
    private readonly HashSet<string> _locked = [];
    private Dictionary<string, RestoredDevice>? _originals;
    private LeftRecords? _left;
    private bool _ended;

    private PowerControl(string host, string path, NvmlLibrary? nvml, List<NvmlDevice> devices, IEnumerable<string> elsewhere,
        Action<string> say)
    {
        (_host, _path, _nvml, _devices, _elsewhere, _say) = (host, path, nvml, devices, elsewhere, say);
    }

    /// <param name="meter">The rank's meter; without an NVML meter in it every change is not supported.</param>
    /// <param name="ownedKeys"><see cref="EnergyDomain.Key"/> of the devices this rank may change.</param>
    /// <param name="path">The file for the original values, in the run directory, of this rank's own: see <see cref="FileName"/>.</param>
    /// <param name="elsewhere">Other run directories, in which killed runs may have left originals of the same devices.</param>
    /// <param name="say">Told what could not be put back, and how to mend it, where no caller learns of it: on disposal and on
    /// signals.</param>
    public static PowerControl Open(IEnergyMeter meter, IReadOnlyCollection<string> ownedKeys, string path,
        IEnumerable<string>? elsewhere = null, Action<string>? say = null)
    {
        var nvml = meter as NvmlMeter ?? (meter as Meters.CompositeMeter)?.Meters.OfType<NvmlMeter>().FirstOrDefault();
        var owned = nvml?.Devices.Where((_, i) => ownedKeys.Contains(nvml.Domains[i].Key)).ToList() ?? [];
        return new PowerControl(nvml?.Domains[0].Host ?? "", path, nvml?.Library, owned, elsewhere ?? [], say ?? (_ => { }));
    }

    /// <summary>The name under which <see cref="RestoreDirectory"/> finds a rank's file.</summary>
    public static string FileName(int rank) => FormattableString.Invariant($"restore-rank{rank}.json");

    /// <summary>Whether a run directory holds originals of devices that are not back as they were.</summary>
    public static bool HasRecords(string directory) => Directory.EnumerateFiles(directory, RestoreState.Pattern).Any();

    /// <summary>
    /// Whether a process of this machine other than this one has a device's settings in its hands; false where nobody can tell.
    /// </summary>
    public static bool IsSetElsewhere(string uuid)
    {
        using var claim = DeviceClaim.TryTake(NvmlLibrary.Resolve(null), uuid, out var isHeld);
        return isHeld;
    }

    /// <summary>
    /// How the devices were before they were changed, for a rank that must put them back in place of this one; empty while nothing is
    /// changed.
    /// </summary>
    public string Originals()
    {
        lock (_gate) return _originals == null ? "" : JsonSerializer.Serialize(_originals.Values);
    }

    /// <summary>
    /// Puts back devices of this machine that another process has set and cannot put back itself, since it hangs or is about to be
    /// killed.
    /// </summary>
    /// <param name="originals">Its <see cref="Originals"/>.</param>
    /// <param name="directory">The run's, for messages.</param>
    /// <returns>What could not be put back, and how to mend it.</returns>
    public static IReadOnlyList<string> PutBackInPlaceOf(string originals, string directory)
    {
        if (originals.Length == 0) return [];
        using var nvml = NvmlLibrary.TryOpen(null, out var whyNot);
        if (nvml == null) return [whyNot!];
        var devices = VisibleDevices.Find(nvml, null);
        return PutBack(JsonSerializer.Deserialize<List<RestoredDevice>>(originals)!, uuid =>
            devices.Find(device => device.Uuid == uuid), nvml, directory);
    }

    /// <summary>All owned devices, or none: a device that refuses brings the others back.</summary>
    public ControlResult SetPowerLimit(double watts) => Change(device =>
    {
        var milliwatts = (uint)Math.Round(watts * 1e3);
        if (device.ReadPowerLimitConstraintsMilliwatts() is var (min, max) && (milliwatts < min || milliwatts > max))
            return OutOfRange(device, FormattableString.Invariant($"takes {min * 1e-3} … {max * 1e-3} W, not {watts} W"));
        return Judge(device, device.SetPowerLimitMilliwatts(milliwatts), FormattableString.Invariant($"the power limit of {watts} W"));
    });

    /// <summary>Locks the SM clock of all owned devices to one value, or of none.</summary>
    public ControlResult LockSmClock(int mhz) => Change(device =>
    {
        var result = Judge(device, device.LockSmClock(mhz), FormattableString.Invariant($"the SM clock of {mhz} MHz"));
        if (result.Outcome == ControlOutcome.Applied) _locked.Add(device.Uuid);
        return result;
    }, locksClocks: true);

    /// <summary>Puts everything back, from memory; then what was on file goes. The devices can be changed again afterwards.</summary>
    /// <returns>What could not be put back, and how to mend it; empty when all reads as it was.</returns>
    public IReadOnlyList<string> Restore()
    {
        lock (_gate)
        {
            if (_originals == null) return [];
            var problems = PutBack(_originals.Values.Select(device => device with { SmClockLocked = _locked.Contains(device.Uuid) }), Find,
                _nvml!, Path.GetDirectoryName(_path)!);
            if (problems.Count > 0) return problems;
            Forget();
            return [];
        }
    }

    /// <summary>
    /// For <c>harness restore RUN</c>: puts back what runs that were killed left changed on this host, from all
    /// <see cref="FileName"/> files of a run directory, or of the run directories in it.
    /// </summary>
    /// <returns>One line per file: restored, or what is left to do and where.</returns>
    /// <exception cref="UserErrorException">The directory does not exist.</exception>
    public static IReadOnlyList<string> RestoreDirectory(string directory, string host, string? nvmlLibrary = null)
    {
        if (!Directory.Exists(directory)) throw new UserErrorException($"{directory}: there is no such run directory");
        var (lines, damaged) = (new List<string>(), new List<UserErrorException>());
        var files = Directory.GetFiles(directory, RestoreState.Pattern);
        if (files.Length == 0)
            files = [.. Directory.GetDirectories(directory).SelectMany(run => Directory.GetFiles(run, RestoreState.Pattern))];
        foreach (var file in files.Order(StringComparer.Ordinal))
        {
            try { lines.Add(RestoreFile(file, host, nvmlLibrary)); }
            catch (UserErrorException e) { damaged.Add(e); }       // the others are put back all the same
        }
        if (lines.Count == 0 && damaged.Count > 0) throw damaged[0];
        return [.. lines, .. damaged.Select(e => e.Message)];
    }

    /// <summary>One file of it. The file is deleted once everything in it reads as it was.</summary>
    public static string RestoreFile(string path, string host, string? nvmlLibrary = null)
    {
        var state = RestoreState.Read(path);
        if (state.Host != host) return $"{path}: belongs to {state.Host}; run 'harness restore' there";
        using var nvml = NvmlLibrary.TryOpen(nvmlLibrary, out var whyNot);
        if (nvml == null) return $"{path}: not restored: {whyNot}";
        var devices = VisibleDevices.Find(nvml, null);
        var claims = new List<DeviceClaim>();
        try
        {
            foreach (var uuid in state.Devices.Select(device => device.Uuid).Distinct())
            {
                if (DeviceClaim.TryTake(nvml.Path, uuid, out var isHeld) is { } claim) claims.Add(claim);
                if (isHeld) return $"{path}: not restored: {uuid} is set by a run that goes on, which puts it back itself";
            }
            var problems = PutBack(state.Devices, uuid => devices.Find(d => d.Uuid == uuid), nvml, Path.GetDirectoryName(path)!);
            if (problems.Count > 0) return $"{path}: {string.Join("; ", problems)}";
            foreach (var claim in claims) claim.Settle();
        }
        finally
        {
            foreach (var claim in claims) claim.Dispose();
        }
        return LeftRecords.TryDelete(path) ? $"{path}: restored {string.Join(", ", state.Devices.Select(d => d.Describe()))}"
            : $"{path}: all is as it was, but the file cannot be deleted; delete it by hand, since a later run would go by it";
    }

    private ControlResult Change(Func<NvmlDevice, ControlResult> change, bool locksClocks = false)
    {
        lock (_gate)
        {
            if (_devices.Count == 0) return new ControlResult(ControlOutcome.NotSupported, "there is no NVIDIA GPU here whose limits this "
                + "rank could set");
            if (_ended) return new ControlResult(ControlOutcome.Ending, "the run is ending: limits are no longer changed");
            if (_originals == null && Hold() is { } obstacle) return obstacle;
            if (locksClocks && _originals!.Values.Any(device => !device.SmClockLocked))
                WriteDown([.. _originals.Values.Select(device => device with { SmClockLocked = true })]);
            foreach (var device in _devices)
            {
                var result = change(device);
                if (result.Outcome == ControlOutcome.Applied) continue;
                foreach (var problem in Restore()) _say(problem);
                return result;
            }
            return new ControlResult(ControlOutcome.Applied);
        }
    }

    /// <summary>
    /// Takes hold of the devices, puts back what a killed run left changed, and writes down how they are.
    /// </summary>
    /// <returns>What stands in the way; null where nothing does.</returns>
    /// <exception cref="UserErrorException">Another run has a device, or its originals cannot be known or written down.</exception>
    private ControlResult? Hold()
    {
        try
        {
            var left = new LeftRecords(Path.GetDirectoryName(_path)!, _elsewhere);
            foreach (var unreadable in left.Unreadable) _say(unreadable);
            var originals = new Dictionary<string, RestoredDevice>();
            foreach (var device in _devices)
            {
                var claim = DeviceClaim.TryTake(_nvml!.Path, device.Uuid, out var isHeld);
                if (isHeld) throw new UserErrorException($"{device.Uuid}: another run on this machine has set its limits; "
                    + "begin when that has ended, since each would change what the other measures");
                if (claim != null) _claims.Add(claim);
                if ((left.Of(device.Uuid) ?? claim?.Left) is { } found)
                {
                    var before = device.ReadPowerLimitMilliwatts();
                    if (PutBackOne(device, found, _nvml, Path.GetDirectoryName(_path)!, out var code) is { } problem)
                        return Abandon(new ControlResult(code == NvmlReturn.NoPermission ? ControlOutcome.NotPermitted
                            : ControlOutcome.NotSupported, $"{problem} (it was left changed by a run that was killed)"));
                    if (before != found.PowerLimitMilliwatts || found.SmClockLocked) _say($"{device.Uuid} was left changed by a run that "
                        + $"was killed: put back{found.Describe()[device.Uuid.Length..]}");
                }
                originals[device.Uuid] = new(device.Uuid, device.ReadPowerLimitMilliwatts());
            }
            _left = left;
            WriteDown([.. originals.Values]);
        }
        catch
        {
            Abandon(null);
            throw;
        }
        if (_signals.Count == 0)
            foreach (var signal in s_endings.Value)
                _signals.Add(PosixSignalRegistration.Create(signal, _ => End()));   // does not cancel: what else the signal does goes on
        return null;
    }

    /// <summary>
    /// On file, on the machine and in the run directory, when it returns; then in memory. What says more than an earlier record of this
    /// rank is written beside it, whole, before that one goes.
    /// </summary>
    private void WriteDown(List<RestoredDevice> devices)
    {
        string[] earlier = [.. _written];
        _written.Add(new RestoreState(_host, devices).WriteBeside(_path));
        foreach (var claim in _claims) claim.Note(devices.Single(device => claim.IsOf(device.Uuid)));
        _originals = devices.ToDictionary(device => device.Uuid);
        foreach (var file in earlier)
            if (LeftRecords.TryDelete(file)) _written.Remove(file);
    }

    /// <summary>All reads as it was: nothing needs to remember how that was.</summary>
    private void Forget()
    {
        foreach (var claim in _claims) claim.Settle();
        foreach (var file in _written)
            if (!LeftRecords.TryDelete(file)) _say($"{file}: the GPUs are as they were, but this file cannot be deleted; "
                + "delete it by hand, since a later run would go by it");
        _left?.DeleteSettled([.. _devices.Select(device => device.Uuid)], uuid => Find(uuid)?.ReadPowerLimitMilliwatts());
        Abandon(null);
        _written.Clear();
        _locked.Clear();
        _originals = null;
    }

    private ControlResult? Abandon(ControlResult? result)
    {
        foreach (var claim in _claims) claim.Dispose();
        _claims.Clear();
        return result;
    }

    /// <summary>Any device that this process can see, not only those that it owns.</summary>
    private NvmlDevice? Find(string uuid) =>
        _devices.Find(d => d.Uuid == uuid) ?? VisibleDevices.Find(_nvml!, null).Find(d => d.Uuid == uuid);

    private static List<string> PutBack(IEnumerable<RestoredDevice> saved, Func<string, NvmlDevice?> find, NvmlLibrary nvml,
        string directory)
    {
        var problems = new List<string>();
        foreach (var one in saved)
        {
            if (find(one.Uuid) is not { } device) problems.Add($"{one.Uuid} is not on this host any more");
            else if (PutBackOne(device, one, nvml, directory, out _) is { } problem) problems.Add(problem);
        }
        return problems;
    }

    /// <returns>What could not be put back, and how to mend it; null when all reads as it was.</returns>
    private static string? PutBackOne(NvmlDevice device, RestoredDevice saved, NvmlLibrary nvml, string directory, out NvmlReturn code)
    {
        code = NvmlReturn.Success;
        if (saved.SmClockLocked
            && device.UnlockSmClock() is not (NvmlReturn.Success or NvmlReturn.NotSupported or NvmlReturn.FunctionNotFound) and var clocks)
        {
            code = clocks;
            return $"{saved.Uuid}: SM clock not unlocked: {nvml.Describe(clocks)}; as root: "
                + $"nvidia-smi -i {saved.Uuid} -rgc, or harness restore {directory}";
        }
        if (saved.PowerLimitMilliwatts is not { } limit || device.ReadPowerLimitMilliwatts() == limit) return null;
        code = device.SetPowerLimitMilliwatts(limit);
        var now = device.ReadPowerLimitMilliwatts();
        if (code == NvmlReturn.Success && now == limit) return null;
        var why = code != NvmlReturn.Success ? nvml.Describe(code) : FormattableString.Invariant($"it reads {now * 1e-3} W");
        if (code == NvmlReturn.Success) code = NvmlReturn.NotSupported;
        return FormattableString.Invariant(
            $"{saved.Uuid}: power limit not set back to {limit * 1e-3} W: {why}; as root: nvidia-smi -i {saved.Uuid} -pl {limit * 1e-3}, or harness restore {directory}");
    }

    private ControlResult Judge(NvmlDevice device, NvmlReturn result, string what) => result switch
    {
        NvmlReturn.Success => new ControlResult(ControlOutcome.Applied),
        NvmlReturn.NoPermission => new ControlResult(ControlOutcome.NotPermitted,
            $"{what} is not permitted on {device.Uuid}: setting it needs root; those settings are skipped"),
        NvmlReturn.InvalidArgument => OutOfRange(device, $"does not take {what}"),
        _ => new ControlResult(ControlOutcome.NotSupported, $"{what} cannot be set on {device.Uuid}: {_nvml!.Describe(result)}"),
    };

    private static ControlResult OutOfRange(NvmlDevice device, string why) => new(ControlOutcome.OutOfRange, $"{device.Uuid} {why}");

    private void End()
    {
        lock (_gate)
        {
            _ended = true;
            foreach (var problem in Restore()) _say(problem);
        }
    }

    public void Dispose()
    {
        End();
        foreach (var signal in _signals) signal.Dispose();
        _signals.Clear();
        Abandon(null);
    }

    /// <summary>From proc(5), fields SigIgn and SigCgt of status: bit n−1 is signal n; SIGHUP is 1.</summary>
    private static bool HangupEnds()
    {
        const string status = "/proc/self/status";
        if (!File.Exists(status)) return true;
        return !File.ReadLines(status)
            .Where(line => line.StartsWith("SigIgn:", StringComparison.Ordinal) || line.StartsWith("SigCgt:", StringComparison.Ordinal))
            .Any(line => (Convert.ToUInt64(line.Split('\t')[1], 16) & 1) != 0);
    }
}
