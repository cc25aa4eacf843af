using System.Globalization;
using Harness.Energy;
using Harness.Energy.Meters;

namespace Harness.Diagnosing;

/// <summary>What energy could be read from, and the devices that NVML shows.</summary>
internal static class Meters
{
    public static IEnumerable<Finding> Nvml(string? library) =>
        Examine("nvml:all", "GPU", new(Environment.MachineName, new MonotonicClock()) { NvmlLibrary = library });

    public static IEnumerable<Finding> Rapl(string root) =>
        Examine("rapl", "RAPL", new(Environment.MachineName, new MonotonicClock()) { RaplRoot = root });

    private static IEnumerable<Finding> Examine(string word, string subject, MeterContext context)
    {
        using var meter = MeterFactory.Open(word, context);
        var readings = new EnergyReading[meter.Domains.Count];
        meter.Read(readings);
        var facts = meter.Inspect([Environment.ProcessId]);
        return
        [
            .. meter.Domains.Select((domain, i) =>
            Describe($"{subject} {domain.Device}", domain, readings[i], facts.FirstOrDefault(f => f.Domain == domain))),
            .. meter.Notices.Select(notice => Finding.FromMessage(subject, FindingState.Missing, notice)),
        ];
    }

    private static Finding Describe(string subject, EnergyDomain domain, EnergyReading reading, DomainFacts? facts)
    {
        var (found, remedy) = (new List<string>(), new List<string>());
        if (domain.Name.Length > 0) found.Add(domain.Name);
        if (facts?.MemoryTotalBytes is { } bytes) found.Add(FormattableString.Invariant($"{bytes / 1e9:N1} GB"));
        if (facts?.DriverVersion is { } driver) found.Add($"driver {driver}");
        if (reading.EnergyJoules != null) found.Add("energy counter");
        else if (reading.PowerWatts != null) found.Add("power readings only, which are integrated");
        else
        {
            found.Add("neither energy nor power can be read");
            remedy.Add("see whether nvidia-smi shows its power");
        }
        if (facts?.MigEnabled == true)
        {
            found.Add("cut into MIG slices");
            remedy.Add("take it out of MIG mode, since its energy is not that of one slice");
        }
        if (facts?.ForeignProcesses is > 0 and var others)
        {
            found.Add($"{others.ToString(CultureInfo.InvariantCulture)} other process(es) compute on it");
            remedy.Add("reserve it, since a shared device makes a run's energy invalid");
        }
        return new(subject, remedy.Count == 0 ? FindingState.Ok : FindingState.Missing, string.Join(", ", found), remedy.Count == 0 ? null
            : string.Join("; ", remedy));
    }
}
