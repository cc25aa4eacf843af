using Harness.Common;
using Harness.Configuration;
using Harness.Running;
using Harness.Sharding;

namespace Harness.Sweeping;

/// <summary>
/// A configuration whose lists are dimensions, and its cells: the product of the lists in the file's order, the last one
/// fastest. Environment and command line win over the file, and over its lists. The comma lists of power limits and SM
/// clocks are dimensions too, wherever they stand.
/// </summary>
internal sealed class SweepGrid
{
    private const int MostCells = 100_000;

    /// <summary>Keys whose values with commas are dimensions wherever they stand.</summary>
    private static readonly Setting[] s_lists = [.. Settings.All.Where(setting => setting.IsList)];

    private readonly IReadOnlyList<GridKey> _keys;

    /// <summary>Every one is checked as a run's configuration is.</summary>
    public IReadOnlyList<SweepCell> Cells { get; }

    /// <param name="file">A JSON file, or null.</param>
    /// <param name="commandLine">Key and value of every switch that was given.</param>
    /// <exception cref="UserErrorException">The file is no grid, or a cell is no run: it is named.</exception>
    public SweepGrid(string? file, IReadOnlyDictionary<string, string?> commandLine)
    {
        _keys = Merge(file == null ? [] : GridFile.Read(file), commandLine);
        var dimensions = _keys.Where(key => key.IsDimension).ToList();
        foreach (var dimension in dimensions) CheckDimension(dimension);
        if (dimensions.Aggregate(1L, (product, dimension) => Math.Min(product * dimension.Values.Count, MostCells + 1)) > MostCells)
            throw new UserErrorException(FormattableString.Invariant($"the grid has more than {MostCells:N0} cells; sweep parts of it"));

        var combinations = Product(dimensions);
        var configurations = Resolve(combinations);
        var suffixes = configurations.Select(configuration => PowerCell.Of(configuration.Options.Energy)[0].Suffix).ToList();
        var varying = combinations
            .Select(cell => (IReadOnlyList<(Setting, string)>)[.. cell.Where(value => !value.Setting.IsList)]).ToList();
        var first = configurations[0].Options;
        var names = CellName.For(first.Output.Name, varying, suffixes, ModelOptions.ShortName(first.Model.Path));
        Cells = [.. configurations.Select((configuration, i) => new SweepCell(configuration, names[i], suffixes[i]))];
    }

    /// <summary>Where the runs of all cells go.</summary>
    public string OutputDirectory => Cells[0].Options.Output.Directory;

    private static List<GridKey> Merge(IReadOnlyList<GridKey> file, IReadOnlyDictionary<string, string?> commandLine)
    {
        string? Above(string key) => commandLine.GetValueOrDefault(key) ?? ResolvedConfiguration.InEnvironment(key);
        var keys = file
            .Select(key => Above(key.Setting.Key) is { } value ? new GridKey(key.Setting, [value], IsDimension: false) : key).ToList();
        foreach (var setting in commandLine.Keys.Select(Settings.Known).Concat(s_lists))
            if (Above(setting.Key) is { } value && !keys.Any(key => key.Setting == setting))
                keys.Add(new(setting, [value], IsDimension: false));
        return [.. keys.Select(key => key.Setting.IsList ? Split(key) : key)];
    }

    /// <summary>One power setting a cell: 250,175 is two values.</summary>
    private static GridKey Split(GridKey key)
    {
        foreach (var text in key.Values.Where(text => text.Contains(',')))
            if (text.Split(',').Any(string.IsNullOrWhiteSpace)) throw key.Setting.Wrong(text, "a list of numbers such as 250,175");
        var values = key.Values.SelectMany(text => text.Split(',', StringSplitOptions.TrimEntries)).ToList();
        return key with { Values = values, IsDimension = key.IsDimension || values.Count > 1 };
    }

    private static void CheckDimension(GridKey dimension)
    {
        if (!dimension.Setting.IsOfIdentity)
        {
            var why = dimension.Setting.Section.Name == nameof(RunOptions.Output)
                ? "the runs of a sweep lie beside each other, each under its cell's name; give one value"
                : "runs that differ in nothing else are one run; give one value here, and others to collect and report";
            throw new UserErrorException($"{dimension.Setting.Named} is a list, but {why}");
        }
        var values = dimension.Values.GroupBy(value => value, StringComparer.OrdinalIgnoreCase);
        if (values.FirstOrDefault(same => same.Count() > 1) is { } twice)
            throw new UserErrorException($"{dimension.Setting.Named} lists '{twice.Key}' twice; a value is one cell");
    }

    private static List<(Setting Setting, string Value)[]> Product(List<GridKey> dimensions)
    {
        List<(Setting, string)[]> cells = [[]];
        foreach (var dimension in dimensions)
        {
            cells = [.. from cell in cells
                        from value in dimension.Values
                        select ((Setting, string)[])[.. cell, (dimension.Setting, value)]];
        }
        return cells;
    }

    private List<ResolvedConfiguration> Resolve(List<(Setting Setting, string Value)[]> cells)
    {
        var configurations = new List<ResolvedConfiguration>();
        var failures = new List<(int Cell, UserErrorException Failure)>();
        for (var i = 0; i < cells.Count; i++)
        {
            var values = _keys.Where(key => !key.IsDimension).ToDictionary(key => key.Setting.Key, key => (string?)key.Values[0]);
            foreach (var (setting, value) in cells[i]) values[setting.Key] = value;
            try { configurations.Add(Checked(new ResolvedConfiguration(null, values))); }
            catch (UserErrorException e) { failures.Add((i, e)); }
        }
        if (failures.Count == 0) return configurations;
        var (number, failure) = failures[0];
        // What is wrong in every cell alike is not that cell's mistake.
        var isCommon = failures.Count == cells.Count && failures.All(other => other.Failure.Message == failure.Message);
        var cell = string.Join(", ", cells[number].Select(value => $"{value.Setting.Key}={value.Value}"));
        var message = FormattableString.Invariant($"cell {number + 1} of {cells.Count} ({cell}): {failure.Message}");
        throw isCommon ? failure : new UserErrorException(message, failure);
    }

    /// <summary>What a run finds out of its configuration alone, a moment later than the configuration itself does.</summary>
    private static ResolvedConfiguration Checked(ResolvedConfiguration configuration)
    {
        var sharding = configuration.Options.Sharding;
        _ = new ProcessGrid(sharding.Tensor, sharding.Pipeline, sharding.Data);
        return configuration;
    }
}
