using Spectre.Console;

namespace Harness.Reporting;

/// <summary>Where tables go: escape codes only onto a terminal, whatever TERM says, so that a log file stays text.</summary>
internal static class ResultConsole
{
    public static IAnsiConsole On(TextWriter output)
    {
        var destination = new AnsiConsoleOutput(output);
        return AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = destination,
            Ansi = destination.IsTerminal ? AnsiSupport.Detect : AnsiSupport.No,
            ColorSystem = destination.IsTerminal ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
        });
    }
}
