using Harness.Common;
using Harness.Datasets;
using Harness.Energy.Statistics;

namespace Harness.Configuration;

/// <summary>Settings that do not go together; what each takes by itself stands in its row.</summary>
internal static class Validation
{
    /// <exception cref="UserErrorException">One of them, with the remedy.</exception>
    public static void Check(RunOptions options)
    {
        CheckBatch(options.Batch);
        CheckTask(options.Dataset);
        CheckTurns(options);
        if (options.Repeats is { UntilCi: not null, Max: < RepeatPlan.FewestForInterval })
            throw Settings.Of(o => o.Repeats.Max).Wrong(options.Repeats.Max,
                $"at least {RepeatPlan.FewestForInterval}, which a confidence interval (--until-ci) needs,");
        CheckCarbon(options.Carbon);
    }

    private static void CheckTask(DatasetOptions dataset)
    {
        if (dataset.Task is not (null or PromptTask.Template or PromptTask.Plain) && dataset.Shots > 0)
            throw Settings.Of(o => o.Dataset.Shots).Wrong(dataset.Shots, $"0 beside --task {dataset.Task}, whose prompts hold no worked "
                + "examples");
        if (dataset is { Task: PromptTask.Template, InputTokens: > 0 })
            throw Settings.Of(o => o.Dataset.InputTokens).Wrong(dataset.InputTokens,
                $"0 beside --task {PromptTask.Template}, whose form would be cut or repeated,");
        if (dataset.System.Length == 0) return;
        if (string.IsNullOrWhiteSpace(dataset.System))
            throw Settings.Of(o => o.Dataset.System).Wrong(dataset.System, "a text, or nothing,");
        if (dataset.Task is not (null or PromptTask.Template) || dataset.InputTokens > 0)
            throw new UserErrorException($"{Settings.Of(o => o.Dataset.System).Named} is rendered by a chat template alone, which "
                + $"{(dataset.InputTokens > 0 ? "--input-tokens" : $"--task {dataset.Task}")} does without; leave one of the two out");
    }

    /// <summary>A turn waits for an answer, and its prompt is known then alone.</summary>
    private static void CheckTurns(RunOptions options)
    {
        if (options.Dataset.Turns == 1) return;
        var expected = options.Batch.Schedule != ScheduleKind.Continuous ? "1, or continuous batching (--schedule continuous)"
            : options.Dataset.InputTokens > 0 ? "1 beside --input-tokens, which would cut a conversation,"
            : options.Generation.Lengths == OutputLengths.Reference
                ? "1 beside --lengths reference, whose replies are not the model's own,"
            : options.Dataset.Task is not (null or PromptTask.Template or PromptTask.Plain)
                ? $"1 beside --task {options.Dataset.Task}, which asks single questions,"
            : null;
        if (expected != null) throw Settings.Of(o => o.Dataset.Turns).Wrong(options.Dataset.Turns, expected);
    }

    private static void CheckBatch(BatchOptions batch)
    {
        const string Continuous = "continuous batching (--schedule continuous)";
        if (batch.Burstiness != 1 && batch.Arrivals.Length > 0)
            throw Settings.Of(o => o.Batch.Burstiness).Wrong(batch.Burstiness, "1 beside --arrivals, whose file says when requests come,");
        if (batch is { Burstiness: not 1, Rate: 0 })
            throw Settings.Of(o => o.Batch.Burstiness).Wrong(batch.Burstiness, "1, or requests that arrive by themselves (--rate R),");
        if (batch.Schedule == ScheduleKind.Continuous) return;
        if (batch.Concurrency > 0) throw Settings.Of(o => o.Batch.Concurrency).Wrong(batch.Concurrency, Continuous);
        if (batch.Arrivals.Length > 0) throw Settings.Of(o => o.Batch.Arrivals).Wrong(batch.Arrivals, Continuous);
        if (batch.Rate > 0) throw Settings.Of(o => o.Batch.Rate).Wrong(batch.Rate, Continuous);
    }

    /// <summary>Intensity, PUE and embodied emissions are given together or not at all.</summary>
    private static void CheckCarbon(CarbonOptions carbon)
    {
        (bool IsGiven, Setting Row)[] terms =
        [
            (carbon.Intensity.Length > 0, Settings.Of(o => o.Carbon.Intensity)),
            (carbon.Pue != null, Settings.Of(o => o.Carbon.Pue)),
            (carbon.Embodied != null, Settings.Of(o => o.Carbon.Embodied)),
        ];
        string[] missing = [.. terms.Where(term => !term.IsGiven).Select(term => term.Row.Named)];
        if (missing.Length is 0 or 3) return;
        throw new UserErrorException($"the carbon figures of a run need {string.Join(" and ", missing)} as well; "
            + "give all of intensity, PUE and embodied emissions, or none");
    }
}
