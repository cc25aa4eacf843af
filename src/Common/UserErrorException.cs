namespace Harness.Common;

/// <summary>
/// A mistake of the person who started the program: a bad value, a missing or damaged file, a launch that cannot work.
/// Its message is one line that names the value and the remedy; it is printed without a stack trace.
/// </summary>
public class UserErrorException(string message, Exception? cause = null) : Exception(message, cause);
