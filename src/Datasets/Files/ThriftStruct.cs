using System.Globalization;
using System.Text;

namespace Harness.Datasets.Files;

/// <summary>
/// A struct of Parquet's metadata in Thrift's compact form, by the numbers of its fields. It is held against the format's own definition
/// (parquet.thrift) before Parquet.Net reads it, which takes every field to be of the type that it expects and reads on behind the end of
/// damaged ones, without end.
/// </summary>
internal sealed class ThriftStruct
{
    /// <summary>What the structs hold: <c>NUMBER:TYPE</c>, a type in brackets for a list of it, a struct by its name.</summary>
    private static readonly Dictionary<string, Dictionary<int, string>> s_layouts = Layouts("""
        FileMetaData 1:i32 2:[SchemaElement] 3:i64 4:[RowGroup] 5:[KeyValue] 6:bytes 7:[ColumnOrder] 8:Encryption 9:bytes
        SchemaElement 1:i32 2:i32 3:i32 4:bytes 5:i32 6:i32 7:i32 8:i32 9:i32 10:LogicalType
        LogicalType 1:Empty 2:Empty 3:Empty 4:Empty 5:Decimal 6:Empty 7:Time 8:Time 10:Integer 11:Empty 12:Empty 13:Empty
            14:Empty 15:Empty 16:Variant 17:Geometry 18:Geography
        Empty
        Decimal 1:i32 2:i32
        Time 1:bool 2:TimeUnit
        TimeUnit 1:Empty 2:Empty 3:Empty
        Integer 1:byte 2:bool
        Variant 1:byte
        Geometry 1:bytes
        Geography 1:bytes 2:i32
        RowGroup 1:[ColumnChunk] 2:i64 3:i64 4:[SortingColumn] 5:i64 6:i64 7:i16
        SortingColumn 1:i32 2:bool 3:bool
        ColumnChunk 1:bytes 2:i64 3:ColumnMetaData 4:i64 5:i32 6:i64 7:i32 8:Encryption 9:bytes
        ColumnMetaData 1:i32 2:[i32] 3:[bytes] 4:i32 5:i64 6:i64 7:i64 8:[KeyValue] 9:i64 10:i64 11:i64 12:Statistics
            13:[PageEncoding] 14:i64 15:i32 16:SizeStatistics 17:Geospatial
        KeyValue 1:bytes 2:bytes
        Statistics 1:bytes 2:bytes 3:i64 4:i64 5:bytes 6:bytes 7:bool 8:bool
        PageEncoding 1:i32 2:i32 3:i32
        SizeStatistics 1:i64 2:[i64] 3:[i64]
        Geospatial 1:BoundingBox 2:[i32]
        BoundingBox 1:double 2:double 3:double 4:double 5:double 6:double 7:double 8:double
        ColumnOrder 1:Empty
        PageHeader 1:i32 2:i32 3:i32 4:i32 5:DataPage 6:Empty 7:DictionaryPage 8:DataPage2
        DataPage 1:i32 2:i32 3:i32 4:i32 5:Statistics
        DictionaryPage 1:i32 2:i32 3:bool
        DataPage2 1:i32 2:i32 3:i32 4:i32 5:i32 6:i32 7:bool 8:Statistics
        """);

    private readonly Dictionary<int, object> _fields = [];

    /// <exception cref="InvalidDataException">The bytes are not such a struct, or end before it does.</exception>
    /// <param name="length">Bytes that it takes.</param>
    public static ThriftStruct Parse(string name, ReadOnlySpan<byte> bytes, out int length)
    {
        var reader = new Reader(bytes);
        var parsed = reader.Struct(name);
        length = reader.Position;
        return parsed;
    }

    public bool Has(int field) => _fields.ContainsKey(field);

    /// <summary>Null where the field is not there.</summary>
    public long? Number(int field) => _fields.TryGetValue(field, out var value) ? (long)value : null;

    public string Text(int field) => _fields.TryGetValue(field, out var value) ? (string)value : "";

    public ThriftStruct? Struct(int field) => (ThriftStruct?)_fields.GetValueOrDefault(field);

    public IEnumerable<ThriftStruct> Structs(int field) => Items(field).Cast<ThriftStruct>();

    public IEnumerable<string> Texts(int field) => Items(field).Cast<string>();

    private List<object> Items(int field) => _fields.TryGetValue(field, out var value) ? (List<object>)value : [];

