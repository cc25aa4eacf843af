using System.Text;
using Spectre.Console;

namespace Harness.Reporting;

/// <summary>Where tables and progress go: escape codes only onto a terminal, whatever TERM says, so that a log file stays text.</summary>
internal static class ResultConsole
{
    public static IAnsiConsole On(TextWriter output)
    {
        var terminal = StandardStreams.TerminalBehind(output);
        return AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new Destination(terminal ?? output, terminal != null),
            Ansi = terminal != null ? AnsiSupport.Detect : AnsiSupport.No,
            ColorSystem = terminal != null ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
        });
    }

    private sealed class Destination(TextWriter writer, bool isTerminal) : IAnsiConsoleOutput
    {
        private readonly AnsiConsoleOutput _size = new(writer);

        public TextWriter Writer => writer;
        public bool IsTerminal => isTerminal;
        public int Width => _size.Width;
        public int Height => _size.Height;

        public void SetEncoding(Encoding encoding)
        {
            // UTF-8, always.
        }
    }
}
