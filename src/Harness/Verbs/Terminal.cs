using System.CommandLine;
using System.CommandLine.Invocation;
using Harness.Reporting;
using Harness.Tensors;

namespace Harness.Verbs;

/// <summary>What a process returns to the shell.</summary>
internal static class ExitCode
{
    public const int Success = 0;

    /// <summary>Nothing more to say than the one line on standard error.</summary>
    public const int Failure = 1;

    /// <summary>Stopped by a signal or a time limit; what was finished is kept.</summary>
    public const int Interrupted = 3;

    /// <summary>Another process has this run, or has finished it (Output:IfTaken is refuse).</summary>
    public const int Taken = 4;
}

/// <summary>How a verb ends: a user's mistake is one line without a stack trace, anything else is a defect and shows where it happened.</summary>
internal static class Terminal
{
    public static int Invoke(RootCommand root, string[] args)
    {
        StandardStreams.Begin();
        try
        {
            var parsed = root.Parse(args);
            if (parsed.Action is ParseErrorAction && args.Length > 0) throw Mistake(parsed);
            return parsed.Invoke(new InvocationConfiguration
            {
                EnableDefaultExceptionHandler = false,
                Output = StandardStreams.Product,
                Error = Console.Error,
            });
        }
        catch (Exception e)
        {
            return Report(e);
        }
    }

    /// <summary>The first thing that is wrong with the command line, rather than the whole help.</summary>
    private static UserErrorException Mistake(ParseResult parsed)
    {
        var command = parsed.CommandResult.Command;
        var what = command is RootCommand && parsed.UnmatchedTokens.Count > 0 ? $"'{parsed.UnmatchedTokens[0]}' is no command" : parsed.Errors[0].Message.TrimEnd('.');
        return new UserErrorException($"{what}; see harness {(command is RootCommand ? "" : command.Name + " ")}--help");
    }

    /// <summary>Writes the failure to standard error and returns the exit code.</summary>
    public static int Report(Exception failure)
    {
        switch (failure)
        {
            case UserErrorException or Energy.EnergyException or Sharding.Communicators.CommunicationException:
                Console.Error.WriteLine($"harness: {failure.Message}");
                break;
            case OutOfMemoryException:
                Console.Error.WriteLine("harness: out of memory; use more ranks (--tp, --pp), a smaller --batch or --max-length, or see harness plan");
                break;
            default:
                Console.Error.Write($"harness: this is a defect, please report it: {failure}{Environment.NewLine}");
                break;
        }
        return ExitCode.Failure;
    }
}
