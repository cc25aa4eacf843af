using System.ComponentModel;
using System.Globalization;
using System.Numerics;
using System.Text.Json;
using System.Text.Json.Nodes;
using Harness.Common;
using Harness.Runs.Records;
using Harness.Tensors;

namespace Harness.Configuration;

/// <summary>How values are written and read.</summary>
/// <param name="Type">The values that there are, in words.</param>
/// <param name="Read">The value of a text; throws the setting's objection to any other.</param>
/// <param name="Write">As a person would write the value.</param>
internal sealed record Kind<T>(string Type, Func<string, Setting, T> Read, Func<T, string> Write)
{
    /// <summary>As a JSON file has the text.</summary>
    public Func<string, JsonNode> Json { get; init; } = text => JsonValue.Create(text);

    /// <summary>Several values with commas, each of which is a run of its own.</summary>
    public bool IsList { get; init; }
}

/// <summary>The kinds of values that settings have.</summary>
internal static class Kinds
{
    public static Kind<string> Text { get; } = new("text", (text, _) => text, text => text);

    /// <summary>A file or a directory; what it must hold is asked when it is opened.</summary>
    public static Kind<string> Path { get; } = new("path", (text, _) => text, text => text);

    public static Kind<bool> Flag { get; } = new("true or false", (text, row) => Converted<bool>(text, row, "true or false"), Lower)
    {
        Json = text => JsonValue.Create(bool.Parse(text)),
    };

    public static Kind<int> Whole(int least) =>
        Bounded<int>("a whole number", $"a whole number of at least {least}", number => number >= least);

    public static Kind<int> Whole(int least, int most) =>
        Bounded<int>("a whole number", $"a whole number from {least} to {most}", number => number >= least && number <= most);

    public static Kind<ulong> Seed { get; } = Bounded<ulong>("a whole number of at least 0", "a whole number of at least 0", _ => true);

    /// <summary>Empty for none.</summary>
    public static Kind<long?> SeedOrNone { get; } =
        new("a whole number, or empty", (text, row) => Converted<long?>(text, row, "a whole number"), Invariant) { Json = Numeric };

    public static Kind<T> Number<T>(T least, T most) where T : struct, INumber<T> =>
        Number<T>(FormattableString.Invariant($"a number from {least} to {most}"), number => number >= least && number <= most);

    /// <param name="bounds">In words: a number above 0.</param>
    /// <param name="holds">Whether a number is within them.</param>
    public static Kind<T> Number<T>(string bounds, Func<T, bool> holds) where T : struct, INumber<T> => Bounded("a number", bounds, holds);

    /// <summary>A number, or one that stands for none being given.</summary>
    public static Kind<double?> NumberOrNone(double none, string bounds, Func<double, bool> holds)
    {
        var number = Number<double>(bounds, value => value == none || holds(value));
        return new(FormattableString.Invariant($"{bounds}, or {none}: not given"),
            (text, row) => number.Read(text, row) is var value && value == none ? null : value, value => Invariant(value ?? none))
        {
            Json = Numeric,
        };
    }

    /// <param name="least">As a person would write it, as is the longest.</param>
    public static Kind<TimeSpan> Time(string least, string most)
    {
        var (low, high) = (Quantity.Seconds(least)!.Value, Quantity.Seconds(most)!.Value);
        return new($"a time from {least} to {most}", (text, row) =>
        {
            var seconds = Quantity.Seconds(text) ?? throw row.Wrong(text, "a time such as 100ms, 2s or 5min");
            return seconds >= low && seconds <= high ? TimeSpan.FromSeconds(seconds) : throw row.Wrong(text, $"{least} to {most}");
        }, Quantity.Text);
    }

    /// <summary>Above 0 and below 100 %; empty for none.</summary>
    public static Kind<double?> Percentage { get; } = new("a percentage such as 2%, or empty",
        (text, row) => text.Length == 0 ? null
            : Quantity.Share(text) is { } share and > 0 and < 1 ? share : throw row.Wrong(text, "a percentage such as 2%"),
        share => share is { } part ? FormattableString.Invariant($"{part * 100:G12}%") : "");

