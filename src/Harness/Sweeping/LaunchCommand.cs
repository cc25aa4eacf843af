using System.CommandLine.Parsing;
using System.Globalization;
using Harness.Common;
using Harness.Tensors;

namespace Harness.Sweeping;

/// <summary>What starts the ranks of a cell: <c>mpiexec -n {ranks}</c>; nothing where they are threads of one process.</summary>
internal sealed class LaunchCommand
{
    private static readonly string[] s_known = ["{ranks}", "{nodes}", "{tp}", "{pp}", "{dp}"];

    private readonly string[] _words;

    /// <exception cref="UserErrorException">It names something in braces that is not known.</exception>
    public LaunchCommand(string text)
    {
        _words = [.. CommandLineParser.SplitCommandLine(text)];
        if (_words.FirstOrDefault(word =>
            s_known.Aggregate(word, (rest, name) => rest.Replace(name, "", StringComparison.Ordinal)).Contains('{')) is { } strange)
            throw new UserErrorException($"--launcher has '{strange}', but {string.Join(", ", s_known)} are what is replaced");
    }

    public bool NeedsNodes => _words.Any(word => word.Contains("{nodes}", StringComparison.Ordinal));

    public IReadOnlyList<string> For(CellPlan plan)
    {
        var sharding = plan.Cell.Options.Sharding;
        int[] values = [plan.Ranks, plan.Shape?.Nodes ?? 1, sharding.Tensor, sharding.Pipeline, sharding.Data];
        return [.. _words.Select(word =>
            s_known.Zip(values).Aggregate(word, (text, pair) =>
            text.Replace(pair.First, pair.Second.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)))];
    }
}
