using System.Text;
using Harness.Common;
using Harness.Configuration;

namespace Harness.Tests.Configuration;

/// <summary>The table of settings: whole, consistent, and what the documentation says.</summary>
internal sealed class SettingsTests
{
    private static IReadOnlyList<Setting> All => Settings.All;

    /// <summary>A property without a row could not be set; one with two would be read twice.</summary>
    [Test]
    public void EveryPropertyHasOneRow()
    {
        var properties = from section in typeof(RunOptions).GetProperties()
                         from property in section.PropertyType.GetProperties()
                         where property.CanWrite
                         select $"{section.Name}:{property.Name}";
        Assert.That(All.Select(row => row.Key), Is.EquivalentTo(properties));
    }

    [TestCaseSource(nameof(All))]
    public void ADefaultReadsAsWhatAPropertyBeginsWith(Setting row)
    {
        var options = new RunOptions();
        row.Set(options, row.Default);
        Assert.That(options, Is.EqualTo(new RunOptions()), $"{row.Key} is '{row.Default}'");
    }

    /// <summary>Any text may be a path; nothing else takes this one.</summary>
    [TestCaseSource(nameof(All))]
    public void AWrongValueIsOneLineThatHoldsIt(Setting row)
    {
        const string Wrong = "?/?";
        string? message = null;
        try { row.Set(new RunOptions(), Wrong); }
        catch (UserErrorException e) { message = e.Message; }
        if (message == null) Assert.That(row.Type, Is.EqualTo("path").Or.EqualTo("text").Or.EqualTo("a directory"));
        else Assert.That(message, Does.Contain(Wrong).And.Not.Contain("\n"));
    }

    /// <summary>The name of a cell must not change with the order in which the table is written.</summary>
    [Test]
    public void NoTwoSettingsHaveOnePlaceInNames() =>
        Assert.That(All.Where(row => row.InCellNames != null).Select(row => row.InCellNames!.Value.Place), Is.Unique);

    [Test]
    public void ASwitchIsAskedForOneValue()
    {
        Assert.That(Switch.All.Select(known => known.Name), Is.Unique);
        foreach (var known in Switch.All)
            Assert.That(known.Settings.Select(row => row.Scope).Distinct().Count(), Is.EqualTo(1), known.Name);
    }

    /// <summary>And bounds of goodput judge what a run has done.</summary>
    [Test]
    public void WhereResultsGoIsNoPartOfWhatARunIs() =>
        Assert.That(All.Where(row => !row.IsOfIdentity).Select(row => row.Section.Name).Distinct(),
            Is.EqualTo(new[] { "Goodput", "Output" }));

    [Test]
    public void TheDocumentIsWhatTheTableGives() =>
        WrittenDocument.MustHold(Path.Combine(SharedData.RepositoryRoot, "docs", "settings.md"), "settings", Document());

    private static string Document()
    {
        var text = new StringBuilder();
        foreach (var section in All.GroupBy(row => row.Section.Name))
        {
            text.Append($"\n## {section.Key}\n\n| key | switch | takes | default | meaning |\n|---|---|---|---|---|\n");
            foreach (var row in section)
                text.Append($"| `{row.Key}` | {SwitchOf(row)} | {row.Type} | {Code(row.Default)} | {row.Meaning} |\n");
        }
        return text.Append('\n').ToString();

        static string SwitchOf(Setting row) => row.Switch is { } known ? Code($"{known.Name} {known.Value}".TrimEnd()) : "";
        static string Code(string text) => text.Length == 0 ? "" : $"`{text}`";
    }
}
