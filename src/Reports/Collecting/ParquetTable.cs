using System.Globalization;
using System.Text.Json;
using Harness.Common;
using Parquet;
using Parquet.Schema;

namespace Harness.Reports.Collecting;

/// <summary>
/// A table of typed columns as a Parquet file: figures are doubles, counts 64-bit integers, times timestamps in UTC of microseconds, all
/// else is text; what is missing is null. What the columns mean stands in the file's metadata under <see cref="MeaningsKey"/>.
/// </summary>
/// <param name="rows">As many values has every column.</param>
internal sealed class ParquetTable(int rows)
{
    /// <summary>A JSON object: for each column its unit, meaning and source, as docs/columns.md has them.</summary>
    public const string MeaningsKey = "harness.columns";

    private readonly List<(DataField Field, Func<ParquetRowGroupWriter, DataField, Task> Write)> _columns = [];
    private readonly List<ColumnInfo> _meanings = [];

    /// <summary>Of a record's column.</summary>
    /// <param name="value">By row: of the column's own type, or null.</param>
    /// <exception cref="FormatException">A time is no time.</exception>
    public void Add(Column column, Func<int, object?> value)
    {
        _meanings.Add(column);
        var type = Nullable.GetUnderlyingType(column.Type) ?? column.Type;
        if (type == typeof(double)) Add(column.Name, value, cell => (double)cell);
        else if (type == typeof(bool)) Add(column.Name, value, cell => (bool)cell);
        else if (type == typeof(int) || type == typeof(long))
            Add(column.Name, value, cell => Convert.ToInt64(cell, CultureInfo.InvariantCulture));
        else if (column.Name.EndsWith("_utc", StringComparison.Ordinal))
            Add(Time(column.Name), value, cell => Moment(column.Name, (string)cell));
        else AddText(column.Name, row => Convert.ToString(value(row), CultureInfo.InvariantCulture));
    }

    public void AddText(string name, Func<int, string?> value)
    {
        var texts = Enumerable.Range(0, rows).Select(row => value(row) is { Length: > 0 } text ? text : null).ToList();
        _columns.Add((new DataField<string>(name, nullable: true), (group, field) => group.WriteAsync(field, texts)));
    }

    public void Write(Stream output) => WriteAsync(output).GetAwaiter().GetResult();

    private void Add<T>(string name, Func<int, object?> value, Func<object, T> of) where T : struct =>
        Add(new DataField<T>(name, nullable: true), value, of);

    private void Add<T>(DataField field, Func<int, object?> value, Func<object, T> of) where T : struct
    {
        T?[] cells = [.. Enumerable.Range(0, rows).Select(row => value(row) is { } cell ? of(cell) : default(T?))];
        _columns.Add((field, (group, column) => group.WriteAsync<T>(column, cells)));
    }

    private static DateTimeDataField Time(string name) =>
        new(name, DateTimeFormat.Timestamp, isAdjustedToUTC: true, DateTimeTimeUnit.Micros, isNullable: true);

    private static DateTime Moment(string column, string text) =>
        DateTime.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal,
            out var time) ? time : throw new FormatException($"column {column} holds '{text}', which is no time");

    /// <summary>Into memory first: the format ends with what was written where.</summary>
    private async Task WriteAsync(Stream output)
    {
        using var table = new MemoryStream();
        await using (var writer = await ParquetWriter.CreateAsync(new ParquetSchema(_columns.Select(column => column.Field)), table))
        {
            writer.CustomMetadata = new Dictionary<string, string> { [MeaningsKey] = Meanings() };
            using var group = writer.CreateRowGroup();
            foreach (var (field, write) in _columns) await write(group, field);
            group.CompleteValidate();
        }
        output.Write(table.GetBuffer().AsSpan(0, (int)table.Length));
    }

    private string Meanings() => JsonSerializer.Serialize(_meanings.ToDictionary(column => column.Name,
        column => new Dictionary<string, string> { ["unit"] = column.Unit, ["meaning"] = column.Meaning, ["source"] = column.Source }));
}
