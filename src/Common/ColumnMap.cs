namespace Harness.Common;

/// <summary>The columns of a record type (<see cref="ColumnAttribute"/>), in the order of its file.</summary>
public static class ColumnMap<T>
{
    public static IReadOnlyList<Column> Columns { get; } = Column.Under(typeof(T));

    public static IReadOnlyList<string> Names { get; } = [.. Columns.Select(column => column.Name)];

    private static readonly Dictionary<string, Column> s_byName = Columns.ToDictionary(column => column.Name);

    /// <summary>Null where there is none of the name.</summary>
    public static Column? Find(string name) => s_byName.GetValueOrDefault(name);

    /// <exception cref="ArgumentException">There is none of the name.</exception>
    public static Column Named(string name) => Find(name) ?? throw new ArgumentException($"{typeof(T).Name} has no column {name}");

    /// <summary>
    /// A record from its texts. An empty text is a missing value; a column that is not there leaves what the record starts with.
    /// </summary>
    /// <param name="text">By position in <see cref="Columns"/>; null for a column that is not there.</param>
    /// <exception cref="FormatException">A text is not of its column's type (NaN and infinity are no figures), or a column that must be
    /// there is not; the column is named.</exception>
    public static T Record(Func<int, string?> text)
    {
        object record = Activator.CreateInstance<T>()!;
        for (var i = 0; i < Columns.Count; i++)
        {
            if (text(i) is { } given) Columns[i].Set(record, Columns[i].Parse(given));
            else if (Columns[i].IsRequired) throw new FormatException($"has no column {Columns[i].Name}");
        }
        return (T)record;
    }
}
