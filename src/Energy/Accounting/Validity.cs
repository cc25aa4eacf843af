namespace Harness.Energy.Accounting;

/// <summary>Where a rank computes: on this GPU, or with null on the sockets of its host.</summary>
public sealed record ComputePlace(string Host, string? GpuUuid)
{
    /// <summary>Whether every place is covered by a device. A GPU is its UUID, whatever host it is counted on.</summary>
    internal static bool AreCovered(IEnumerable<ComputePlace> places, IReadOnlyList<DomainEnergy> devices)
    {
        var nodes = Of(DomainKind.Node).Concat(Of(DomainKind.Module)).Select(node => node.Host).ToHashSet();
        var gpus = Of(DomainKind.Gpu).Select(gpu => gpu.Device).ToHashSet();
        var sockets = Of(DomainKind.Package).Concat(Of(DomainKind.Dram)).Select(socket => socket.Host).ToHashSet();
        return places.All(place => nodes.Contains(place.Host)
            || (place.GpuUuid is { } gpu ? gpus.Contains(gpu) : sockets.Contains(place.Host)));

        IEnumerable<DomainEnergy> Of(DomainKind kind) => devices.Where(device => device.Kind == kind);
    }
}

/// <summary>What validity must know beyond the readings. Whatever is left null was not checked, and so is not valid.</summary>
public sealed record RunFacts
{
    /// <summary>Of every rank; each must be covered by a counted domain.</summary>
    public IReadOnlyList<ComputePlace>? ComputePlaces { get; init; }

    /// <summary>By device, from <see cref="IEnergyMeter.Inspect"/> of all ranks, before and after the measured windows.</summary>
    public ILookup<string, DomainFacts> DomainFacts { get; init; } = Energy.DomainFacts.ByDevice([]);

    /// <summary>The greatest uncertainty of any rank's clock against rank 0's, in s; 0 when all share one clock.</summary>
    public double? ClockUncertaintySeconds { get; init; }

    /// <summary>A machine of the run was suspended within the window, or may have been.</summary>
    public bool IsClockSuspended { get; init; }

    /// <summary>All ranks have handed in their records.</summary>
    public bool? RanksComplete { get; init; }

    /// <summary>The run went to its end.</summary>
    public bool? RanToEnd { get; init; }

    /// <summary>Of <c>--max-start-temperature</c>; null when none was asked for.</summary>
    public double? MaxStartTemperatureCelsius { get; init; }

    /// <summary>The warmest device when the window began; null when it could not be read.</summary>
    public double? StartTemperatureCelsius { get; init; }
}

/// <summary>Decides whether a window's energy may be believed.</summary>
public static class Validity
{
    /// <returns>Codes of <see cref="InvalidReason"/>, ordered; none: valid.</returns>
    public static IReadOnlyList<string> Judge(WindowEnergy window, RunFacts facts, ValidityLimits limits)
    {
        var reasons = new List<string>(window.InvalidReasons);
        foreach (var device in window.Counted) reasons.AddRange(OfDevice(device, facts.DomainFacts));
        if (facts.ComputePlaces is null || !ComputePlace.AreCovered(facts.ComputePlaces, window.Counted))
            reasons.Add(InvalidReason.DeviceMissing);
        if (!(facts.ClockUncertaintySeconds <= limits.ClockUncertaintyFraction * window.Window.DurationSeconds))
            reasons.Add(InvalidReason.ClockOffset);
        if (facts.IsClockSuspended) reasons.Add(InvalidReason.ClockSuspended);
        if (facts.MaxStartTemperatureCelsius is { } limit && !(facts.StartTemperatureCelsius <= limit))
            reasons.Add(InvalidReason.StartTemperature);
        if (facts.RanksComplete != true) reasons.Add(InvalidReason.RankMissing);
        if (facts.RanToEnd != true) reasons.Add(InvalidReason.Interrupted);
        return InvalidReason.Ordered(reasons);
    }

    /// <summary>What a device's own readings and what is known of it give rise to.</summary>
    /// <param name="facts">By device.</param>
    public static IEnumerable<string> OfDevice(DomainEnergy device, ILookup<string, DomainFacts> facts)
    {
        foreach (var reason in device.InvalidReasons) yield return reason;
        var about = facts[device.Key].ToList();
        if (about.Count == 0 || about.Any(f => f.MigEnabled != false)) yield return InvalidReason.Mig;
        if (about.Count == 0 || about.Any(f => f.ForeignProcesses != 0)) yield return InvalidReason.DeviceShared;
        if (about.Any(f => f.UnreadParts is { Count: > 0 })) yield return InvalidReason.DeviceMissing;
    }
}
