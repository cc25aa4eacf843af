namespace Harness.Diagnosing;

internal enum FindingState
{
    Ok,

    /// <summary>Not there, or not usable; what needs it will say so.</summary>
    Missing,

    /// <summary>Not usable, and the default job needs it.</summary>
    Failed,
}

/// <summary>One thing that this build or this machine can or cannot do.</summary>
/// <param name="Subject">What was looked for.</param>
/// <param name="Found">What was found, or why it is not usable.</param>
/// <param name="Remedy">What a person can do about it; null where nothing is to be done.</param>
internal sealed record Finding(string Subject, FindingState State, string Found, string? Remedy = null)
{
    public static Finding Ok(string subject, string found) => new(subject, FindingState.Ok, found);

    public static Finding Missing(string subject, string found, string remedy) => new(subject, FindingState.Missing, found, remedy);

    public static Finding Failed(string subject, string found, string remedy) => new(subject, FindingState.Failed, found, remedy);

    /// <summary>Messages of this program end with their remedy, after the first semicolon.</summary>
    public static Finding FromMessage(string subject, FindingState state, string message) =>
        message.Split("; ", 2) is [var found, var remedy] ? new(subject, state, found, remedy) : new(subject, state, message);
}
