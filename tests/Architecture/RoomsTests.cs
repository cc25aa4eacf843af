using System.Text.RegularExpressions;

namespace Harness.Tests.Architecture;

[TestFixture]
public sealed partial class RoomsTests
{
    private static readonly string s_document = Path.Combine(SharedData.RepositoryRoot, "docs", "architecture.md");

    [Test]
    public void EveryNamespaceIsARoom() =>
        Assert.That(SourceTree.Namespaces.Order(StringComparer.Ordinal),
            Is.EqualTo(Rooms.All.Select(room => room.Namespace).Order(StringComparer.Ordinal)));

    [Test]
    public void ReferencesPointToTheGround()
    {
        var heights = Rooms.All.Select((room, height) => (room.Namespace, height))
            .ToDictionary(pair => pair.Namespace, pair => pair.height);
        var uses = SourceTree.Uses();
        Assert.That(uses, Has.Count.GreaterThan(500), "the sources were read");
        Assert.That(uses.Where(use => heights[use.To] >= heights[use.From])
            .Select(use => $"{use.File}: {use.From} uses {use.To}.{use.Type}"), Is.Empty);
    }

    [Test]
    public void TheExecutableIsSmall() =>
        Assert.That(SourceTree.Files().Count(file => file.StartsWith("src/Harness/", StringComparison.Ordinal)), Is.LessThanOrEqualTo(120));

    [Test]
    public void ThePictureShowsTheRooms() => WrittenDocument.MustHold(s_document, "rooms", Rooms.Markdown());

    /// <summary>A route that grows is a concept that has lost its owner.</summary>
    [TestCase("### A token", 20)]
    [TestCase("### A joule", 16)]
    [TestCase("### A setting", 12)]
    public void RoutesAreShort(string heading, int most)
    {
        var text = File.ReadAllText(s_document);
        var section = text[text.IndexOf(heading, StringComparison.Ordinal)..].Split("\n###")[0];
        var files = RouteFile().Matches(section).Select(match => match.Groups[1].Value).ToList();
        Assert.That(files, Is.Not.Empty.And.Unique.And.SubsetOf(SourceTree.Files()));
        Assert.That(files, Has.Count.LessThanOrEqualTo(most));
    }

    [GeneratedRegex(@"^\d+\. `([^`]+)`", RegexOptions.Multiline)]
    private static partial Regex RouteFile();
}
