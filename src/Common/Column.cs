using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.Json.Serialization;

namespace Harness.Common;

/// <summary>What a column of a CSV file says to people.</summary>
/// <param name="Unit">As in <c>s</c> or <c>J/token</c>; empty for texts and counts.</param>
/// <param name="Source">Its formula over other columns, or where the value comes from; empty where the meaning says it all.</param>
public record ColumnInfo(string Name, string Unit, string Meaning, string Source = "");

/// <summary>
/// A property that is a column of a CSV file. This is the one place that declares it: files, documents and reports follow.
/// </summary>
/// <param name="name">In the file, and in JSON.</param>
/// <param name="unit">See <see cref="ColumnInfo"/>.</param>
[AttributeUsage(AttributeTargets.Property)]
public sealed class ColumnAttribute(string name, string unit, string meaning, string source = "") : Attribute
{
    public ColumnInfo Info { get; } = new(name, unit, meaning, source);

    /// <summary>What reports call the column, with its unit; empty where its name and unit will do.</summary>
    public string Heading { get; init; } = "";

    /// <summary>What an axis that shows the column is called; empty where the heading will do.</summary>
    public string Axis { get; init; } = "";

    /// <summary>
    /// Whether two runs of one command may differ in it, although its unit is none of time or energy: it names the run, or judges what was
    /// measured.
    /// </summary>
    public bool IsOfOneRun { get; init; }

    /// <summary>
    /// In which extension of the format the column came: later ones stand behind all earlier ones, so that no column moves.
    /// </summary>
    public int Extension { get; init; }
}

/// <summary>
/// A column that was chosen about a run, rather than came of it: what stays the same along a line of a report's figures, and tells runs
/// apart in words.
/// </summary>
/// <param name="place">Where it stands among what tells runs apart: only what those before did not tell apart is named.</param>
/// <param name="name">For people, before the value; empty where the value speaks for itself.</param>
[AttributeUsage(AttributeTargets.Property)]
public sealed class ChosenAttribute(int place, string name = "") : Attribute
{
    public int Place => place;
    public string Name => name;

    /// <summary>After the value.</summary>
    public string Unit { get; init; } = "";

    /// <summary>In place of an empty value; null where <c>no NAME</c> will do.</summary>
    public string? Absent { get; init; }

    /// <summary>What figures against the column are called in names of files; empty where there are none.</summary>
    public string Figure { get; init; } = "";

    /// <summary>The same in their titles.</summary>
    public string FigureTitle { get; init; } = "";
}

/// <summary>
/// A property whose record's columns are columns here, too. In their names, meanings and headings <c>{0}</c> stands for what this one
/// says.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class ColumnsAttribute(string name = "", string meaning = "", string heading = "") : Attribute
{
    public string Name => name;
    public string Meaning => meaning;
    public string Heading => heading;

    /// <summary>Where the values of those come from that do not say it.</summary>
    public string Source { get; init; } = "";

    /// <inheritdoc cref="ColumnAttribute.Extension"/>
    public int Extension { get; init; }
}

/// <summary>A property that is the same column as one of another record type, of fewer prompts or of other rows.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class SameColumnAttribute(Type record, string name) : Attribute
{
    public Column Column => Column.Under(record).Single(column => column.Name == name);
}

