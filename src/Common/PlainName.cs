using System.Text.RegularExpressions;

namespace Harness.Common;

/// <summary>Names that directories, files and shells take as they are.</summary>
public static partial class PlainName
{
    /// <summary>Whether a directory of its own can be called so: no path, no control characters.</summary>
    public static bool Is(string name) =>
        name is not ("" or "." or "..") && name.IndexOfAny(['/', '\\']) < 0 && !name.Any(char.IsControl);

    /// <summary>The text with a dash for whatever is neither letter, digit, dot nor underscore; may be empty.</summary>
    public static string Of(string text) => Unfit().Replace(text, "-").Trim('-', '.');

    /// <summary>llama-7b of /models/llama-7b/.</summary>
    public static string LastPart(string path) => path.TrimEnd('/', '\\').Split('/', '\\')[^1];

    [GeneratedRegex("[^A-Za-z0-9._]+")]
    private static partial Regex Unfit();
}
