namespace Harness.Energy.Accounting;

/// <summary>
/// A stretch of one rank's time by what the rank did in it; what is left of it, beside the parts, is neither. Parts are sums: where in the
/// stretch they lay is not kept.
/// </summary>
/// <param name="PrefillSeconds">
/// Computing for prompts. With <paramref name="DecodeSeconds"/> all of the passes where the next is null.
/// </param>
/// <param name="CommunicationSeconds">In collectives and sends; null where the host did not see the device in them.</param>
/// <param name="WaitingSeconds">For activations, tokens or requests; null with <paramref name="CommunicationSeconds"/>.</param>
public readonly record struct PhaseStretch(double StartSeconds, double EndSeconds, double PrefillSeconds, double DecodeSeconds,
    double? CommunicationSeconds, double? WaitingSeconds)
{
    public double DurationSeconds => EndSeconds - StartSeconds;

    public bool IsSeen => CommunicationSeconds != null && WaitingSeconds != null;

    /// <summary>One stretch from the start of this one to the end of a later one, with what was done in both.</summary>
    internal PhaseStretch Through(PhaseStretch later) => new(StartSeconds, later.EndSeconds, PrefillSeconds + later.PrefillSeconds,
        DecodeSeconds + later.DecodeSeconds, CommunicationSeconds + later.CommunicationSeconds, WaitingSeconds + later.WaitingSeconds);
}

/// <summary>What one rank did, in order of time.</summary>
public sealed record RankPhases(int Rank, IReadOnlyList<PhaseStretch> Stretches)
{
    /// <summary>The stretches that reach into a stretch of time.</summary>
    internal IEnumerable<PhaseStretch> Within(double startSeconds, double endSeconds)
    {
        var (low, high) = (0, Stretches.Count);
        while (low < high)
        {
            var middle = low + (high - low) / 2;
            if (Stretches[middle].EndSeconds <= startSeconds) low = middle + 1;
            else high = middle;
        }
        for (var i = low; i < Stretches.Count && Stretches[i].StartSeconds < endSeconds; i++) yield return Stretches[i];
    }
}
