namespace Harness.Sweeping;

/// <summary>What a sweep made of a cell.</summary>
internal enum Outcome
{
    /// <summary>Run to its end now, and valid or without a meter.</summary>
    Complete,

    /// <summary>It was complete before.</summary>
    Skipped,

    /// <summary>Run to its end, but its energy is not to be believed.</summary>
    Invalid,
    Failed,

    /// <summary>Another process has it.</summary>
    Taken,

    /// <summary>Begun or not, when the sweep was told to stop.</summary>
    Stopped,

    /// <summary>It does not fit.</summary>
    Dropped,
}

/// <param name="Run">The attempt that came furthest; null where there is none.</param>
/// <param name="Why">Null where nothing needs a reason.</param>
internal sealed record CellOutcome(SweepCell Cell, Outcome Outcome, CellRun? Run = null, string? Why = null);
