using System.Globalization;
using System.Runtime.InteropServices;
using Harness.Configuration;
using Harness.Datasets;
using Harness.Models.Llama.Tokenizers;
using Harness.Records;
using Harness.Reporting;
using Spectre.Console;

namespace Harness.Running;

/// <summary>What only rank 0 has: prompts, tokenizer, run directory, results; and what it writes at the end.</summary>
internal sealed class RootPart : IDisposable
{
    private readonly Manifest _manifest;

    public Workload Workload { get; }
    public RunDirectory Directory { get; }
    public ResultBook Book { get; }

    /// <summary>Reads and tokenises the prompts, and makes the run directory: everything that can fail before weights are loaded.</summary>
    public RootPart(ResolvedConfiguration configuration, RankModel model)
    {
        var options = configuration.Options;
        var dataset = options.Dataset;
        var tokenizer = Tokenizers.For(options.Model);
        var prompts = DatasetCatalog.Load(dataset.Name == "auto" ? null : dataset.Name, dataset.Path, dataset.Shots, dataset.Limit > 0 ? dataset.Limit : null, dataset.Seed);
        Workload = Workload.Of(prompts, tokenizer, options.Generation, model.Checkpoint.Config);
        var name = ModelName(options.Model);
        Directory = RunDirectory.Create(options.Output.Directory, options.Output.Name, name, DateTimeOffset.UtcNow);
        Book = new(Directory.RunId, prompts, Workload, tokenizer, Directory);
        _manifest = new(Describe(options, model, prompts, name))
        {
            ["configuration"] = configuration.Entries().ToDictionary(entry => entry.Key, entry => new { value = entry.Value, source = entry.Source }),
            ["software"] = new { harness = Build.Version, dotnet = RuntimeInformation.FrameworkDescription, operating_system = RuntimeInformation.OSDescription },
            ["hardware"] = new { hosts = model.Topology.Hosts, cores_rank_0 = Environment.ProcessorCount, architecture = RuntimeInformation.ProcessArchitecture.ToString() },
            ["checkpoint"] = new { model.Checkpoint.Name, model.Checkpoint.Fingerprint },
        };
        Directory.WriteManifest(_manifest);
    }

    /// <summary>Every file that is not written yet, the summary last; and the table for the person who waits.</summary>
    public void Finish(IReadOnlyList<RankRecord> ranks, RankModel model, string status)
    {
        var rows = Book.Rows;
        var energy = new EnergyTotals { Valid = false, InvalidReasons = "no_meter" };
        rows = [.. rows.Select(row => row with { Valid = energy.Valid, InvalidReasons = energy.InvalidReasons })];
        var duration = ranks.Where(row => row is { Rank: 0, Window: "measured" }).Sum(row => row.Seconds);
        var known = _manifest.Run with { Status = status, Gpu = model.Backend.Device };
        var summary = Summary.Compute(known, rows, duration, energy);
        _manifest.Run = known;
        Directory.WriteManifest(_manifest);
        Directory.WriteRanks(ranks);
        Directory.CompleteResults(rows);
        Directory.WriteSummary(summary);
        SummaryTable.Write(AnsiConsole.Console, summary, Directory.Path);
    }

    public void Dispose() => Directory.Dispose();

    /// <summary>What the user typed, without the path in front: llama-7b of /models/llama-7b/, or demo.</summary>
    private static string ModelName(ModelOptions model) =>
        model.Path.Length == 0 ? "demo" : Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(model.Path)));

    private SummaryRecord Describe(RunOptions options, RankModel model, IReadOnlyList<Prompt> prompts, string name) => new()
    {
        RunId = Directory.RunId,
        Status = RunStatus.Incomplete,
        TimestampUtc = DateTimeOffset.UtcNow.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture),
        Commit = Build.Commit.Length > 0 ? Build.Commit : null,
        Model = name,
        ParametersBillions = model.Checkpoint.Config.Shape.Parameters / 1e9,
        Dtype = Tensors.DTypes.Label(model.Storage),
        Backend = options.Runtime.Backend,
        Nodes = model.Topology.Nodes,
        Ranks = model.World.Size,
        TensorParallel = options.Sharding.Tensor,
        PipelineParallel = options.Sharding.Pipeline,
        MicroBatches = options.Sharding.EffectiveMicroBatches,
        BatchSize = options.Batch.Size,
        Schedule = options.Batch.Schedule,
        MaxNewTokens = options.Generation.MaxNewTokens,
        Dataset = prompts[0].Dataset,
        Task = options.Dataset.Task.Length > 0 ? options.Dataset.Task : null,
        NumPrompts = prompts.Count,
    };
}
