using System.Text;
using Harness.Common;

namespace Harness.Reporting;

/// <summary>Hands lines on with <see cref="VisibleText"/>: what is written as a line is one, whatever it holds.</summary>
internal sealed class VisibleWriter(TextWriter inner) : TextWriter
{
    public override Encoding Encoding => inner.Encoding;

    /// <summary>Half of a pair goes on as it is: its other half follows.</summary>
    public override void Write(char value)
    {
        if (char.IsSurrogate(value)) inner.Write(value);
        else Write(value.ToString());
    }

    public override void Write(char[] buffer, int index, int count) => Write(new string(buffer, index, count));

    public override void Write(string? value) => inner.Write(VisibleText.OfLines(value ?? ""));

    public override void WriteLine() => inner.WriteLine();

    public override void WriteLine(string? value) => inner.WriteLine(VisibleText.Of(value ?? ""));

    public override void Flush() => inner.Flush();
}
