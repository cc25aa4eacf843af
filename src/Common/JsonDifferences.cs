using System.Text.Json;

namespace Harness.Common;

/// <summary>
/// Where two JSON values differ, member by member; numbers by more than a relative tolerance. One that is beyond all figures is equal to
/// nothing.
/// </summary>
public static class JsonDifferences
{
    /// <param name="place">Stands in front of each line.</param>
    /// <returns>One line per difference.</returns>
    public static IEnumerable<string> Between(string place, JsonElement written, JsonElement computed, double tolerance)
    {
        if (written.ValueKind != computed.ValueKind) return [$"{place}: written {written.GetRawText()}, computed {computed.GetRawText()}"];
        return written.ValueKind switch
        {
            JsonValueKind.Object => Members(place, written, computed, tolerance),
            JsonValueKind.Array when written.GetArrayLength() != computed.GetArrayLength() =>
                [$"{place}: {written.GetArrayLength()} written, {computed.GetArrayLength()} computed"],
            JsonValueKind.Array => written.EnumerateArray().Zip(computed.EnumerateArray())
                .SelectMany((pair, i) => Between($"{place}[{i}]", pair.First, pair.Second, tolerance)),
            _ => AreEqual(written, computed, tolerance) ? []
                : [$"{place}: written {written.GetRawText()}, computed {computed.GetRawText()}"],
        };
    }

    private static IEnumerable<string> Members(string place, JsonElement written, JsonElement computed, double tolerance)
    {
        foreach (var name in written.EnumerateObject().Concat(computed.EnumerateObject()).Select(member => member.Name).Distinct())
        {
            if (!written.TryGetProperty(name, out var was))
                yield return $"{place}, {name}: written nothing, computed {computed.GetProperty(name).GetRawText()}";
            else if (!computed.TryGetProperty(name, out var now))
                yield return $"{place}, {name}: written {was.GetRawText()}, computed nothing";
            else foreach (var difference in Between($"{place}, {name}", was, now, tolerance)) yield return difference;
        }
    }

    private static bool AreEqual(JsonElement written, JsonElement computed, double tolerance) =>
        written.ValueKind == JsonValueKind.Number ? AreEqual(written.GetDouble(), computed.GetDouble(), tolerance)
            : written.GetRawText() == computed.GetRawText();

    /// <summary>Not "beyond the tolerance": what is not finite is equal to nothing.</summary>
    /// <param name="tolerance">Relative.</param>
    public static bool AreEqual(double written, double computed, double tolerance) =>
        double.IsFinite(written) && Math.Abs(written - computed) <= tolerance * Math.Max(Math.Abs(written), Math.Abs(computed));
}
