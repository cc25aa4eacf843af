using System.Text;
using Harness.Common;

namespace Harness.Reporting;

/// <summary>Lines for whoever waits, beside a bar that may stand there.</summary>
internal sealed class NoteWriter(IProgressReporter progress) : TextWriter
{
    private readonly StringBuilder _line = new();

    public override Encoding Encoding => Encoding.UTF8;

    public override void Write(char value)
    {
        if (value != '\n')
        {
            _line.Append(value);
            return;
        }
        progress.Note(_line.ToString().TrimEnd('\r'));
        _line.Clear();
    }
}
