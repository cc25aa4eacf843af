using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using CsvHelper;
using CsvHelper.Configuration;
using CsvHelper.TypeConversion;
using Harness.Tensors;

namespace Harness.Records;

/// <summary>
/// Rows of a record type as CSV: UTF-8 without byte-order mark, lines ended by a line feed, numbers in the shortest form that
/// reads back to the same bits, booleans <c>true</c> and <c>false</c>, missing values empty.
/// </summary>
public static class CsvRows
{
    public static void WriteHeader<T>(Stream stream)
    {
        using var writer = Open<T>(stream);
        writer.WriteHeader<T>();
        writer.NextRecord();
    }

    public static void Write<T>(Stream stream, IEnumerable<T> rows)
    {
        using var writer = Open<T>(stream);
        foreach (var row in rows)
        {
            writer.WriteRecord(row);
            writer.NextRecord();
        }
    }

    /// <summary>
    /// Writes rows as often as it is called. CsvHelper compiles a type's columns anew for every writer, some 20 ms, which must not
    /// be spent at each batch of a measured run: it is spent here, once.
    /// </summary>
    public static Action<Stream, IEnumerable<T>> Writer<T>()
    {
        var text = new StringWriter(CultureInfo.InvariantCulture);
        var csv = Open<T>(text);
        csv.WriteRecord((T)RuntimeHelpers.GetUninitializedObject(typeof(T)));
        csv.NextRecord();
        return (stream, rows) =>
        {
            csv.Flush();
            text.GetStringBuilder().Clear();
            foreach (var row in rows)
            {
                csv.WriteRecord(row);
                csv.NextRecord();
            }
            csv.Flush();
            stream.Write(Encoding.UTF8.GetBytes(text.ToString()));
        };
    }

    /// <param name="source">The file's name, for messages.</param>
    /// <exception cref="UserErrorException">A column is missing or a value is not of its type; line and column are named.</exception>
    public static IEnumerable<T> Read<T>(Stream stream, string source)
    {
        using var reader = new CsvReader(new StreamReader(stream, Encoding.UTF8), Configuration());
        Prepare<T>(reader.Context);
        using var rows = reader.GetRecords<T>().GetEnumerator();
        while (true)
        {
            try
            {
                if (!rows.MoveNext())
                    if (reader.HeaderRecord == null) throw new UserErrorException($"{source} is empty: it has no header");
                    else yield break;
            }
            catch (CsvHelperException e)
            {
                throw new UserErrorException($"{source}:{Math.Max(reader.Parser.RawRow, 1)}: {Describe(e, reader)}", e);
            }
            yield return rows.Current;
        }
    }

    /// <summary>The next row's texts, in <see cref="CsvParser.Record"/>, for those who read without a record type.</summary>
    /// <exception cref="UserErrorException">The file is damaged; it and the line are named.</exception>
    internal static bool Next(CsvParser csv, string source)
    {
        try
        {
            return csv.Read();
        }
        catch (CsvHelperException e)
        {
            throw new UserErrorException($"{source}:{csv.RawRow}: {e.Message.Split('\n')[0].Trim()}", e);
        }
    }

    internal static CsvConfiguration Configuration() => new(CultureInfo.InvariantCulture) { NewLine = "\n" };

    private static CsvWriter Open<T>(Stream stream) => Open<T>(new StreamWriter(stream, leaveOpen: true));

    private static CsvWriter Open<T>(TextWriter text)
    {
        var writer = new CsvWriter(text, Configuration());
        Prepare<T>(writer.Context);
        return writer;
    }

    private static void Prepare<T>(CsvContext context)
    {
        context.TypeConverterCache.AddConverter<bool>(new LowerCaseBoolean());
        context.TypeConverterOptionsCache.GetOptions<string>().NullValues.Add("");
        context.RegisterClassMap<ColumnMap<T>>();
    }

    private static string Describe(CsvHelperException e, CsvReader reader) => e switch
    {
        HeaderValidationException h => $"has no column {string.Join(", ", h.InvalidHeaders.SelectMany(i => i.Names))}",
        TypeConverterException t => $"column {reader.HeaderRecord?.ElementAtOrDefault(reader.CurrentIndex)} holds '{t.Text}', which is not of its type",
        CsvHelper.MissingFieldException => "has fewer columns than its header",
        _ => e.Message.Split('\n')[0],
    };

    private sealed class LowerCaseBoolean : BooleanConverter
    {
        public override string ConvertToString(object? value, IWriterRow row, MemberMapData memberMapData) =>
            value switch { true => "true", false => "false", _ => "" };
    }
}
