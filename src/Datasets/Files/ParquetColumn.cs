using System.Text.Json;
using System.Text.Unicode;
using Parquet;
using Parquet.Schema;

namespace Harness.Datasets.Files;

/// <summary>A leaf of a table in one group of rows: its levels and values, gone through from row to row.</summary>
internal sealed class ParquetColumn
{
    /// <summary>What a place holds that was not filled: Parquet.Net does not count what a page really held.</summary>
    private static readonly ReadOnlyMemory<byte> s_unfilled = new byte[1];

    private readonly ParquetNode _leaf;
    private readonly int[] _defined, _repeated;
    private readonly Action<Utf8JsonWriter, int> _write;
    private int _at, _value;

    private ParquetColumn(ParquetNode leaf, int[] defined, int[] repeated, Action<Utf8JsonWriter, int> write) =>
        (_leaf, _defined, _repeated, _write) = (leaf, defined, repeated, write);

    /// <summary>Whether all entries were gone through.</summary>
    public bool IsAtEnd => _at == Entries;

    private int Entries { get; init; }

    /// <summary>The definition level of the entry that comes next.</summary>
    public int Defined => _defined.Length == 0 ? CheckedAt(0) : _defined[_at];

    /// <summary>Whether the next entry is a further element of a list of this level.</summary>
    public bool Continues(int level) => _at < Entries && _repeated.Length > 0 && _repeated[_at] == level;

    /// <summary>Goes on past an entry without a value.</summary>
    public void Skip() => _at++;

    public void Write(Utf8JsonWriter json)
    {
        if (Defined < _leaf.Defined) json.WriteNullValue();
        else _write(json, _value++);
        _at++;
    }

    /// <param name="values">Entries of the column, as its pages count them.</param>
    /// <param name="field">The same leaf as Parquet.Net has it.</param>
    /// <exception cref="InvalidDataException">A text is not valid Unicode, or a page held less than it said.</exception>
    public static ParquetColumn Read(ParquetRowGroupReader group, DataField field, ParquetNode leaf, int values)
    {
        var defined = new int[leaf.Defined > 0 ? values : 0];
        var repeated = new int[leaf.Repeated > 0 ? values : 0];
        var write = leaf.Shape switch
        {
            ParquetShape.Text => Text(leaf, Values(s_unfilled), defined),
            ParquetShape.Boolean => Of<bool>((json, value) => json.WriteBooleanValue(value)),
            ParquetShape.Single => Of<float>((json, value) => Number(json, value)),
            ParquetShape.Double => Of<double>(Number),
            ParquetShape.Unsigned when field.ClrType == typeof(int) => Of<int>((json, value) => json.WriteNumberValue((uint)value)),
            ParquetShape.Unsigned => Of<long>((json, value) => json.WriteNumberValue((ulong)value)),
            _ when field.ClrType == typeof(int) => Of<int>((json, value) => json.WriteNumberValue(value)),
            _ => Of<long>((json, value) => json.WriteNumberValue(value)),
        };
        return new(leaf, defined, repeated, write) { Entries = values };

        T[] Values<T>(T unfilled) where T : struct
        {
            var read = new T[values];
            Array.Fill(read, unfilled);
            group.ReadRawAsync<T>(field, read, leaf.Defined > 0 ? defined : default(Memory<int>?),
                leaf.Repeated > 0 ? repeated : default(Memory<int>?)).AsTask().GetAwaiter().GetResult();
            return read;
        }

        Action<Utf8JsonWriter, int> Of<T>(Action<Utf8JsonWriter, T> write) where T : struct
        {
            var read = Values(default(T));
            return (json, index) => write(json, read[index]);
        }
    }

    private static Action<Utf8JsonWriter, int> Text(ParquetNode leaf, ReadOnlyMemory<byte>[] values, int[] defined)
    {
        var count = defined.Length == 0 ? values.Length : defined.Count(level => level == leaf.Defined);
        if (values.AsSpan(0, count).Contains(s_unfilled)) throw new InvalidDataException("its pages hold fewer values than they say");
        return (json, index) =>
        {
            var text = values[index].Span;
            if (!Utf8.IsValid(text)) throw new InvalidDataException($"has text in \"{leaf.Path}\" that is not valid Unicode");
            json.WriteStringValue(text);
        };
    }

    /// <summary>JSON has no word for what is no number.</summary>
    private static void Number(Utf8JsonWriter json, double value)
    {
        if (double.IsFinite(value)) json.WriteNumberValue(value);
        else json.WriteStringValue(value.ToString(System.Globalization.CultureInfo.InvariantCulture));
    }

    private int CheckedAt(int level) => _at < Entries ? level : throw new InvalidDataException("it has fewer values than rows");
}
