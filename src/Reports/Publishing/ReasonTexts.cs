using System.Text.RegularExpressions;

namespace Harness.Reports.Publishing;

/// <summary>What each code of <c>invalid_reasons</c> means: the table of docs/measurement.md, which is built in.</summary>
internal static partial class ReasonTexts
{
    public static IReadOnlyDictionary<string, string> All { get; } = Resources.Text("measurement.md").Split('\n')
        .Select(line => Row().Match(line)).Where(match => match.Success)
        .SkipWhile(match => match.Groups["code"].Value != Energy.Accounting.InvalidReason.NoMeter)
        .ToDictionary(match => match.Groups["code"].Value, match => match.Groups["text"].Value.Replace("`", "", StringComparison.Ordinal));

    [GeneratedRegex(@"^\| `(?<code>[a-z_]+)` \| (?<text>[^|]+) \|$")]
    private static partial Regex Row();
}

/// <summary>Files that are part of the program.</summary>
internal static class Resources
{
    public static string Text(string name)
    {
        using var reader = new StreamReader(Open(name));
        return reader.ReadToEnd().ReplaceLineEndings("\n");       // as a browser reads them, whatever git made of them
    }

    public static byte[] Bytes(string name)
    {
        using var stream = Open(name);
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }

    private static Stream Open(string name) => typeof(Resources).Assembly.GetManifestResourceStream($"report/{name}")
        ?? throw new InvalidOperationException($"the build lacks its resource report/{name}");
}
