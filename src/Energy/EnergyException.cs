namespace Harness.Energy;

/// <summary>
/// A mistake of the person who started the program, in what concerns energy: an unknown meter, an unreadable recording,
/// an impossible power limit. Its message is one line that names the value and the remedy; print it without a stack trace.
/// </summary>
public sealed class EnergyException(string message, Exception? cause = null) : Exception(message, cause);
