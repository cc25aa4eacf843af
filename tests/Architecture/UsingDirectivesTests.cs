using System.Text.RegularExpressions;

namespace Harness.Tests.Architecture;

/// <summary>
/// The order of using directives, the one part of dotnet format --verify-no-changes that neither its check of whitespace nor an analyzer of
/// the build looks at: System first, then by name, aliases last.
/// </summary>
[TestFixture]
public sealed partial class UsingDirectivesTests
{
    [Test]
    public void AreSorted()
    {
        var files = new[] { "src", "tests", "bench" }.Select(folder => Path.Combine(SharedData.RepositoryRoot, folder))
            .SelectMany(folder => Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories))
            .Where(file => !BuildOutput().IsMatch(file)).ToList();
        Assert.That(files, Has.Count.GreaterThan(500), "the sources were read");
        Assert.That(files
            .Where(file => !IsSorted(File.ReadLines(file).TakeWhile(line => !line.StartsWith("namespace ", StringComparison.Ordinal))))
            .Select(file => Path.GetRelativePath(SharedData.RepositoryRoot, file)), Is.Empty);
    }

    [TestCase("using System;|using System.Text;|using Harness.Runs;|using Harness.Runs.Pieces;|using A = B.C;", true)]
    [TestCase("using Harness.Runs;|using Harness.Running;", false)]
    [TestCase("using Harness.Runs;|using System.Text;", false)]
    [TestCase("using Step = A.Step;|using Pass = A.Pass;", false)]
    public void AreLookedAt(string lines, bool areSorted) => Assert.That(IsSorted(lines.Split('|')), Is.EqualTo(areSorted));

    private static bool IsSorted(IEnumerable<string> lines)
    {
        List<(int Kind, int Home, string Name)> keys = [.. lines.Select(line => Directive().Match(line)).Where(match => match.Success)
            .Select(match => (match.Groups["alias"].Success ? 2 : match.Groups["static"].Success ? 1 : 0,
                Regex.IsMatch(match.Groups["name"].Value, @"^System(\.|$)") ? 0 : 1,
                match.Groups["alias"].Success ? match.Groups["alias"].Value : match.Groups["name"].Value))];
        return keys.SequenceEqual(keys.OrderBy(key => key.Kind).ThenBy(key => key.Home)
            .ThenBy(key => key.Name, StringComparer.OrdinalIgnoreCase));
    }

    [GeneratedRegex(@"(^|/)(obj|bin)/")]
    private static partial Regex BuildOutput();

    [GeneratedRegex(@"^using (?:(?<static>static) |(?<alias>\w+) = )?(?<name>[\w.<>, ]+);")]
    private static partial Regex Directive();
}
