using Harness.Common;
using Harness.Configuration;
using Harness.Datasets;
using Harness.Models.Llama.Configuration;
using Harness.Planning;
using Harness.Running;
using Harness.Seams;
using Harness.Tensors;

namespace Harness.Sweeping;

/// <summary>Asks <c>plan</c> whether a cell fits its devices, and how long they will take.</summary>
/// <param name="gpusPerNode">Null where that is not known.</param>
internal sealed class CellPlanner(Devices devices, int? gpusPerNode)
{
    /// <summary>Of devices whose memory was not given.</summary>
    public const long AnyMemory = long.MaxValue;

    private const double SecondsPerHour = 3600;

    private readonly Dictionary<string, LlamaConfig> _models = [];
    private readonly Dictionary<DatasetOptions, int?> _prompts = [];
    private readonly SortedSet<string> _missing = new(StringComparer.Ordinal);
    private bool? _autoIsCpu;

    /// <summary>Why prompts of planned cells could not be counted; where the cells will run they may be there.</summary>
    public IReadOnlyCollection<string> Missing => _missing;

    /// <exception cref="UserErrorException">The model is not there.</exception>
    public CellPlan Plan(SweepCell cell)
    {
        var options = cell.Options;
        var (model, prompts) = (Model(options.Model), Prompts(options.Dataset));
        var planner = new Planner
        {
            Name = ModelOptions.ShortName(options.Model.Path),
            Model = model,
            Work = Work(options, model),
            // Without a limit only what the model's shape forbids does not fit.
            MemoryBytes = devices.MemoryBytes ?? AnyMemory,
            Reserve = devices.MemoryBytes == null ? 0 : devices.Reserve,
            Rates = devices.Rates,
        };
        var row = planner.Row(options.Sharding.Tensor, options.Sharding.Pipeline);
        var ranks = row.Gpus * options.Sharding.Data;
        return new(cell, row, ranks, row.TotalBytes != null && gpusPerNode is { } most ? NodeShape.Of(ranks, most)
            : null, GpuHours(options, row, prompts));
    }

    private LlamaConfig Model(ModelOptions options)
    {
        var path = options.EffectivePath;
        return _models.TryGetValue(path, out var known) ? known : _models[path] = ModelConfiguration.Load(path);
    }

    private PlannedWork Work(RunOptions options, LlamaConfig model)
    {
        // Without the weights their type is what config.json says, and the widest where it says nothing.
        var weights = options.Model.Dtype ?? model.DType ?? DType.F32;
        return PlannedWork.Of(options, options.Batch.EffectiveConcurrency, Length(options, model), weights,
            options.Model.KvDtype ?? (weights == DType.Int8 || OnCpu(options.Runtime) ? DType.F32 : weights));
    }

    /// <summary>As this machine would decide where the cell leaves it to the machine; asked once.</summary>
    private bool OnCpu(RuntimeOptions options)
    {
        return options.Backend == BackendKind.Auto ? _autoIsCpu ??= Backends.Choose(options, weights: null).IsCpu
            : options.Backend == BackendKind.Cpu;
    }

    /// <summary>Tokens of a sequence at its longest.</summary>
    private static int Length(RunOptions options, LlamaConfig model)
    {
        var limit = options.Generation.MaxLength > 0 ? Math.Min(options.Generation.MaxLength, model.MaxPositions) : model.MaxPositions;
        return options.Dataset.InputTokens > 0 ? (int)Math.Min(limit, (long)options.Dataset.InputTokens + options.Generation.MaxNewTokens)
            : limit;
    }

    /// <summary>
    /// Every prompt of every repeat, and the batches of the warm-up, at full length: as many output tokens as are allowed,
    /// the rest of the length being the prompt. The rates are upper bounds too, so this is no bound of either kind.
    /// </summary>
    private static double? GpuHours(RunOptions options, PlanRow row, int? promptsOfARepeat)
    {
        if (row is not { DecodeTokensPerSecond: { } decode, PrefillTokensPerSecond: { } prefill } || promptsOfARepeat is not { } prompts)
            return null;
        var output = Math.Min(options.Generation.MaxNewTokens, row.MaxLength - Math.Max(1, options.Dataset.InputTokens));
        var perPrompt = Math.Max(0, output) / decode + (row.MaxLength - Math.Max(0, output)) / prefill;
        var repeats = options.Repeats.UntilCi != null ? options.Repeats.Max : options.Repeats.Count;
        // Batches go round the replicas, requests of continuous batching one by one; each replica warms up by itself.
        var together = options.Batch.Schedule == ScheduleKind.Continuous ? 1 : options.Batch.Size;
        var rounds = DivideUp(DivideUp(prompts, together), options.Sharding.Data);
        var busiest = Math.Min(prompts, rounds * together);
        var seconds = (repeats * (double)busiest
            + options.Repeats.Warmup * (double)Math.Min(options.Batch.EffectiveConcurrency, prompts)) * perPrompt;
        return seconds * row.Gpus * options.Sharding.Data / SecondsPerHour;
    }

    private static int DivideUp(int dividend, int divisor) => (dividend + divisor - 1) / divisor;

    /// <summary>Of one repeat; the limit where the dataset is not here to be counted; null where there is none either.</summary>
    private int? Prompts(DatasetOptions dataset)
    {
        if (_prompts.TryGetValue(dataset, out var known)) return known;
        int? limit = dataset.Limit > 0 ? dataset.Limit : null;
        try
        {
            var loaded = DatasetCatalog.Load(dataset.Name, dataset.Path, dataset.Shots, limit, dataset.Seed, dataset.Turns);
            return _prompts[dataset] = loaded.Prompts.Sum(prompt => 1 + prompt.Later.Count);
        }
        catch (UserErrorException e)
        {
            _missing.Add(e.Message);
            return _prompts[dataset] = limit;
        }
    }
}
