using Harness.Common;
using Harness.Configuration;
using Harness.Sweeping;
using Harness.Tensors;
using Harness.Tests.Configuration;

namespace Harness.Tests.Sweeping;

/// <summary>From a file's lists to cells: which, in what order, under what names; and what is refused.</summary>
[NonParallelizable]     // one test sets an environment variable
internal sealed class SweepGridTests
{
    private ScratchDirectory _scratch = null!;

    [SetUp]
    public void Begin() => _scratch = new();

    [TearDown]
    public void End() => _scratch.Dispose();

    private SweepGrid Grid(string json, params (string Key, string Value)[] commandLine) =>
        new(_scratch.File("grid.json", json),
            commandLine.ToDictionary(pair => pair.Key, pair => (string?)pair.Value, StringComparer.OrdinalIgnoreCase));

    private static IEnumerable<string> Names(SweepGrid grid) => grid.Cells.Select(cell => cell.Name);

    [Test]
    public void CellsAreTheProductInFileOrderTheLastFastest()
    {
        var grid = Grid("""{ "Generation": { "MaxLength": [512, 256] }, "Batch": { "Size": [2, 1, 3], "Schedule": "static" }, "Sharding": { "Tensor": 2 } }""");
        Assert.That(grid.Cells.Select(cell => (cell.Options.Generation.MaxLength, cell.Options.Batch.Size)),
            Is.EqualTo(new[] { (512, 2), (512, 1), (512, 3), (256, 2), (256, 1), (256, 3) }));
        Assert.That(grid.Cells.Select(cell => cell.Options.Sharding.Tensor), Is.All.EqualTo(2));
        // Names do not hang on the order of the file.
        Assert.That(Names(grid), Is.EqualTo(new[] { "b2-len512", "b1-len512", "b3-len512", "b2-len256", "b1-len256", "b3-len256" }));
    }

    [Test]
    public void ANameSaysWhatVaries()
    {
        var grid = Grid("""
            { "Dataset": { "Name": ["alpaca", "gsm8k"] }, "Generation": { "MaxLength": [256] }, "Batch": { "Size": [64] },
              "Sharding": { "Tensor": [2], "Pipeline": [1] }, "Model": { "Path": ["/models/llama-7b/", "synthetic:13b"] } }
            """);
        Assert.That(Names(grid), Is.EqualTo(new[]
        {
            "llama-7b-tp2-pp1-b64-len256-alpaca", "synthetic-13b-tp2-pp1-b64-len256-alpaca",
            "llama-7b-tp2-pp1-b64-len256-gsm8k", "synthetic-13b-tp2-pp1-b64-len256-gsm8k",
        }));
        Assert.That(Names(Grid("""{ "Output": { "Name": "study" }, "Batch": { "Size": [1, 2] } }""")), Is.EqualTo(new[] { "study-b1", "study-b2" }));
        Assert.That(Names(Grid("""{ "Model": { "Dtype": "bf16", "KvDtype": ["auto", "bf16"] } }""")),
            Is.EqualTo(new[] { "kv-auto", "kv-bf16" }));
        Assert.That(Names(Grid("""{ "Batch": { "Size": 4 } }""")), Is.EqualTo(new[] { "demo" }), "nothing varies");
    }

    [Test]
    public void NamesAreUniqueAndNoneIsAnothersSecondAttempt()
    {
        // The last parts of two paths are equal; a third looks like a second attempt of another.
        string[] paths = ["/a/llama", "/b/llama", "/a/other", "/a/other-2", "/a/OTHER-3-1", "/a/spaces in it"];
        var json = $$"""{ "Model": { "Path": [{{string.Join(", ", paths.Select(path => $"\"{path}\""))}}] } }""";
        var names = Names(Grid(json)).ToArray();
        Assert.That(names[2], Is.EqualTo("other"));
        Assert.That(names[5], Is.EqualTo("spaces-in-it"));
        Assert.That(names[..2], Has.All.Match("^llama-x[0-9a-f]{6}$"));
        Assert.That(names[3], Does.Match("^other-2-x[0-9a-f]{6}$"));
        Assert.That(names[4], Does.Match("^OTHER-3-1-x[0-9a-f]{6}$"), "file systems may not tell cases apart");
        Assert.That(names, Is.Unique);
        Assert.That(names, Has.None.Contains("/"));
        Assert.That(Names(Grid(json)), Is.EqualTo(names), "the same again");
        Assert.That(Names(Grid(json.Replace("\"/a/other-2\", ", "", StringComparison.Ordinal))), Is.SubsetOf(names),
            "a cell keeps its name when another goes");
    }

