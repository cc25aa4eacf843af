using System.CommandLine;
using System.CommandLine.Invocation;
using Harness.Common;
using Harness.Reporting;

namespace Harness.Verbs;

/// <summary>
/// How a verb ends: a user's mistake is one line without a stack trace, anything else is a defect and shows where it happened.
/// </summary>
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
            return Failure.Report(e);
        }
    }

    /// <summary>The first thing that is wrong with the command line, rather than the whole help.</summary>
    private static UserErrorException Mistake(ParseResult parsed)
    {
        var command = parsed.CommandResult.Command;
        var what = command is RootCommand && parsed.UnmatchedTokens.Count > 0 ? $"'{parsed.UnmatchedTokens[0]}' is no command"
            : parsed.Errors[0].Message.TrimEnd('.');
        return new UserErrorException($"{what}; see harness {(command is RootCommand ? "" : command.Name + " ")}--help");
    }
}
