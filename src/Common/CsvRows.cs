using CsvHelper;

namespace Harness.Common;

/// <summary>Rows of a record type as CSV in the form of <see cref="CsvDialect"/>: UTF-8 without byte-order mark.</summary>
public static class CsvRows
{
    public static void WriteHeader<T>(Stream stream)
    {
        using var csv = CsvWriter.Create(stream, CsvDialect.Writing, leaveOpen: true);
        csv.WriteHeader([.. ColumnMap<T>.Names]);
    }

    /// <summary>A whole table: header and rows.</summary>
    public static void WriteTable<T>(Stream stream, IEnumerable<T> rows)
    {
        WriteHeader<T>(stream);
        Write(stream, rows);
    }

    public static void Write<T>(Stream stream, IEnumerable<T> rows)
    {
        using var csv = CsvWriter.Create(stream, CsvDialect.Writing, leaveOpen: true);
        foreach (var row in rows)
        {
            foreach (var column in ColumnMap<T>.Columns)
            {
                var value = column.Of(row!);
                csv.WriteField(value is string text ? CsvDialect.Text(text) : value);
            }
            csv.EndRecord();
        }
    }

    /// <summary>What the columns of a file are called.</summary>
    public static IReadOnlyCollection<string> Columns(Stream stream)
    {
        using var csv = CsvReader.Create(stream, CsvDialect.Reading);
        csv.Read();
        return [.. csv.Headers];
    }

    /// <summary>Columns of an extension of the format may be missing, in files of versions before it, and are empty then.</summary>
    /// <param name="source">The file's name, for messages.</param>
    /// <exception cref="UserErrorException">A column is missing or a value is not of its type; line and column are named.</exception>
    public static IEnumerable<T> Read<T>(Stream stream, string source)
    {
        using var csv = CsvReader.Create(stream, CsvDialect.Reading);
        var more = Next(csv, source);
        if (csv.Headers.Count == 0) throw new UserErrorException($"{source} is empty: it has no header");
        var missing = ColumnMap<T>.Columns.Where(column => column.Extension == 0).Select(column => column.Name).Except(csv.Headers)
            .ToList();
        if (missing.Count > 0) throw new UserErrorException($"{source}:1: has no column {string.Join(", ", missing)}");
        var fields = FieldsOf<T>(csv);
        for (; more; more = Next(csv, source)) yield return Record<T>(csv, fields, source);
    }

    /// <summary>Of each column of the record; negative for one that the file lacks.</summary>
    private static int[] FieldsOf<T>(CsvReader csv) =>
        [.. ColumnMap<T>.Names.Select(name => csv.TryGetFieldIndex(name, out var field) ? field : -1)];

    /// <summary>
    /// The same of a file that another version of the program may have written: columns that it did not write are missing, those it wrote
    /// besides are passed over. An empty file has no rows.
    /// </summary>
    /// <exception cref="UserErrorException">The file is damaged, a value is not of its type, or a column that must be there is not; line
    /// and column are named.</exception>
    public static IEnumerable<T> ReadLoosely<T>(Stream stream, string source)
    {
        using var csv = CsvReader.Create(stream, CsvDialect.Reading);
        if (!Next(csv, source)) yield break;
        var fields = FieldsOf<T>(csv);
        do yield return Record<T>(csv, fields, source);
        while (Next(csv, source));
    }

    /// <summary>Rows as they are written, by column; of columns of one name the first counts.</summary>
    /// <exception cref="UserErrorException">The file is damaged; it and the line are named.</exception>
    public static IEnumerable<Dictionary<string, string>> Texts(Stream stream, string source)
    {
        using var csv = CsvReader.Create(stream, CsvDialect.Reading);
        while (Next(csv, source))
            yield return csv.Headers.Index().DistinctBy(column => column.Item)
                .ToDictionary(column => column.Item, column => csv.GetString(column.Index));
    }

    /// <summary>A record of such a row; an empty text is a missing value.</summary>
    /// <exception cref="UserErrorException">A value is not of its column's type; the file and the column are named.</exception>
    public static T Record<T>(IReadOnlyDictionary<string, string> row, string source)
    {
        try
        {
            return ColumnMap<T>.Record(column => row.GetValueOrDefault(ColumnMap<T>.Names[column]) is { Length: > 0 } text ? text : null);
        }
        catch (FormatException e)
        {
            throw new UserErrorException($"{source}: {e.Message}", e);
        }
    }

    /// <summary>The next row, for those who read without a record type too.</summary>
    /// <exception cref="UserErrorException">The file is damaged; it and the line are named.</exception>
    public static bool Next(CsvReader csv, string source)
    {
        try
        {
            return csv.Read();
        }
        catch (CsvFormatException e)
        {
            throw new UserErrorException($"{source}:{e.LineNumber}: {e.Message}", e);
        }
    }

    /// <summary>The row that the reader stands on.</summary>
    /// <param name="fields">The file's field of each column of the record; negative for a column that the file lacks.</param>
    /// <exception cref="UserErrorException">A value is not of its type, or a column that must be there is not; line and column are
    /// named.</exception>
    public static T Record<T>(CsvReader csv, int[] fields, string source)
    {
        try
        {
            return ColumnMap<T>.Record(column => fields[column] < 0 ? null : csv.GetString(fields[column]));
        }
        catch (FormatException e)
        {
            throw new UserErrorException($"{source}:{csv.LineNumber}: {e.Message}", e);
        }
    }
}