    [Test]
    public void CommaListsOfPowerSettingsAreDimensions()
    {
        var grid = Grid("""{ "Energy": { "PowerLimits": "250, 175" }, "Batch": { "Size": [1, 2] } }""", ("Energy:SmClocks", "1200,900"));
        Assert.That(grid.Cells.Select(cell => (cell.Options.Energy.PowerLimits, cell.Options.Batch.Size, cell.Options.Energy.SmClocks)),
            Is.EqualTo(
            from limit in new[] { 250.0, 175 }
            from batch in new[] { 1, 2 }
            from clock in new[] { 1200, 900 }
            select (new ValueList<double>(limit), batch, new ValueList<int>(clock))));
        // The run appends the power setting's part itself.
        Assert.That(grid.Cells[0], Is.EqualTo(grid.Cells[0] with { RunName = "b1", Suffix = "-250W-1200MHz" }));
        Assert.That(Names(Grid("""{ "Energy": { "PowerLimits": ["", 250, "175,150"] } }""")), Is.EqualTo(new[] { "demo", "demo-250W", "demo-175W", "demo-150W" }));
    }

    [Test]
    public void CommandLineAndEnvironmentWinOverTheFileAndItsLists()
    {
        const string json = """{ "batch": { "size": [1, 2] }, "Generation": { "MaxLength": [100, 200], "TopK": 5 } }""";
        Assert.That(Grid(json).Cells, Has.Count.EqualTo(4));
        var grid = Grid(json, ("Batch:Size", "7"), ("Dataset:Limit", "3"));
        Assert.That(grid.Cells.Select(cell => (cell.Options.Batch.Size, cell.Options.Generation.MaxLength, cell.Options.Dataset.Limit)),
            Is.EqualTo(new[] { (7, 100, 3), (7, 200, 3) }));
        using var environment = new EnvironmentVariables
        {
            ["HARNESS_Generation__MaxLength"] = "300",
            ["HARNESS_Generation__TopK"] = "6",
            ["HARNESS_Generation__MaxNewTokens"] = "9",
            ["HARNESS_Batch__Size"] = "8",
        };
        Assert.That(Grid(json, ("Batch:Size", "7")).Cells.Select(cell => cell.Options)
            .Select(o => (o.Batch.Size, o.Generation.MaxLength, o.Generation.TopK, o.Generation.MaxNewTokens)),
            Is.EqualTo(new[] { (7, 300, 6, 9) }));
    }

