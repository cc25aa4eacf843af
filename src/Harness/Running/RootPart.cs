using Harness.Configuration;
using Harness.Datasets;
using Harness.Models.Llama.Tokenizers;
using Harness.Records;
using Harness.Reporting;
using Harness.Tensors;
using Spectre.Console;

namespace Harness.Running;

/// <summary>What only rank 0 has: prompts, tokenizer, run directory, results; and what it writes at the end.</summary>
internal sealed class RootPart
{
    private readonly RunOptions _options;
    private readonly RankModel _model;

    public required Workload Workload { get; init; }
    public required RunDirectory Directory { get; init; }
    public required ResultBook Book { get; init; }
    public required Manifest Manifest { get; init; }

    private RootPart(RunOptions options, RankModel model) => (_options, _model) = (options, model);

    /// <summary>Reads and tokenises the prompts, and makes the run directory: everything that can fail before weights are loaded.</summary>
    public static RootPart Prepare(RunOptions options, RankModel model)
    {
        throw new NotImplementedException();
    }

    public void Finish(IReadOnlyList<RankRecord> ranks, IReadOnlyList<RankWindow> windows, string status)
    {
        throw new NotImplementedException();
    }
}
