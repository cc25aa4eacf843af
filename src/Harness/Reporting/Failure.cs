using Harness.Common;
using Harness.Sharding;
using Harness.Sharding.Communicators;

namespace Harness.Reporting;

/// <summary>A user's mistake is one line without a stack trace; anything else is a defect and shows where it happened.</summary>
internal static class Failure
{
    /// <summary>Writes the failure to standard error and returns the exit code.</summary>
    public static int Report(Exception failure)
    {
        switch (failure)
        {
            case UserErrorException or CommunicationException:
                Console.Error.WriteLine($"harness: {failure.Message}");
                break;
            case OutOfMemoryException:
                Console.Error.WriteLine("harness: out of memory; use more ranks (--tp, --pp), a smaller --batch or --max-length, or see "
                    + "harness plan");
                break;
            default:
                Console.Error.Write($"harness: this is a defect, please report it: {failure}{Environment.NewLine}");
                break;
        }
        return ExitCode.Failure;
    }
}
