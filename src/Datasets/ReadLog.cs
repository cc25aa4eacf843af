using Harness.Datasets.Files;

namespace Harness.Datasets;

/// <summary>
/// What became of the records of a file besides the prompts: which were left out and why, and which fields no prompt was made of. Begins
/// anew with every reading.
/// </summary>
public sealed class ReadLog
{
    private const int MostFields = 12;

    private readonly SortedDictionary<string, int> _leftOut = new(StringComparer.Ordinal);
    private readonly SortedSet<string> _unread = new(StringComparer.Ordinal);
    private int _records;

    /// <summary>Reasons, each with the number of records that were left out for it.</summary>
    public IReadOnlyDictionary<string, int> LeftOut => _leftOut;

    /// <summary>Fields that no prompt was made of.</summary>
    public IReadOnlyCollection<string> UnreadFields => _unread;

    /// <summary>For people, one line each; none where every record became a prompt, with all its fields.</summary>
    public IEnumerable<string> Notes(string source)
    {
        foreach (var (reason, count) in _leftOut)
            yield return $"{source}: {count} of {_records} records {(count == 1 ? "is" : "are")} left out: {reason}";
        if (_unread.Count > 0)
            yield return $"{source}: no prompt is made of "
                + $"{string.Join(", ", _unread.Take(MostFields).Select(field => $"\"{field}\""))}{(_unread.Count > MostFields ? $" and {_unread.Count - MostFields} more fields" : "")}";
    }

    internal void Begin()
    {
        _leftOut.Clear();
        _unread.Clear();
        _records = 0;
    }

    /// <summary>
    /// A record was read; whatever the kind of data set does not use of it is noted, or refused (<see cref="DatasetFields"/>).
    /// </summary>
    internal void Read(DatasetRecord record, DatasetFields fields)
    {
        _records++;
        fields.Check(record, _unread);
    }

    internal void LeaveOut(string reason) => _leftOut[reason] = _leftOut.GetValueOrDefault(reason) + 1;
}
