using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Harness.Tests.EndToEnd;

/// <summary>The reliability campaign (tests/campaign.sh) itself: the whole of it takes too long for here, and a person runs it.</summary>
[Parallelizable(ParallelScope.All), FixtureLifeCycle(LifeCycle.InstancePerTestCase), Platform("Linux")]
internal sealed partial class CampaignTests
{
    [Test]
    public void TheDocumentHasEveryRow()
    {
        var listed = ListedRow().Matches(Campaign("--list").Output).Select(row => row.Groups[1].Value).ToList();
        var document = File.ReadAllText(Path.Combine(SharedData.RepositoryRoot, "docs", "reliability.md"));
        Assert.That(listed, Is.Not.Empty.And.Unique);
        Assert.That(WrittenRow().Matches(document).Select(row => row.Groups[1].Value), Is.EqualTo(listed), "tests/campaign.sh --write");
    }

    [Test]
    public void NoRowOfTheDocumentIsRed()
    {
        var lines = File.ReadLines(Path.Combine(SharedData.RepositoryRoot, "docs", "reliability.md"));
        var rows = lines.Where(line => WrittenRow().IsMatch(line));
        Assert.That(rows.Where(row => !row.EndsWith("| green |", StringComparison.Ordinal) && !row.Contains("| not run: ")), Is.Empty);
    }

    [Test]
    public void ARowIsProvokedJudgedAndWritten()
    {
        using var scratch = new ScratchDirectory();
        var (code, output) = Campaign("--only", "^pipe-data$", "--out", scratch.Path);
        Assert.That(code, Is.Zero, output);
        Assert.That(File.ReadAllLines(scratch["reliability.md"]).Single(line => line.StartsWith("| `pipe-data`", StringComparison.Ordinal)),
            Does.Contain("| 1 |").And.Contain("is a named pipe, where a file is expected").And.EndsWith("| green |"));
    }

    private static (int Code, string Output) Campaign(params string[] words)
    {
        var start = new ProcessStartInfo("bash", [Path.Combine(SharedData.RepositoryRoot, "tests", "campaign.sh"), .. words])
        {
            RedirectStandardOutput = true,
        };
        start.Environment["HARNESS"] = $"dotnet {Path.Combine(AppContext.BaseDirectory, "harness.dll")}";
        using var campaign = Process.Start(start)!;
        var output = campaign.StandardOutput.ReadToEnd();
        campaign.WaitForExit();
        return (campaign.ExitCode, output);
    }

    [GeneratedRegex(@"^  (\S+) ", RegexOptions.Multiline)]
    private static partial Regex ListedRow();

    [GeneratedRegex(@"^\| `([^`]+)` \|", RegexOptions.Multiline)]
    private static partial Regex WrittenRow();
}
