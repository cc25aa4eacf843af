using Harness.Common;

namespace Harness.Energy.Recordings;

/// <summary>
/// Lines of a file that a program may have been writing when it was stopped: the last one, where no line feed ends it, may be cut off,
/// and is then left out instead of refused.
/// </summary>
internal sealed class RecordedLines(string file)
{
    private readonly List<string> _remarks = [];

    public IReadOnlyList<string> Remarks => _remarks;

    /// <summary>Every line with something in it.</summary>
    /// <param name="take">Throws <see cref="FormatException"/> at a line that it cannot read.</param>
    /// <param name="finish">After the last line; may throw the same.</param>
    /// <exception cref="UserErrorException">A line cannot be read; it is named.</exception>
    public void Read(Action<string> take, Action? finish = null)
    {
        using var text = new StreamReader(file);
        var number = 0;
        for (var line = text.ReadLine(); line != null;)
        {
            var next = text.ReadLine();
            number++;
            try
            {
                if (line.Trim().Length > 0) take(line);
            }
            catch (Exception e) when (e is FormatException or OverflowException)
            {
                if (next != null || EndsItsLastLine()) throw At(number, e);
                _remarks.Add($"{file}: its last line is cut off and was left out");
            }
            line = next;
        }
        try
        {
            finish?.Invoke();
        }
        catch (Exception e) when (e is FormatException or OverflowException)
        {
            throw At(number, e);
        }
    }

    private UserErrorException At(int number, Exception e) => new($"{file}, line {number}: {e.Message}", e);

    public void Remark(string remark)
    {
        if (!_remarks.Contains(remark)) _remarks.Add(remark);
    }

    private bool EndsItsLastLine()
    {
        using var bytes = File.OpenRead(file);
        bytes.Seek(-1, SeekOrigin.End);
        return bytes.ReadByte() == '\n';
    }
}
