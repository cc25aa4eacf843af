namespace Harness.Sharding.Waits;

/// <summary>
/// Whether the collectives of one communicator wait patiently. Patient and blocking collectives do not match each other, so
/// all ranks change over at the same one: by its number they agree, before the 1st, 2nd, 4th, … 128th, then every 128th.
/// </summary>
/// <param name="patient">Until the first agreement: the mode of the communicator that this one was split off.</param>
internal sealed class AgreedPatience(bool patient)
{
    /// <summary>An agreement costs as much as a small collective.</summary>
    public const int LongestInterval = 128;

    private int _interval = 1, _left = 1;

    public bool Patient { get; private set; } = patient;

    /// <summary>Called once before each collective: whether this is one before which the ranks agree.</summary>
    public bool IsDue()
    {
        if (--_left > 0) return false;
        _left = _interval;
        _interval = Math.Min(2 * _interval, LongestInterval);
        return true;
    }

    /// <param name="any">Whether any rank of the communicator lacks a core, which all of them have learnt alike.</param>
    /// <param name="shortage">This rank's.</param>
    public void Conclude(bool any, CoreShortage shortage) => shortage.PeersLack = Patient = any;
}
