using Harness.Common;

namespace Harness.Reporting;

/// <summary>Chooses how rank 0 shows progress: on standard error, so that standard output holds results alone.</summary>
public static class ProgressReporter
{
    public static IProgressReporter ForConsole()
    {
        var console = ResultConsole.On(Console.Error);
        return console.Profile.Out.IsTerminal && console.Profile.Capabilities is { Ansi: true, Interactive: true }
            ? new LiveProgress(console, TimeProvider.System)
            : new LineProgress(Console.Error, TimeProvider.System);
    }
}
