using Harness.Sharding;
using Harness.Tensors;

namespace Harness.Planning;

/// <summary>One device's peak rates.</summary>
/// <param name="BytesPerSecond">Of its memory.</param>
/// <param name="FlopsPerSecond">In the weights' type.</param>
/// <param name="LinkBytesPerSecond">Out of one device, to whichever peer; null where unknown.</param>
/// <param name="LinkLatencySeconds">Of one collective or message.</param>
internal sealed record DeviceRates(
    double BytesPerSecond, double FlopsPerSecond, double? LinkBytesPerSecond = null, double LinkLatencySeconds = 0);

/// <summary>What is known of the devices that a plan is for.</summary>
/// <param name="MemoryBytes">Of one; null where it is no question.</param>
/// <param name="Reserve">Part of the memory that is kept free.</param>
/// <param name="Rates">Null where nothing is to be predicted.</param>
internal sealed record Devices(long? MemoryBytes, double Reserve, DeviceRates? Rates);

/// <summary>What sets the pace.</summary>
internal enum Bound { Memory, Compute, Link }

/// <param name="TokensPerSecond">Of all sequences of one copy of the model; no machine does better.</param>
/// <param name="DeviceSeconds">Of all its devices together, for one token.</param>
internal readonly record struct Prediction(double TokensPerSecond, Bound Bound, PhaseSeconds DeviceSeconds);

/// <summary>
/// Seconds by what a device does in them, as ranks.csv has its joules: a device that waits neither computes nor communicates, since the
/// pipeline has nothing for it.
/// </summary>
internal readonly record struct PhaseSeconds(double Computing, double Communication, double Waiting);

/// <summary>
/// Roofline (Williams, Waterman, Patterson 2009) of a pipeline. A stage takes the longer of reading its weights and cache
/// and of computing, and then communicates: nothing overlaps with communication in the forward pass. A micro-batch
/// cannot begin its next pass before it has gone round all stages, and a stage works on one micro-batch at a time:
/// M micro-batches advance every max(Σ stages, M · slowest stage).
/// </summary>
internal static class Roofline
{
    private readonly record struct StageTime(double Memory, double Compute, double Link)
    {
        public double Computing => Math.Max(Memory, Compute);
        public double Total => Computing + Link;
    }

    /// <summary>Null where several ranks communicate and the link's rate is unknown.</summary>
    public static Prediction? Predict(ShardPlan plan, PlannedWork work, PassShape pass, DeviceRates device)
    {
        if (plan.Tensor * plan.Pipeline > 1 && device.LinkBytesPerSecond == null) return null;
        var stages = Enumerable.Range(0, plan.Pipeline).Select(stage => Time(PassCost.Of(plan, stage, work, pass), device)).ToArray();
        var parts = work.MicroBatchesOver(plan.Pipeline);
        var slowest = stages.MaxBy(stage => stage.Total);
        var (round, busiest) = (stages.Sum(stage => stage.Total), parts * slowest.Total);
        // Of all micro-batches, the smaller ones too.
        var tokens = (double)pass.Rows * work.BatchSize / work.SequencesPerPass(plan.Pipeline);
        var cycle = Math.Max(round, busiest);
        double DeviceSeconds(Func<StageTime, double> inOnePass) => plan.Tensor * parts * stages.Sum(inOnePass) / tokens;
        return new(tokens / cycle, round > busiest ? BoundOf(stages) : BoundOf([slowest]), new(
            DeviceSeconds(stage => stage.Computing), DeviceSeconds(stage => stage.Link),
            DeviceSeconds(stage => Math.Max(0, cycle / parts - stage.Total))));
    }

    private static StageTime Time(PassCost cost, DeviceRates device) => new(
        cost.MemoryBytes / device.BytesPerSecond,
        cost.Flops / device.FlopsPerSecond,
        device.LinkBytesPerSecond is { } rate ? cost.LinkBytes / rate + cost.Messages * device.LinkLatencySeconds : 0);

    /// <summary>What takes most of the time that these stages spend.</summary>
    private static Bound BoundOf(StageTime[] stages)
    {
        var memory = stages.Where(stage => stage.Memory >= stage.Compute).Sum(stage => stage.Memory);
        var compute = stages.Where(stage => stage.Memory < stage.Compute).Sum(stage => stage.Compute);
        var link = stages.Sum(stage => stage.Link);
        return link > memory && link > compute ? Bound.Link : memory >= compute ? Bound.Memory : Bound.Compute;
    }
}
