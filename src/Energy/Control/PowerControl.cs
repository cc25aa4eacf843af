using System.Runtime.InteropServices;
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
}

/// <param name="Message">One line for a person; empty when applied.</param>
public sealed record ControlResult(ControlOutcome Outcome, string Message = "");

/// <summary>
/// Changes power limits and clocks of the GPUs that a rank owns (<c>LedgerEntry.OwnerRank</c>: one rank per device), and
/// puts them back on every way out: <see cref="Dispose"/> (normal end and exceptions), SIGINT, SIGTERM, SIGHUP and SIGQUIT
/// by its own handlers, and after SIGKILL by <see cref="RestoreFile"/>, for which the original values are on disk before
/// the first change. NVML needs root (or CAP_SYS_ADMIN) for all of it.
/// </summary>
public sealed class PowerControl : IDisposable
{
    private readonly Lock _gate = new();
    private readonly string _host;
    private readonly string _path;
    private readonly NvmlLibrary? _nvml;
    private readonly List<NvmlDevice> _devices;
    private readonly List<PosixSignalRegistration> _signals = [];
    private bool _written, _ended;

    private PowerControl(string host, string path, NvmlLibrary? nvml, List<NvmlDevice> devices)
    {
        (_host, _path, _nvml, _devices) = (host, path, nvml, devices);
    }

    /// <param name="meter">The rank's meter; without an NVML meter in it every change is not supported.</param>
    /// <param name="ownedKeys"><see cref="EnergyDomain.Key"/> of the devices this rank may change.</param>
    /// <param name="path">The file for the original values, in the run directory, of this rank's own: see <see cref="FileName"/>.</param>
    public static PowerControl Open(IEnergyMeter meter, IReadOnlyCollection<string> ownedKeys, string path)
    {
        var nvml = meter as NvmlMeter ?? (meter as Meters.CompositeMeter)?.Meters.OfType<NvmlMeter>().FirstOrDefault();
        if (nvml == null) return new PowerControl("", path, null, []);
        var owned = nvml.Devices.Where((_, i) => ownedKeys.Contains(nvml.Domains[i].Key)).ToList();
        return new PowerControl(nvml.Domains[0].Host, path, nvml.Library, owned);
    }

    /// <summary>The name under which <see cref="RestoreDirectory"/> finds a rank's file.</summary>
    public static string FileName(int rank) => FormattableString.Invariant($"restore-rank{rank}.json");

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
        Judge(device, device.LockSmClock(mhz), FormattableString.Invariant($"the SM clock of {mhz} MHz")));

    /// <summary>Puts everything back; the devices can be changed again afterwards.</summary>
    /// <returns>What could not be put back; empty when all is as it was.</returns>
    public IReadOnlyList<string> Restore()
    {
        lock (_gate)
        {
            if (!_written) return [];
            var problems = RestoreDevices(RestoreState.Read(_path), uuid => _devices.Find(d => d.Uuid == uuid), _nvml!);
            if (problems.Count == 0)
            {
                File.Delete(_path);
                _written = false;
            }
            return problems;
        }
    }

    /// <summary>
    /// For <c>harness restore RUN</c>: puts back what runs that were killed left changed on this host, from all
    /// <see cref="FileName"/> files of a run directory.
    /// </summary>
    /// <returns>One line per file: restored, or what is left to do and where.</returns>
    /// <exception cref="EnergyException">The directory does not exist.</exception>
    public static IReadOnlyList<string> RestoreDirectory(string directory, string host, string? nvmlLibrary = null)
    {
        if (!Directory.Exists(directory)) throw new EnergyException($"{directory}: there is no such run directory");
        return [.. Directory.GetFiles(directory, "restore-rank*.json").Order(StringComparer.Ordinal).Select(f => RestoreFile(f, host, nvmlLibrary))];
    }

    /// <summary>One file of it. The file is deleted once everything in it is back.</summary>
    public static string RestoreFile(string path, string host, string? nvmlLibrary = null)
    {
        var state = RestoreState.Read(path);
        if (state.Host != host) return $"{path}: belongs to {state.Host}; run 'harness restore' there";
        using var nvml = NvmlLibrary.TryOpen(nvmlLibrary, out var whyNot);
        if (nvml == null) return $"{path}: not restored: {whyNot}";
        var devices = VisibleDevices.Find(nvml, null);
        var problems = RestoreDevices(state, uuid => devices.Find(d => d.Uuid == uuid), nvml);
        if (problems.Count > 0) return $"{path}: {string.Join("; ", problems)}";
        File.Delete(path);
        return $"{path}: restored {string.Join(", ", state.Devices.Select(d => d.Describe()))}";
    }

    private ControlResult Change(Func<NvmlDevice, ControlResult> change)
    {
        lock (_gate)
        {
            if (_devices.Count == 0) return new ControlResult(ControlOutcome.NotSupported, "there is no NVIDIA GPU here whose limits this rank could set");
            if (_ended) return new ControlResult(ControlOutcome.NotSupported, "the run is ending: limits are no longer changed");
            WriteOriginals();
            foreach (var device in _devices)
            {
                var result = change(device);
                if (result.Outcome == ControlOutcome.Applied) continue;
                Restore();
                return result;
            }
            return new ControlResult(ControlOutcome.Applied);
        }
    }

    private void WriteOriginals()
    {
        if (_written) return;
        new RestoreState(_host, [.. _devices.Select(d => new RestoredDevice(d.Uuid, d.ReadPowerLimitMilliwatts()))]).Write(_path);
        _written = true;
        if (_signals.Count > 0) return;
        foreach (var signal in (PosixSignal[])[PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP, PosixSignal.SIGQUIT])
            _signals.Add(PosixSignalRegistration.Create(signal, _ => End()));   // does not cancel: what else the signal does goes on
    }

    private static List<string> RestoreDevices(RestoreState state, Func<string, NvmlDevice?> find, NvmlLibrary nvml)
    {
        var problems = new List<string>();
        foreach (var saved in state.Devices)
        {
            if (find(saved.Uuid) is not { } device)
            {
                problems.Add($"{saved.Uuid} is not on this host any more");
                continue;
            }
            // locked clocks cannot be read back from NVML: unlocked is taken to be how they were
            var clocks = device.UnlockSmClock();
            if (clocks is not (NvmlReturn.Success or NvmlReturn.NotSupported or NvmlReturn.FunctionNotFound or NvmlReturn.NoPermission))
                problems.Add($"{saved.Uuid}: SM clock not unlocked: {nvml.Describe(clocks)}");
            if (saved.PowerLimitMilliwatts is not { } limit || device.ReadPowerLimitMilliwatts() == limit) continue;
            var power = device.SetPowerLimitMilliwatts(limit);
            if (power != NvmlReturn.Success)
                problems.Add(FormattableString.Invariant($"{saved.Uuid}: power limit not set back to {limit * 1e-3} W: {nvml.Describe(power)}; run 'harness restore' with the privilege"));
        }
        return problems;
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
            Restore();
        }
    }

    public void Dispose()
    {
        End();
        foreach (var signal in _signals) signal.Dispose();
        _signals.Clear();
    }
}