    private static Dictionary<string, Dictionary<int, string>> Layouts(string table)
    {
        var layouts = new Dictionary<string, Dictionary<int, string>>();
        var fields = new Dictionary<int, string>();
        foreach (var word in table.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries))
        {
            if (word.Split(':') is [var number, var type]) fields.Add(int.Parse(number, CultureInfo.InvariantCulture), type);
            else layouts.Add(word, fields = []);
        }
        return layouts;
    }

    private ref struct Reader(ReadOnlySpan<byte> bytes)
    {
        private const int True = 1, False = 2, Byte = 3, I16 = 4, I32 = 5, I64 = 6, Double = 7, Bytes = 8, List = 9, Compound = 12;

        private readonly ReadOnlySpan<byte> _bytes = bytes;

        public int Position { get; private set; }

        public ThriftStruct Struct(string name)
        {
            if (!s_layouts.TryGetValue(name, out var layout)) throw new InvalidDataException($"{name} is not read");
            var read = new ThriftStruct();
            for (short field = 0; ;)
            {
                var head = Next();
                if (head == 0) return read;
                var (delta, type) = (head >> 4, head & 15);
                field = delta == 0 ? (short)Signed(3) : (short)(field + delta);
                if (layout.TryGetValue(field, out var expected)) read._fields[field] = Value(expected, type);
                else Skip(type);
            }
        }

        /// <param name="type">As written; of a boolean it is the value.</param>
        private object Value(string expected, int type)
        {
            if (expected[0] == '[') return Elements(expected[1..^1], type);
            return (expected, type) switch
            {
                ("bool", True or False) => type == True ? 1L : 0L,
                ("byte", Byte) => (long)(sbyte)Next(),
                ("i16", I16) => Signed(3),
                ("i32", I32) => Signed(5),
                ("i64", I64) => Signed(10),
                ("double", Double) => Take(8).Length,
                ("bytes", Bytes) => Encoding.UTF8.GetString(Take((long)Unsigned(5))),
                (_, Compound) => Struct(expected),
                _ => throw new InvalidDataException($"a field of type {type} stands where {expected} is expected"),
            };
        }

        private List<object> Elements(string expected, int type)
        {
            if (type != List) throw new InvalidDataException($"a field of type {type} stands where a list is expected");
            var (count, element) = Head();
            var elements = new List<object>((int)Math.Min(count, 64));
            for (var i = 0L; i < count; i++) elements.Add(Value(expected, element));
            return elements;
        }

        /// <summary>Every element takes a byte at least.</summary>
        private (long Count, int Type) Head()
        {
            var head = Next();
            var count = head >> 4 == 15 ? (long)Unsigned(5) : head >> 4;
            if (count > _bytes.Length - Position) throw CutOff();
            return (count, head & 15);
        }

        /// <summary>A field that this version of the format does not have: what Parquet.Net passes over as well.</summary>
        private void Skip(int type)
        {
            switch (type)
            {
                case True or False:
                    break;
                case Byte:
                    Take(1);
                    break;
                case I16 or I32 or I64:
                    Unsigned(10);
                    break;
                case Double:
                    Take(8);
                    break;
                case Bytes:
                    Take((long)Unsigned(5));
                    break;
                case List when Head() is { Type: Byte or I16 or I32 or I64 or Double or Bytes } list:
                    for (var i = 0L; i < list.Count; i++) Skip(list.Type);
                    break;
                default:
                    throw new InvalidDataException("it has a field that is not known; a newer version of the format may");
            }
        }

        private byte Next() => Take(1)[0];

        private ReadOnlySpan<byte> Take(long count)
        {
            if (count > _bytes.Length - Position) throw CutOff();
            var taken = _bytes.Slice(Position, (int)count);
            Position += (int)count;
            return taken;
        }

        private long Signed(int mostBytes)
        {
            var value = Unsigned(mostBytes);
            return (long)(value >> 1) ^ -(long)(value & 1);
        }

        private ulong Unsigned(int mostBytes)
        {
            var value = 0UL;
            for (var i = 0; i < mostBytes; i++)
            {
                var next = Next();
                value |= (ulong)(next & 0x7F) << (7 * i);
                if (next < 0x80)
                    return mostBytes > 5 || value <= uint.MaxValue ? value : throw new InvalidDataException("a number is too large");
            }
            throw new InvalidDataException("a number has no end");
        }

        private static InvalidDataException CutOff() => new("it is cut off");
    }
}
