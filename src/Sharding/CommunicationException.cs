namespace Harness.Sharding;

/// <summary>
/// A message or collective that did not take place: a peer that failed or left, lengths that do not agree, an error from MPI.
/// </summary>
public class CommunicationException(string message, Exception? cause = null) : Exception(message, cause);
