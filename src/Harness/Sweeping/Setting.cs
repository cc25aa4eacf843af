namespace Harness.Sweeping;

/// <summary>One key of a grid with the values that it takes, as text; a dimension where they stood in a list.</summary>
/// <param name="Key">Section:Key, spelled as the options are.</param>
internal sealed record Setting(string Key, IReadOnlyList<string> Values, bool IsDimension);
