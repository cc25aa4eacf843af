using System.Text;
using System.Text.Json;
using Harness.Common;

namespace Harness.Fuzz;

/// <summary>
/// Changes of JSON and JSON lines, value by value: what stands there is found by a reader, what takes its place need not be JSON.
/// </summary>
internal static class JsonMutations
{
    private const int DeepestNesting = 5_000;

    private static readonly byte[][] s_values =
    [
        .. new[]
        {
            "null", "true", "false", "NaN", "Infinity", "-Infinity", "1e999", "-1e999", "-1", "0", "-0", "1", "0.5", "1e-400", "5e-324",
            "1e308", "1e15", "2147483647", "2147483648", "-2147483648", "4294967296", "9223372036854775807", "9223372036854775808",
            "-9223372036854775808", "18446744073709551616", "79228162514264337593543950336", "\"\"", "\" \"", "\"x\"", "\"\\ud800\"",
            "\"\\udc00\\ud800\"", "\"\\u0000\"", "\"a\\nb\\r\\tc\"", "\"2147483647\"", "\"NaN\"", "\"-1\"", "\"=1+1\"", "\"../../x\"",
            "\"/dev/null\"", "\"9999-12-31T23:59:59Z\"", "\"0001-01-01T00:00:00+14:00\"", "[]", "{}", "[null]", "[[]]", "{\"\":null}",
            "{\"a\":1,\"a\":2}", "[1,2,3]", "[\"x\"]", "/* c */ 1", "1,", "",
        }.Select(Encoding.UTF8.GetBytes),
        [(byte)'"', 0xFF, 0xFE, (byte)'"'], [(byte)'"', 0xC3, 0x28, (byte)'"'], [(byte)'"', 0xED, 0xA0, 0x80, (byte)'"'],
        [(byte)'"', 0, (byte)'"'],
    ];

    private static readonly byte[][] s_names =
    [
        .. new[] { "\"\"", "\"x\"", "\"\\ud800\"", "\"\\u0000\"", "\"a\\nb\"", "null", "1", "\"__metadata__\"" }
            .Select(Encoding.UTF8.GetBytes),
        [(byte)'"', 0xFF, (byte)'"'], [(byte)'"', 0xED, 0xA0, 0x80, (byte)'"'],
    ];

    /// <summary>Where a value or a member stands.</summary>
    /// <param name="Start">Of the value; of the name, for a member.</param>
    /// <param name="ValueStart">Of the value in either case.</param>
    private readonly record struct Place(int Start, int ValueStart, int End);

    public static byte[] Change(byte[] input, byte[] other, SplitMix64 random)
    {
        var (values, members) = Places(input);
        if (values.Count == 0) return ByteMutations.Change(input, other, random);
        var value = random.Of(values);
        switch (random.Index(members.Count > 0 ? 12 : 6))
        {
            case < 4:
                return ByteMutations.Replaced(input, value.Start, value.End, random.Of(s_values));
            case 4:
                var from = random.Of(values);
                return ByteMutations.Replaced(input, value.Start, value.End, input.AsSpan(from.Start, from.End - from.Start));
            case 5:
                return Nested(input, value, random);
            case 6:
                var gone = random.Of(members);
                return Removed(input, gone);
            case 7:
                var twice = random.Of(members);
                return ByteMutations.Replaced(input, twice.End, twice.End,
                    [(byte)',', .. input.AsSpan(twice.Start, twice.End - twice.Start)]);
            case 8:
                var renamed = random.Of(members);
                var name = random.Index(2) == 0 ? random.Of(s_names) : NameOf(input, random.Of(members));
                return ByteMutations.Replaced(input, renamed.Start, renamed.ValueStart, [.. name, (byte)':']);
            case 9:
                return Taken(input, random.Of(members), other, random);
            default:
                var member = random.Of(members);
                return ByteMutations.Replaced(input, member.ValueStart, member.End, random.Of(s_values));
        }
    }

    /// <summary>The value of a member becomes the one that another input has, of whatever name.</summary>
    private static byte[] Taken(byte[] input, Place member, byte[] other, SplitMix64 random)
    {
        var theirs = Places(other).Values;
        if (theirs.Count == 0) return input;
        var value = random.Of(theirs);
        return ByteMutations.Replaced(input, member.ValueStart, member.End, other.AsSpan(value.Start, value.End - value.Start));
    }

    /// <summary>A list or an object in a list or an object, and so on: once, as deep as most readers go, or far deeper.</summary>
    private static byte[] Nested(byte[] input, Place value, SplitMix64 random)
    {
        var depth = random.Of([1, 60, 70, DeepestNesting]);
        var (open, close) = random.Index(2) == 0 ? ("[", "]") : ("{\"a\":", "}");
        var before = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat(open, depth)));
        var behind = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat(close, depth)));
        return ByteMutations.Replaced(input, value.Start, value.End,
            [.. before, .. input.AsSpan(value.Start, value.End - value.Start), .. behind]);
    }

    /// <summary>With the comma behind it or before it, so that the rest stays JSON.</summary>
    private static byte[] Removed(byte[] input, Place member)
    {
        var (start, end) = (member.Start, member.End);
        while (end < input.Length && input[end] is (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t') end++;
        if (end < input.Length && input[end] == (byte)',') return ByteMutations.Replaced(input, start, end + 1, []);
        while (start > 0 && input[start - 1] is (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t') start--;
        if (start > 0 && input[start - 1] == (byte)',') start--;
        return ByteMutations.Replaced(input, start, member.End, []);
    }

    private static byte[] NameOf(byte[] input, Place member)
    {
        var text = input.AsSpan(member.Start, member.ValueStart - member.Start);
        return text[..(text.LastIndexOf((byte)'"') + 1)].ToArray();
    }

    /// <summary>As far as the input is JSON, or several values one behind the other.</summary>
    private static (List<Place> Values, List<Place> Members) Places(byte[] input)
    {
        var (values, members) = (new List<Place>(), new List<Place>());
        var open = new Stack<(int Start, int Name)>();
        var reader = new Utf8JsonReader(input, new JsonReaderOptions { AllowMultipleValues = true, MaxDepth = 1_000 });
        var name = -1;
        try
        {
            while (reader.Read())
            {
                var (start, end) = ((int)reader.TokenStartIndex, (int)reader.BytesConsumed);
                switch (reader.TokenType)
                {
                    case JsonTokenType.PropertyName:
                        name = start;
                        break;
                    case JsonTokenType.StartObject or JsonTokenType.StartArray:
                        open.Push((start, name));
                        name = -1;
                        break;
                    case JsonTokenType.EndObject or JsonTokenType.EndArray:
                        var (began, named) = open.Pop();
                        Add(began, named, end);
                        break;
                    default:
                        Add(start, name, end);
                        name = -1;
                        break;
                }
            }
        }
        catch (JsonException)
        {
            // What came before the damage is changed.
        }
        return (values, members);

        void Add(int start, int named, int end)
        {
            values.Add(new(start, start, end));
            if (named >= 0) members.Add(new(named, start, end));
        }
    }
}