    [TestCase("""{ "Batch": { "Size": [1, "zero", 3] } }""", "cell 2 of 3 (Batch:Size=zero): Batch:Size (--batch) is 'zero', but a whole number is expected")]
    [TestCase("""{ "Batch": { "Size": [1, 0] }, "Sharding": { "Tensor": [1, 2] } }""", "cell 3 of 4 (Batch:Size=0, Sharding:Tensor=1): Batch:Size (--batch) is '0'")]
    [TestCase("""{ "Dataset": { "Name": ["demo", "alpacca"] } }""", "cell 2 of 2 (Dataset:Name=alpacca): unknown dataset alpacca")]
    [TestCase("""{ "Energy": { "PowerLimits": "250,x" } }""", "cell 2 of 2 (Energy:PowerLimits=x): Energy:PowerLimits (--power-limits) is 'x'")]
    [TestCase("""{ "Energy": { "PowerLimits": "250,,3" } }""", "Energy:PowerLimits (--power-limits) is '250,,3', but a list of numbers such as 250,175 is expected")]
    [TestCase("""{ "Batch": { "Size": 0 }, "Sharding": { "Tensor": [1, 2] } }""", "Batch:Size (--batch) is '0'", Description = "no cell's own mistake")]
    [TestCase("""{ "Batch": { "Size": [] } }""", "Batch:Size (--batch) is an empty list")]
    [TestCase("""{ "Batch": { "Size": [[1], 2] } }""", "Batch:Size (--batch) is a list of lists")]
    [TestCase("""{ "Batch": { "Size": [1, null] } }""", "Batch:Size (--batch) is null; leave the key out")]
    [TestCase("""{ "Batch": { "Size": [1, 2, 1] } }""", "Batch:Size (--batch) lists '1' twice")]
    [TestCase("""{ "Batch": { "Size": 1, "size": 2 } }""", "gives Batch:Size twice")]
    [TestCase("""{ "Batch": { "Sise": [1, 2] } }""", "configuration key Batch:Sise is unknown; Batch has Size, Schedule")]
    [TestCase("""{ "Bach": { "Size": [1, 2] } }""", "configuration section Bach is unknown; there are Model,")]
    [TestCase("""{ "Batch": [1, 2] }""", "configuration section Batch is no section but a value; a section with Size,")]
    [TestCase("""{ "Output": { "Directory": ["a", "b"] } }""", "Output:Directory (--out) is a list")]
    [TestCase("""{ "Goodput": { "Slo": ["ttft=1s", "ttft=2s"] } }""", "Goodput:Slo (--slo) is a list, but runs that differ in nothing else")]
    [TestCase("[1]", "holds no sections")]
    [TestCase("""{ "Output": { "Name": "\ud800" } }""", "is not valid JSON: a text in line 1 is not valid Unicode")]
    [TestCase("""{ "Batch": { "Size": [1, 2] """, "is not valid JSON")]
    public void AMistakeIsOneLine(string json, string message)
    {
        var failure = Assert.Throws<UserErrorException>(() => Grid(json))!;
        Assert.That(failure.Message, message.StartsWith("cell", StringComparison.Ordinal)
            || message.StartsWith("Batch", StringComparison.Ordinal) ? Does.StartWith(message) : Does.Contain(message));
        Assert.That(failure.Message, Does.Not.Contain("\n"));
    }

    [Test]
    public void AGridThatNobodyCanRunIsRefused()
    {
        var values = string.Join(",", Enumerable.Range(1, 400));
        Assert.That(() => Grid($$"""{ "Batch": { "Size": [{{values}}] }, "Dataset": { "Limit": [{{values}}] } }"""),
            Throws.TypeOf<UserErrorException>().With.Message.Contains("the grid has more than 100,000 cells"));
    }

    /// <summary>The file of a cell says all that the grid, the environment and the command line said.</summary>
    [Test]
    public void ACellsFileResolvesToTheCell()
    {
        var grid = Grid("""{ "Batch": { "Size": [1, 2] }, "Generation": { "Temperature": 0.80, "IgnoreEos": true }, "Energy": { "PowerLimits": "250,175" } }""", ("Dataset:Limit", "3"), ("Output:Directory", "some/where"));
        foreach (var cell in grid.Cells)
        {
            var resolved = new ResolvedConfiguration(CellFile.Write(_scratch["cells"], cell), new Dictionary<string, string?>());
            Assert.That(resolved.Options, Is.EqualTo(cell.Options with { Output = cell.Options.Output with { Name = cell.RunName } }));
            Assert.That(resolved.Entries().Single(entry => entry.Key == "Generation:Temperature").Value, Is.EqualTo("0.80"),
                "as it was written");
        }
        Assert.That(Directory.GetFiles(_scratch["cells"]).Select(Path.GetFileNameWithoutExtension), Is.EquivalentTo(Names(grid)));
    }
}
