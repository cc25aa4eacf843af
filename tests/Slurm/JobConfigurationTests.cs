using System.Text.Json.Nodes;
using Harness.Common;
using Harness.Configuration;
using Harness.Models.Llama.Checkpoints;
using Harness.Sharding;
using Harness.Tensors;

namespace Harness.Tests.Slurm;

/// <summary>What jobs/ ships besides scripts: configurations of one run, grids, lists of cells.</summary>
public class JobConfigurationTests
{
    private static string Jobs => Path.Combine(SharedData.RepositoryRoot, "jobs");

    private static IEnumerable<string> Files(string directory) =>
        Directory.GetFiles(Path.Combine(Jobs, directory)).Select(path => Path.GetRelativePath(Jobs, path)).Order(StringComparer.Ordinal);

    private static IEnumerable<string> Configurations => Files("configs");

    private static IEnumerable<string> Grids => Files("grids");

    private static IEnumerable<string> Lists => Files("cells");

    [TestCaseSource(nameof(Configurations))]
    public void AConfigurationIsAccepted(string file)
    {
        var configuration = new ResolvedConfiguration(Path.Combine(Jobs, file), new Dictionary<string, string?>());
        Assert.That(configuration.Entries().Where(entry => entry.Source != "default").Select(entry => entry.Source).Distinct(),
            Has.One.EndsWith(file));
    }

    [TestCaseSource(nameof(Grids))]
    public void AGridIsForSweepAndNotForRun(string file) =>
        Assert.That(() => new ResolvedConfiguration(Path.Combine(Jobs, file), new Dictionary<string, string?>()),
            Throws.TypeOf<UserErrorException>().With.Message.Contains("is a list, which is a dimension of a sweep"));

    [TestCaseSource(nameof(Grids))]
    public void EveryCellOfAGridIsARunThatTheModelAllows(string file)
    {
        var cells = Cells(file).ToList();
        Assert.That(cells, Has.Count.EqualTo(file.Contains("lengths") ? 5 * 5 : 3 * 2 * 4 * 3),
            "input × output lengths, or shards × data sets × batches × lengths");
        foreach (var cell in cells)
        {
            var options = new ResolvedConfiguration(null, cell).Options;
            using var checkpoint = Checkpoint.Open(options.Model.Path);
            Assert.That(() => new ShardPlan(checkpoint.Config.Shape, options.Sharding.Tensor, options.Sharding.Pipeline), Throws.Nothing);
            Assert.That(options.Generation.MaxLength, Is.LessThanOrEqualTo(checkpoint.Config.MaxPositions));
            Assert.That(options.Dataset.InputTokens + (options.Dataset.InputTokens > 0 ? options.Generation.MaxNewTokens : 0),
                Is.LessThanOrEqualTo(checkpoint.Config.MaxPositions), "fixed lengths fit");
            Assert.That(options.Generation.MaxNewTokens, Is.GreaterThanOrEqualTo(options.Generation.MaxLength - 1),
                "the maximum length alone ends a response");
        }
    }

    /// <summary>The settings of 'From Words to Watts' (arXiv 2310.03003), sections 3 and 4.</summary>
    [TestCase("7b")]
    [TestCase("13b")]
    [TestCase("65b")]
    public void TheGridsAreThePapers(string model)
    {
        var cells = Cells($"grids/words-to-watts-{model}.json").Select(cell => new ResolvedConfiguration(null, cell).Options).ToList();
        Assert.Multiple(() =>
        {
            Assert.That(cells.Select(o => o.Model.Path).Distinct(), Is.EqualTo(new[] { $"synthetic:{model}" }));
            Assert.That(cells.Select(o => o.Sharding.Tensor * o.Sharding.Pipeline).Distinct(), Is.EqualTo(new[] { 8, 16, 32 }));
            Assert.That(cells.Select(o => o.Dataset.Name).Distinct(), Is.EqualTo(new[] { "alpaca", "gsm8k" }));
            Assert.That(cells.Select(o => o.Batch.Size).Distinct(), Is.EqualTo(new[] { 64, 128, 256, 512 }));
            Assert.That(cells.Select(o => o.Generation.MaxLength).Distinct(), Is.EqualTo(new[] { 256, 512, 1024 }));
            Assert.That(cells, Has.All.Matches<RunOptions>(o =>
                o is
                {
                    Dataset.Limit: 4096, Generation: { Temperature: 0.8f, TopP: 0.95f },
                    Energy.SampleInterval: { TotalMilliseconds: 100 }
                }));
        });
        var capped = new ResolvedConfiguration(Path.Combine(Jobs, "configs/words-to-watts-caps.json"), new Dictionary<string, string?>());
        Assert.That(capped.Options.Energy.PowerLimits, Is.EqualTo(new[] { 250, 175, 150 }));
    }

    [TestCaseSource(nameof(Lists))]
    public void EveryCellOfAListIsARun(string file)
    {
        var configuration = Path.Combine(Jobs, "configs", Path.GetFileNameWithoutExtension(file) + ".json");
        var lines = File.ReadLines(Path.Combine(Jobs, file)).Where(line => line.Length > 0 && line[0] != '#').ToList();
        Assert.That(lines, Has.Count.EqualTo(2 * 4 * 3).And.Unique);
        foreach (var line in lines)
        {
            var words = line.Split(' ');
            var values = words.Chunk(2).SelectMany(pair => Switch.All.Single(known => known.Name == pair[0])
                .Settings.Select(setting => (key: setting.Key, pair[1])));
            var cell = new ResolvedConfiguration(configuration, values.ToDictionary(pair => pair.key, pair => (string?)pair.Item2));
            Assert.That(cell.Options.Dataset.Limit, Is.EqualTo(4096));
        }
    }

    /// <summary>The combinations of a grid's lists, as keys and values.</summary>
    private static IEnumerable<Dictionary<string, string?>> Cells(string file)
    {
        var grid = JsonNode.Parse(File.ReadAllText(Path.Combine(Jobs, file)))!.AsObject();
        IEnumerable<Dictionary<string, string?>> cells = [[]];
        foreach (var (section, keys) in grid)
            foreach (var (key, value) in keys!.AsObject())
            {
                var values = value is JsonArray list ? list.Select(item => item!.ToString()).ToArray() : [value!.ToString()];
                cells = [.. from cell in cells from one in values select new Dictionary<string,
                    string?>(cell) { [$"{section}:{key}"] = one }];
            }
        return cells;
    }
}
