namespace Harness.Energy.Accounting;

/// <summary>
/// What each device draws when the run is ready but computes nothing: the watts of the idle window, device by device. A
/// device whose idle window is not valid has none, and then neither it nor the run has net joules.
/// </summary>
public sealed class IdleBaseline
{
    public static readonly IdleBaseline None = new([]);

    private readonly Dictionary<string, double> _watts;

    private IdleBaseline(Dictionary<string, double> watts) => _watts = watts;

    /// <param name="idle">Every device in the idle window. A device slowed by heat while idle is still idle; every other reason counts.</param>
    public static IdleBaseline From(IEnumerable<WindowEnergy> idle) => new(idle
        .Where(w => w.AverageWatts != null && w.InvalidReasons.All(r => r == InvalidReason.Throttled))
        .ToDictionary(w => w.Key, w => w.AverageWatts!.Value));

    /// <summary>Null for a device without a baseline.</summary>
    public double? Watts(string key) => _watts.TryGetValue(key, out var watts) ? watts : null;

    /// <summary>Gross minus idle joules of the same time; may be negative when a device did less than idle.</summary>
    public double? NetJoules(WindowEnergy window) => window.Joules - Watts(window.Key) * window.DurationSeconds;
}
