using Harness.Common;
using Harness.Models.Llama.Configuration;
using Harness.Sharding;
using Harness.Tensors;

namespace Harness.Planning;

/// <summary>Which layouts of a model fit devices of a kind, what each rank then holds and sends, and how fast it can be.</summary>
internal sealed record Planner
{
    /// <summary>
    /// Part of a device's memory that is kept free. Of 32 GiB, 1.6: a V100's driver keeps 0.3, a CUDA context and its
    /// libraries take 0.3 to 0.8, and an allocator leaves gaps.
    /// </summary>
    public const double DefaultReserve = 0.05;

    /// <summary>As the user named it.</summary>
    public required string Name { get; init; }
    public required LlamaConfig Model { get; init; }
    public required PlannedWork Work { get; init; }
    public required long MemoryBytes { get; init; }
    public double Reserve { get; init; } = DefaultReserve;
    public DeviceRates? Rates { get; init; }

    public long ReserveBytes => (long)(MemoryBytes * Reserve);

    /// <summary>
    /// Every tensor-parallel degree × pipeline stages of at most so many devices, fewest first. A degree that the model
    /// cannot have stands there once, with the reason.
    /// </summary>
    /// <param name="tensor">Only this degree.</param>
    /// <param name="pipeline">Only so many stages.</param>
    public IEnumerable<PlanRow> Rows(int gpus, int? tensor = null, int? pipeline = null)
    {
        int[] degrees = tensor is { } t ? [t] : [.. Enumerable.Range(1, gpus)];
        int[] stages = pipeline is { } p ? [p] : [.. Enumerable.Range(1, gpus)];
        var possible = degrees.Where(degree => ShardPlan.Objection(Model.Shape, degree, 1, Work.Weights) == null).ToHashSet();
        return from degree in degrees
               from stage in stages.TakeWhile(stage => (long)degree * stage <= gpus)
               where (possible.Contains(degree) || stage == stages[0]) && (stage <= Model.Shape.Layers || degree == degrees[0])
               orderby degree * stage, degree
               select Row(degree, stage);
    }

    public PlanRow Row(int tensor, int pipeline)
    {
        var row = new PlanRow
        {
            Model = Name,
            Gpus = checked(tensor * pipeline),
            TensorParallel = tensor,
            PipelineParallel = pipeline,
            MicroBatches = Work.MicroBatchesOver(pipeline),
            BatchSize = Work.BatchSize,
            MaxLength = Work.MaxLength,
            Dtype = Work.Weights.Label(),
            KvDtype = Work.Cache.Label(),
            MemoryBytes = MemoryBytes,
            Fits = false,
        };
        return ShardPlan.Objection(Model.Shape, tensor, pipeline, Work.Weights) is { } objection
            ? row with { Reason = objection }
            : Fill(row, new ShardPlan(Model.Shape, tensor, pipeline, Work.Weights));
    }

    private PlanRow Fill(PlanRow row, ShardPlan plan)
    {
        var memory = MemoryPlan.For(plan, Work);
        var total = memory.Bytes + ReserveBytes;
        var fits = total <= MemoryBytes;
        var traffic = Enumerable.Range(0, plan.Pipeline)
            .Select(stage => PassCost.Of(plan, stage, Work, new PassShape(1, 1, 0, 0))).ToArray();
        var decode = fits ? Predict(plan, PassShape.Decode(Work, plan.Pipeline)) : null;
        var prefill = fits ? Predict(plan, PassShape.Prefill(Work, plan.Pipeline)) : null;
        return row with
        {
            Fits = fits,
            WeightBytes = memory.WeightBytes,
            KvCacheBytes = memory.KvCacheBytes,
            ActivationBytes = memory.ActivationBytes,
            ReserveBytes = ReserveBytes,
            TotalBytes = total,
            TensorBytesPerToken = (long)Math.Ceiling(traffic.Max(stage => stage.TensorBytes)),
            HeadBytesPerToken = (long)Math.Ceiling(traffic[^1].HeadBytes),
            PipelineBytesPerToken = (long)Math.Ceiling(traffic[0].PipelineBytes),
            DecodeTokensPerSecond = decode?.TokensPerSecond,
            DecodeBound = decode?.Bound.ToString().ToLowerInvariant(),
            PrefillTokensPerSecond = prefill?.TokensPerSecond,
            PrefillBound = prefill?.Bound.ToString().ToLowerInvariant(),
            DecodeSeconds = decode?.DeviceSeconds.Computing,
            DecodeCommunicationSeconds = decode?.DeviceSeconds.Communication,
            DecodeWaitingSeconds = decode?.DeviceSeconds.Waiting,
            PrefillSeconds = prefill?.DeviceSeconds.Computing,
            PrefillCommunicationSeconds = prefill?.DeviceSeconds.Communication,
            PrefillWaitingSeconds = prefill?.DeviceSeconds.Waiting,
            Reason = fits ? null : $"{memory} and {Quantity.Text(ReserveBytes)} in reserve exceed {Quantity.Text(MemoryBytes)} "
                + $"by {Quantity.Text(total - MemoryBytes)}",
        };
    }

    private Prediction? Predict(ShardPlan plan, PassShape pass) => Rates == null ? null : Roofline.Predict(plan, Work, pass, Rates);
}