    /// <summary>Empty for no bound.</summary>
    public static Kind<Slo> Objective { get; } = new($"bounds of {Slo.Names} with commas, each a time, or empty",
        (text, row) => text.Length == 0 ? Slo.None : Slo.Parse(text, row.Named), slo => slo.ToString());

    public static Kind<T> Word<T>() where T : struct, Enum => OneOf(Enum.GetValues<T>());

    /// <summary>Some of the type's values.</summary>
    public static Kind<T> OneOf<T>(params T[] values) where T : struct, Enum
    {
        var words = $"one of {string.Join(", ", values.Select(EnumWord.Of))}";
        return new(words, (text, row) => EnumWord.Find(text, values) ?? throw row.Wrong(text, words), EnumWord.Of);
    }

    /// <summary>Texts that a rule of their own accepts.</summary>
    /// <param name="type">In words.</param>
    /// <param name="check">Throws for any other.</param>
    public static Kind<string> Checked(string type, Action<string, Setting> check) => new(type, (text, row) =>
    {
        check(text, row);
        return text;
    }, text => text);

    /// <summary>A word that leaves the choice to the program, or a value.</summary>
    public static Kind<T?> OrNone<T>(string word, Kind<T> kind) where T : struct =>
        new(Or(kind.Type, word), (text, row) => text == word ? null : kind.Read(text, row),
            value => value is { } known ? kind.Write(known) : word);

    /// <inheritdoc cref="OrNone{T}(string, Kind{T})"/>
    public static Kind<string?> OrNone(string word, Kind<string> kind) =>
        new(Or(kind.Type, word), (text, row) => text == word ? null : kind.Read(text, row),
            value => value == null ? word : kind.Write(value));

    /// <summary>Types that weights are kept in.</summary>
    public static Kind<DType> Weights { get; } = new("one of f32, bf16, f16, int8", (text, _) => DTypes.ParseWeights(text), DTypes.Label);

    /// <summary>Numbers above 0 with commas between them; empty for none.</summary>
    public static Kind<ValueList<T>> Numbers<T>() where T : struct, INumber<T> => new("numbers above 0 with commas, or empty",
        (text, row) => text.Length == 0 ? new() : new([.. text.Split(',').Select(part => Positive<T>(part.Trim())
            ?? throw row.Wrong(text, "numbers above 0 separated by commas"))]),
        numbers => string.Join(',', numbers.Select(Invariant)))
    {
        IsList = true,
    };

    private static T? Positive<T>(string text) where T : struct, INumber<T>
    {
        const NumberStyles WithoutExponent = NumberStyles.Float & ~NumberStyles.AllowExponent;
        return T.TryParse(text, WithoutExponent, CultureInfo.InvariantCulture, out var number) && T.IsFinite(number) && number > T.Zero
            ? number : null;
    }

    private static string Or(string type, string word) => $"{type}, or {(word.Length == 0 ? "empty" : word)}";

    /// <param name="any">What a text that is no such number should have been.</param>
    private static Kind<T> Bounded<T>(string any, string bounds, Func<T, bool> holds) where T : struct, INumber<T> => new(bounds,
        (text, row) => Converted<T>(text, row, any) is var number && holds(number) ? number : throw row.Wrong(text, bounds), Invariant)
    {
        Json = Numeric,
    };

    private static T Converted<T>(string text, Setting row, string expected)
    {
        try
        {
            return (T)TypeDescriptor.GetConverter(typeof(T)).ConvertFromInvariantString(text)!;
        }
        catch (Exception e) when (e is FormatException or ArgumentException or NotSupportedException or OverflowException)
        {
            throw row.Wrong(text, expected);
        }
    }

    /// <summary>As it was written: 0.8 stays 0.8. What JSON does not know as a number (+5) stays text.</summary>
    private static JsonNode Numeric(string text)
    {
        try { return JsonNode.Parse(text)!; }
        catch (JsonException) { return JsonValue.Create(text); }
    }

    private static string Lower(bool value) => value ? "true" : "false";

    private static string Invariant<T>(T value) => Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";
}