/// <summary>A column of a record type: where its value lies, and what it says to people.</summary>
/// <param name="Heading">What reports call it, with its unit.</param>
/// <param name="Axis">The same on an axis of a figure, where there is room for more.</param>
public sealed record Column(ColumnInfo Info, string Heading, string Axis, int Extension, IReadOnlyList<PropertyInfo> Path)
    : ColumnInfo(Info.Name, Info.Unit, Info.Meaning, Info.Source)
{
    /// <summary>By the end of a column's name, how its unit is said; the first that fits counts.</summary>
    private static readonly (string End, string Unit)[] s_units =
    [
        ("_per_s", "/s"), ("_g_per_kwh", " (g/kWh)"), ("_s", " (s)"), ("_j", " (J)"), ("_w", " (W)"), ("_mhz", " (MHz)"), ("_g", " (g)"),
        ("_b", " (10⁹)"),
    ];

    public Type Type => Path[^1].PropertyType;

    /// <summary>Null for what came of a run.</summary>
    public ChosenAttribute? Chosen => Path[^1].GetCustomAttribute<ChosenAttribute>();

    /// <summary>
    /// Whether two runs of one command may differ in it: what is measured in seconds, joules, watts, degrees or hertz, or is a ratio with
    /// such, and what is declared to be of one run. Counts, texts and answers may not.
    /// </summary>
    public bool MayDiffer => IsOfOneRun
        || Unit.Split('/', '·', ' ').Any(part => part is "s" or "J" or "W" or "°C" or "MHz" or "kWh" or "g");

    /// <inheritdoc cref="ColumnAttribute.IsOfOneRun"/>
    public bool IsOfOneRun { get; init; }

    /// <summary>Whether a row without it is none.</summary>
    public bool IsRequired => Path.Count == 1 && Path[0].IsDefined(typeof(RequiredMemberAttribute));

    public object? Of(object record) => Path.Aggregate((object?)record, (part, property) => property.GetValue(part));

    public void Set(object record, object? value) => Path[^1].SetValue(Path.SkipLast(1).Aggregate(record, Part), value);

    /// <exception cref="FormatException">The text is not of the column's type (NaN and infinity are no figures).</exception>
    public object? Parse(string text)
    {
        var kind = Nullable.GetUnderlyingType(Type) ?? Type;
        if (text.Length == 0 && (kind != Type || Type == typeof(string))) return null;
        try
        {
            var value = Convert.ChangeType(text, kind, CultureInfo.InvariantCulture);
            return value is double number && !double.IsFinite(number) ? throw new FormatException("not finite") : value;
        }
        catch (Exception e) when (e is FormatException or OverflowException)
        {
            var wrong = kind == typeof(double) ? "no figure" : "not of its type";
            throw new FormatException($"column {Name} holds '{text}', which is {wrong}", e);
        }
    }

    /// <summary>Of a record type, in the order of its file.</summary>
    public static IReadOnlyList<Column> Under(Type record) => [.. Under(record, [], new()).OrderBy(column => column.Extension)];

    private static IEnumerable<Column> Under(Type record, IReadOnlyList<PropertyInfo> path, ColumnsAttribute group)
    {
        foreach (var property in record.GetProperties().OrderBy(property => property.MetadataToken))
        {
            IReadOnlyList<PropertyInfo> own = [.. path, property];
            if (property.GetCustomAttribute<ColumnsAttribute>() is { } inner)
                foreach (var column in Under(property.PropertyType, own, inner)) yield return column;
            else if (property.GetCustomAttribute<ColumnAttribute>() is { } column)
                yield return Of(column, own, group);
            else if (property.GetCustomAttribute<SameColumnAttribute>() is { } same)
                yield return same.Column with { Path = own, Extension = group.Extension };
            else if (property.GetCustomAttribute<JsonPropertyNameAttribute>() is { } name)
                yield return Of(new(name.Name, "", ""), own, group);        // of a format of someone else's
        }
    }

    private static Column Of(ColumnAttribute column, IReadOnlyList<PropertyInfo> path, ColumnsAttribute group)
    {
        static string Filled(string text, string with) => text.Replace("{0}", with, StringComparison.Ordinal);
        var (name, unit, meaning, source) = column.Info;
        var info = new ColumnInfo(Filled(name, group.Name), unit, Filled(meaning, group.Meaning),
            source.Length > 0 ? source : group.Source);
        var heading = column.Heading.Length > 0 ? Filled(column.Heading, group.Heading) : Plain(info.Name);
        var axis = column.Axis.Length > 0 ? Filled(column.Axis, group.Meaning) : heading;
        return new(info, heading, axis, Math.Max(column.Extension, group.Extension), path) { IsOfOneRun = column.IsOfOneRun };
    }

    private static string Plain(string name)
    {
        var (end, unit) = s_units.FirstOrDefault(unit => name.EndsWith(unit.End, StringComparison.Ordinal), (End: "", Unit: ""));
        return name[..^end.Length].Replace('_', ' ') + unit;
    }

    private static object Part(object record, PropertyInfo property)
    {
        if (property.GetValue(record) is { } there) return there;
        var part = Activator.CreateInstance(property.PropertyType)!;
        property.SetValue(record, part);
        return part;
    }
}
