using Harness.Common;
using Harness.Configuration;
using Harness.Runs;
using Harness.Runs.Records;
using Harness.Tensors;

namespace Harness.Running;

/// <summary>The columns of <c>summary.csv</c> that are known before anything is measured.</summary>
internal static class RunDescription
{
    public static SummaryRecord Of(RunOptions options, RankModel model, PromptSet prompts, PowerCell cell, string runId,
        string timestampUtc) => new()
        {
            RunId = runId,
            Status = RunStatus.Incomplete,
            TimestampUtc = timestampUtc,
            Commit = Build.Commit.Length > 0 ? Build.Commit : null,
            Model = ModelName(options.Model),
            ParametersBillions = model.Checkpoint.Config.Shape.Parameters / 1e9,
            Dtype = DTypes.Label(model.Storage),
            KvDtype = DTypes.Label(model.CacheType),
            Backend = model.BackendChoice.Name,
            Nodes = model.Topology.Nodes,
            Ranks = model.World.Size,
            TensorParallel = options.Sharding.Tensor,
            PipelineParallel = options.Sharding.Pipeline,
            MicroBatches = options.Sharding.EffectiveMicroBatches,
            BatchSize = options.Batch.Schedule == ScheduleKind.Continuous ? null : options.Batch.Size,
            Concurrency = options.Batch.Schedule == ScheduleKind.Continuous
                ? options.Batch.EffectiveConcurrency * options.Sharding.Data : null,
            RequestRatePerSecond = options.Batch.Rate > 0 ? options.Batch.Rate : prompts.Arrivals?.Rate,
            Burstiness = options.Batch.Rate > 0 && prompts.Arrivals == null ? options.Batch.Burstiness : null,
            Arrivals = prompts.Arrivals?.Digits,
            Schedule = EnumWord.Of(options.Batch.Schedule),
            MaxNewTokens = options.Generation.MaxNewTokens,
            Dataset = prompts.Prompts[0].Dataset,
            Task = prompts.Form.Task,
            ChatTemplate = prompts.Form.TemplateDigits,
            SystemPrompt = prompts.Form.SystemDigits,
            Lengths = options.Generation.Lengths == OutputLengths.Reference ? EnumWord.Of(OutputLengths.Reference)
                : prompts.Arrivals is { InputColumn: not null } or { OutputColumn: not null } ? "arrivals" : null,
            Turns = options.Dataset.Turns > 1 ? options.Dataset.Turns : null,
            NumPrompts = prompts.Prompts.Count,
            FixedInputTokens = options.Dataset.InputTokens > 0 ? options.Dataset.InputTokens : null,
            PowerLimitWatts = cell.LimitWatts,
            SmClockMhz = cell.SmClockMhz,
            Goodput = new() { Slo = options.Goodput.Slo.IsNone ? null : options.Goodput.Slo.ToString() },
        };

    /// <summary>What the user typed, without the path in front: llama-7b of /models/llama-7b/, or demo.</summary>
    public static string ModelName(ModelOptions model) =>
        model.Path.Length == 0 ? "demo" : Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(model.Path)));
}
