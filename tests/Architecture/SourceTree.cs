using System.Text.RegularExpressions;

namespace Harness.Tests.Architecture;

/// <summary>The C# files below src, and which namespaces each namespace makes use of.</summary>
internal static partial class SourceTree
{
    private sealed record Source(string Path, string Namespace, IReadOnlySet<string> Imports, IReadOnlySet<string> Words, string Code);

    /// <summary>Uses: by a namespace the types of another that it names, each with one file that does so.</summary>
    public sealed record Use(string From, string To, string Type, string File);

    private static readonly Lazy<IReadOnlyList<Source>> s_sources = new(() => [.. Files().Select(Read)]);

    /// <summary>Every namespace that holds a type.</summary>
    public static IEnumerable<string> Namespaces => s_sources.Value.Select(source => source.Namespace).Distinct();

    /// <summary>Paths from the repository's root, build outputs left out.</summary>
    public static IEnumerable<string> Files() =>
        Directory.EnumerateFiles(Path.Combine(SharedData.RepositoryRoot, "src"), "*.cs", SearchOption.AllDirectories)
            .Select(file => Path.GetRelativePath(SharedData.RepositoryRoot, file))
            .Where(file => !BuildOutput().IsMatch(file));

    public static IReadOnlyList<Use> Uses()
    {
        var types = s_sources.Value.SelectMany(source =>
            Declarations().Matches(source.Code).Select(match => (Type: match.Groups[1].Value, source.Namespace)))
            .ToLookup(declared => declared.Type, declared => declared.Namespace);
        return [.. from source in s_sources.Value
                   from word in source.Words
                   from home in types[word].Distinct()
                   where home != source.Namespace && Sees(source, home, word)
                   group source by (source.Namespace, home, word) into use
                   select new Use(use.Key.Namespace, use.Key.home, use.Key.word, use.First().Path)];
    }

    /// <summary>By a using directive, as a namespace around its own, or by a name that is written out.</summary>
    private static bool Sees(Source source, string home, string word) =>
        source.Imports.Contains(home) || source.Namespace.StartsWith(home + ".", StringComparison.Ordinal)
        || source.Code.Contains($"{home[(home.IndexOf('.') + 1)..]}.{word}", StringComparison.Ordinal);

    private static Source Read(string path)
    {
        var code = Comments().Replace(File.ReadAllText(Path.Combine(SharedData.RepositoryRoot, path)), "");
        code = Texts().Replace(code, "\"\"");
        var body = Usings().Replace(code, "");
        return new(path, Namespace().Match(code) is { Success: true } found ? found.Groups[1].Value : "Harness",
            Usings().Matches(code).Select(match => match.Groups[1].Value).ToHashSet(),
            Words().Matches(body).Select(match => match.Value).ToHashSet(), body);
    }

    [GeneratedRegex(@"(^|/)(obj|bin)/")]
    private static partial Regex BuildOutput();

    [GeneratedRegex(@"//[^\n]*")]
    private static partial Regex Comments();

    [GeneratedRegex(@"""(\\.|[^""\\\n])*""")]
    private static partial Regex Texts();

    [GeneratedRegex(@"^using (?:static |\w+ = )?([\w.]+);", RegexOptions.Multiline)]
    private static partial Regex Usings();

    [GeneratedRegex(@"^namespace ([\w.]+);", RegexOptions.Multiline)]
    private static partial Regex Namespace();

    [GeneratedRegex(@"\b[A-Z]\w*\b")]
    private static partial Regex Words();

    [GeneratedRegex(@"^\s*(?:\[[^\n]*\]\s*)?(?:public|internal|file)\s+(?:(?:sealed|static|abstract|readonly|partial|unsafe|ref)\s+)*"
        + @"(?:class|record struct|record|struct|interface|enum|delegate\s+[\w<>?\[\]]+)\s+(\w+)", RegexOptions.Multiline)]
    private static partial Regex Declarations();
}
