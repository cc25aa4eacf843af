using System.Text;

namespace Harness.MLTokenizers;

/// <summary>Text in which a lone surrogate is U+FFFD, as the seam asks; the package takes texts as they come.</summary>
internal static class WholeCharacters
{
    public static string Of(string text) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
}
