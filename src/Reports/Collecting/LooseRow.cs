using CsvHelper;
using Harness.Common;

namespace Harness.Reports.Collecting;

/// <summary>
/// Rows of a record that another version of the program may have written: columns that it did not write are missing, those it
/// wrote besides are passed over.
/// </summary>
internal static class LooseRow<T>
{
    /// <param name="row">Texts by column; an empty one is a missing value.</param>
    /// <param name="source">The file's name, for messages.</param>
    /// <exception cref="UserErrorException">A value is not of its column's type; the file and the column are named.</exception>
    public static T Typed(IReadOnlyDictionary<string, string> row, string source)
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

    /// <exception cref="UserErrorException">The file is damaged; it is named.</exception>
    public static IEnumerable<T> Read(Stream stream, string source)
    {
        using var csv = CsvReader.Create(stream, CsvDialect.Reading);
        if (!CsvRows.Next(csv, source)) yield break;
        int[] fields = [.. ColumnMap<T>.Names.Select(name => csv.TryGetFieldIndex(name, out var field) ? field : -1)];
        do yield return CsvRows.Record<T>(csv, fields, source);
        while (CsvRows.Next(csv, source));
    }
}
