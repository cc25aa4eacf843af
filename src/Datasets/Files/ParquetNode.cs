namespace Harness.Datasets.Files;

/// <summary>What a part of a row is in JSON.</summary>
internal enum ParquetShape
{
    /// <summary>UTF-8, and bytes of which nothing else is said.</summary>
    Text,
    Boolean,
    Integer,
    Unsigned,
    Single,
    Double,
    Object,
    List,

    /// <summary>No prompt is made of it: an empty object, whose values are not read.</summary>
    Unread,
}

/// <summary>A column of a table or a part of one, by the levels of Dremel (Melnik et al. 2010).</summary>
/// <param name="Defined">The definition level from which on it is not null.</param>
internal sealed record ParquetNode(string Name, ParquetShape Shape, int Defined)
{
    /// <summary>Fields of an object; the element of a list; none of a leaf.</summary>
    public IReadOnlyList<ParquetNode> Children { get; init; } = [];

    /// <summary>Of a list: the definition level from which on it has an element.</summary>
    public int Filled { get; init; }

    /// <summary>Of a list: the repetition level of a further element. Of a leaf: of the innermost list around it.</summary>
    public int Repeated { get; init; }

    /// <summary>Of a leaf: its place among all leaves of the file.</summary>
    public int Leaf { get; init; } = -1;

    /// <summary>Of a leaf: <c>conversations.list.element.value</c>.</summary>
    public string Path { get; init; } = "";

    /// <summary>Leaves whose values are read, in order.</summary>
    public IEnumerable<ParquetNode> Leaves() =>
        Shape == ParquetShape.Unread ? [] : Leaf >= 0 ? [this] : Children.SelectMany(child => child.Leaves());
}

/// <summary>Makes a tree of a footer's list of elements: parquet-format's parquet.thrift and LogicalTypes.md.</summary>
internal sealed class ParquetSchemaTree(IReadOnlyList<ThriftStruct> schema)
{
    private const int MostLevels = 16;
    private const int Required = 0, Repeated = 2;               // FieldRepetitionType
    private const int Utf8 = 0, Map = 1, MapKeyValue = 2, ListOf = 3, EnumWord = 4, Json = 19;      // ConvertedType
    private const int TextLogically = 1, MapLogically = 2, ListLogically = 3, EnumLogically = 4, IntegerLogically = 10, JsonLogically = 12;

    private readonly List<(string Path, int Defined, int Repeated)> _leaves = [];
    private int _next = 1;

    /// <summary>Path and levels of every leaf, read or not, in the order of the file's column chunks.</summary>
    public IReadOnlyList<(string Path, int Defined, int Repeated)> Leaves => _leaves;

    /// <param name="isUsed">By the name of a column.</param>
    /// <exception cref="InvalidDataException">The elements make no tree.</exception>
    public IReadOnlyList<ParquetNode> Columns(Predicate<string> isUsed)
    {
        if (schema.Count == 0) throw new InvalidDataException("it has no schema");
        var columns = new List<ParquetNode>();
        for (var left = schema[0].Number(5) ?? 0; left > 0; left--) columns.Add(Read(0, 0, "", level: 1));
        if (_next != schema.Count) throw new InvalidDataException("its schema has more elements than its root says");
        if (columns.Count == 0) throw new InvalidDataException("it has no column");
        if (columns.CountBy(column => column.Name).FirstOrDefault(name => name.Value > 1).Key is { } twice)
            throw new InvalidDataException($"it has the column \"{twice}\" twice");
        return [.. columns.Select(column => isUsed(column.Name) ? column : Unread(column))];
    }

    private ParquetNode Read(int defined, int repeated, string above, int level)
    {
        if (level > MostLevels) throw new InvalidDataException($"its columns are nested deeper than {MostLevels} levels");
        if (_next >= schema.Count) throw new InvalidDataException("its schema is cut off");
        var element = schema[_next++];
        var (name, repetition, count) = (element.Text(4), element.Number(3) ?? Required, element.Number(5) ?? 0);
        var path = above.Length == 0 ? name : $"{above}.{name}";
        var (own, deep) = (repetition == Required ? defined : defined + 1, repetition == Repeated ? repeated + 1 : repeated);
        ParquetNode node;
        if (count == 0)
        {
            node = new(name, ShapeOf(element), own) { Leaf = _leaves.Count, Path = path, Repeated = deep };
            _leaves.Add((path, own, deep));
        }
        else
        {
            var children = new List<ParquetNode>();
            for (var left = count; left > 0; left--) children.Add(Read(own, deep, path, level + 1));
            node = Group(element, name, own, children);
        }
        // Repeated without an annotation: a list that is never null, of elements that never are.
        return repetition != Repeated || node.Shape == ParquetShape.Unread ? node
            : new(name, ParquetShape.List, defined) { Children = [node], Filled = own, Repeated = deep };
    }

    private static ParquetNode Group(ThriftStruct element, string name, int defined, List<ParquetNode> children)
    {
        var node = new ParquetNode(name, ParquetShape.Object, defined) { Children = children };
        if (Is(element, Map, MapLogically) || Is(element, MapKeyValue, MapLogically)
            || children.TrueForAll(child => child.Shape == ParquetShape.Unread)) return Unread(node);
        if (!Is(element, ListOf, ListLogically) || children is not [{ Shape: ParquetShape.List } list]) return node;
        // The group in between is no object of the row's, save in the older forms that have none in between.
        return list with
        {
            Name = name,
            Children = list.Children is [{ Shape: ParquetShape.Object, Children: [var only] } between] && between.Name != "array"
                && between.Name != $"{name}_tuple" ? [only] : list.Children,
        };
    }

    private static ParquetNode Unread(ParquetNode node) => new(node.Name, ParquetShape.Unread, node.Defined);

    private static bool Is(ThriftStruct element, int converted, int logical) =>
        element.Number(6) == converted || element.Struct(10)?.Has(logical) == true;

    private static ParquetShape ShapeOf(ThriftStruct element)
    {
        var isPlain = !element.Has(6) && !element.Has(10);
        return element.Number(1) switch
        {
            0 => ParquetShape.Boolean,
            1 or 2 when isPlain => ParquetShape.Integer,
            1 or 2 when element.Struct(10)?.Struct(IntegerLogically) is { } integer =>
                integer.Number(2) == 0 ? ParquetShape.Unsigned : ParquetShape.Integer,
            1 or 2 => element.Number(6) switch
            {
                >= 11 and <= 14 => ParquetShape.Unsigned,        // UINT_8 to UINT_64
                >= 15 and <= 18 => ParquetShape.Integer,
                _ => ParquetShape.Unread,                        // dates, times, decimals
            },
            4 when isPlain => ParquetShape.Single,
            5 when isPlain => ParquetShape.Double,
            6 when isPlain || Is(element, Utf8, TextLogically) || Is(element, EnumWord, EnumLogically)
                || Is(element, Json, JsonLogically) => ParquetShape.Text,
            null => throw new InvalidDataException($"its column \"{element.Text(4)}\" has no type"),
            _ => ParquetShape.Unread,
        };
    }
}
