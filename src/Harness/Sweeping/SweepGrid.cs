using System.Globalization;
using Harness.Common;
using Harness.Configuration;
using Harness.Datasets;
using Harness.Running;
using Harness.Sharding;
using Harness.Tensors;

namespace Harness.Sweeping;

/// <summary>
/// A configuration whose lists are dimensions, and its cells: the product of the lists in the file's order, the last one
/// fastest. Environment and command line win over the file, and over its lists. The comma lists of power limits and SM
/// clocks are dimensions too, wherever they stand.
/// </summary>
internal sealed class SweepGrid
{
    private const int MostCells = 100_000;

    private static readonly string[] s_commaLists = ["Energy:PowerLimits", "Energy:SmClocks"];

    public IReadOnlyList<Setting> Settings { get; }

    /// <summary>Every one is checked as a run's configuration is.</summary>
    public IReadOnlyList<SweepCell> Cells { get; }

    /// <param name="file">A JSON file, or null.</param>
    /// <param name="commandLine">Key and value of every switch that was given.</param>
    /// <exception cref="UserErrorException">The file is no grid, or a cell is no run: it is named.</exception>
    public SweepGrid(string? file, IReadOnlyDictionary<string, string?> commandLine)
    {
        Settings = Merge(file == null ? [] : GridFile.Read(file), commandLine);
        var dimensions = Settings.Where(setting => setting.IsDimension).ToList();
        foreach (var dimension in dimensions) CheckDimension(dimension);
        if (dimensions.Aggregate(1L, (product, dimension) => Math.Min(product * dimension.Values.Count, MostCells + 1)) > MostCells)
            throw new UserErrorException(FormattableString.Invariant($"the grid has more than {MostCells:N0} cells; sweep parts of it"));

        var combinations = Product(dimensions);
        var configurations = Resolve(combinations);
        var suffixes = configurations.Select(configuration => PowerCell.Of(configuration.Options.Energy)[0].Suffix).ToList();
        var varying = combinations.Select(combination => (IReadOnlyList<(string, string)>)[.. combination.Where(value => !s_commaLists.Contains(value.Key))]).ToList();
        var first = configurations[0].Options;
        var names = CellName.For(first.Output.Name, varying, suffixes, CellName.Model(first.Model.Path));
        Cells = [.. configurations.Select((configuration, i) => new SweepCell(configuration, names[i], suffixes[i]))];
    }

    /// <summary>Where the runs of all cells go.</summary>
    public string OutputDirectory => Cells[0].Options.Output.Directory;

    private static List<Setting> Merge(IReadOnlyList<Setting> file, IReadOnlyDictionary<string, string?> commandLine)
    {
        string? Above(string key) => commandLine.GetValueOrDefault(key) ?? ResolvedConfiguration.InEnvironment(key);
        var settings = file.Select(setting => Above(setting.Key) is { } value ? new Setting(setting.Key, [value], IsDimension: false) : setting).ToList();
        foreach (var key in commandLine.Keys.Concat(s_commaLists))
            if (Above(key) is { } value && !settings.Any(setting => setting.Key.Equals(key, StringComparison.OrdinalIgnoreCase)))
                settings.Add(new(ConfigurationKeys.Known(key), [value], IsDimension: false));
        return [.. settings.Select(setting => s_commaLists.Contains(setting.Key) ? Split(setting) : setting)];
    }

    /// <summary>One power setting a cell: 250,175 is two values.</summary>
    private static Setting Split(Setting setting)
    {
        foreach (var text in setting.Values.Where(text => text.Contains(',')))
            if (text.Split(',').Any(string.IsNullOrWhiteSpace)) throw Validation.Wrong(setting.Key, text, "a list of numbers such as 250,175");
        var values = setting.Values.SelectMany(text => text.Split(',', StringSplitOptions.TrimEntries)).ToList();
        return new(setting.Key, values, setting.IsDimension || values.Count > 1);
    }

    private static void CheckDimension(Setting dimension)
    {
        if (dimension.Key.StartsWith("Output:", StringComparison.Ordinal))
            throw new UserErrorException($"{Validation.Named(dimension.Key)} is a list, but the runs of a sweep lie beside each other, each under its cell's name; give one value");
        if (dimension.Values.GroupBy(value => value, StringComparer.OrdinalIgnoreCase).FirstOrDefault(same => same.Count() > 1) is { } twice)
            throw new UserErrorException($"{Validation.Named(dimension.Key)} lists '{twice.Key}' twice; a value is one cell");
    }

    private static List<(string Key, string Value)[]> Product(List<Setting> dimensions)
    {
        List<(string, string)[]> cells = [[]];
        foreach (var dimension in dimensions)
            cells = [.. from cell in cells from value in dimension.Values select ((string, string)[])[.. cell, (dimension.Key, value)]];
        return cells;
    }

    private List<ResolvedConfiguration> Resolve(List<(string Key, string Value)[]> cells)
    {
        var configurations = new List<ResolvedConfiguration>();
        var failures = new List<(int Cell, UserErrorException Failure)>();
        for (var i = 0; i < cells.Count; i++)
        {
            var values = Settings.Where(setting => !setting.IsDimension).ToDictionary(setting => setting.Key, setting => (string?)setting.Values[0]);
            foreach (var (key, value) in cells[i]) values[key] = value;
            try { configurations.Add(Checked(new ResolvedConfiguration(null, values))); }
            catch (UserErrorException e) { failures.Add((i, e)); }
        }
        if (failures.Count == 0) return configurations;
        var (number, failure) = failures[0];
        // What is wrong in every cell alike is not that cell's mistake.
        var isCommon = failures.Count == cells.Count && failures.All(other => other.Failure.Message == failure.Message);
        throw isCommon ? failure : new UserErrorException(
            $"cell {(number + 1).ToString(CultureInfo.InvariantCulture)} of {cells.Count.ToString(CultureInfo.InvariantCulture)} ({string.Join(", ", cells[number].Select(value => $"{value.Key}={value.Value}"))}): {failure.Message}", failure);
    }

    /// <summary>What a run finds out of its configuration alone, a moment later than the configuration itself does.</summary>
    private static ResolvedConfiguration Checked(ResolvedConfiguration configuration)
    {
        var options = configuration.Options;
        PowerCell.Of(options.Energy);
        _ = new ProcessGrid(options.Sharding.Tensor, options.Sharding.Pipeline, options.Sharding.Data);
        DatasetCatalog.CheckName(options.Dataset.Name);
        return configuration;
    }
}
