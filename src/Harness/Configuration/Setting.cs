using System.Linq.Expressions;
using System.Reflection;
using System.Text.Json.Nodes;
using Harness.Common;

namespace Harness.Configuration;

/// <summary>Which verbs have the switch of a setting.</summary>
internal enum Scope
{
    /// <summary>run and sweep.</summary>
    Run,

    /// <summary>These and score: every verb that loads a model.</summary>
    Model,
}

/// <summary>
/// One row for each key of the configuration. The switches and their help, <c>--print-config</c>, the checks and their messages,
/// the parts of cells' names, a run's identity and docs/settings.md come from it; the default is what its property begins with.
/// </summary>
internal abstract class Setting
{
    private protected static readonly RunOptions Defaults = new();

    /// <summary>Section:Name.</summary>
    public string Key => $"{Section.Name}:{Property.Name}";

    /// <summary>What it sets, in one line without a full stop, for --help and docs/settings.md.</summary>
    public required string Meaning { get; init; }

    /// <summary>The switch for it and what stands after that in the help, nothing after one that stands alone; null where there is none.
    /// Settings of one switch take its value together.</summary>
    public (string Name, string Value)? Switch { get; init; }
    public Scope Scope { get; init; } = Scope.Run;

    /// <summary>Whether two starts with different values are different runs.</summary>
    public bool IsOfIdentity { get; init; } = true;

    /// <summary>Where its value stands in a cell's name, and what stands before it there; settings without a place follow, each with its
    /// own name before it.</summary>
    public (int Place, string Before)? InCellNames { get; init; }

    /// <summary>What a cell's name takes of the value; all of it unless said otherwise.</summary>
    public Func<string, string> Shown { private get; init; } = value => value;

    /// <summary>The property of <see cref="RunOptions"/>, and that of the section.</summary>
    public PropertyInfo Section { get; }
    public PropertyInfo Property { get; }

    /// <summary>The values that it takes, in words.</summary>
    public abstract string Type { get; }

    /// <summary>As a person would write it.</summary>
    public abstract string Default { get; }

    /// <summary>A list with commas, each value of which is a run of its own.</summary>
    public abstract bool IsList { get; }

    /// <summary>The key as people know it: Batch:Size (--batch).</summary>
    public string Named => Switch is { } known ? $"{Key} ({known.Name})" : Key;

    public override string ToString() => Key;

    private protected Setting(LambdaExpression property)
    {
        var member = (MemberExpression)property.Body;
        (Section, Property) = ((PropertyInfo)((MemberExpression)member.Expression!).Member, (PropertyInfo)member.Member);
    }

    /// <summary>The objection to a value.</summary>
    /// <param name="expected">What is expected instead.</param>
    public UserErrorException Wrong(object value, string expected) =>
        Quantity.Wrong(FormattableString.Invariant($"{value}"), Named, expected);

    /// <exception cref="UserErrorException">It does not take this value.</exception>
    public abstract void Set(RunOptions options, string text);

    /// <summary>The value as it stands in a JSON file.</summary>
    public abstract JsonNode Json(string text);

    /// <summary>The part of a cell's name that says this value: tp4.</summary>
    public string CellPart(string value)
    {
        var text = PlainName.Of(Shown(value));
        if (InCellNames is { } part) return part.Before + text;
        var between = text.Length > 0 && char.IsAsciiDigit(text[0]) ? "" : "-";
        return $"{Property.Name.ToLowerInvariant()}{between}{text}".TrimEnd('-');
    }
}

/// <summary>A setting whose values are of a type.</summary>
/// <param name="property">Of a section: options => options.Batch.Size.</param>
/// <param name="kind">How its values are written.</param>
internal sealed class Setting<T>(Expression<Func<RunOptions, T>> property, Kind<T> kind) : Setting(property)
{
    public override string Type => kind.Type;
    public override string Default => kind.Write((T)Property.GetValue(Section.GetValue(Defaults))!);
    public override bool IsList => kind.IsList;
    public override void Set(RunOptions options, string text) => Property.SetValue(Section.GetValue(options), kind.Read(text, this));
    public override JsonNode Json(string text) => kind.Json(text);
}
