using Harness.Common;
using Harness.Datasets;
using Harness.Energy.Meters;
using Harness.Energy.Statistics;
using Harness.Runs;
using Harness.Tensors;

namespace Harness.Configuration;

/// <summary>Checks of single values and of their company, before anything is loaded.</summary>
internal static class Validation
{
    public static void Check(RunOptions o)
    {
        if (o.Model.Dtype != "auto") DTypes.Parse(o.Model.Dtype);
        OneOf(o.Model.TokenizerLibrary, "Model:TokenizerLibrary", "own", "ml");
        AtLeast(1, o.Sharding.Tensor, "Sharding:Tensor");
        AtLeast(1, o.Sharding.Pipeline, "Sharding:Pipeline");
        AtLeast(1, o.Sharding.Data, "Sharding:Data");
        AtLeast(0, o.Sharding.MicroBatches, "Sharding:MicroBatches");
        OneOf(o.Sharding.Communicator, "Sharding:Communicator", "auto", "solo", "threads", "mpi", "mpinet");
        OneOf(o.Sharding.Link, "Sharding:Link", "auto", "host", "nccl");
        OneOf(o.Sharding.CommDtype, "Sharding:CommDtype", "f32", "bf16");
        // A timer takes 2³² - 2 ms at most, and the watchdog looks four times in this.
        Between("1s", "43200min", o.Sharding.StallLimit, "Sharding:StallLimit");
        OneOf(o.Runtime.Backend, "Runtime:Backend", "auto", "cpu", "torch");
        Between(0, 4096, o.Runtime.Threads, "Runtime:Threads");
        AtLeast(0, o.Dataset.Limit, "Dataset:Limit");
        AtLeast(0, o.Dataset.Shots, "Dataset:Shots");
        AtLeast(1, o.Batch.Size, "Batch:Size");
        OneOf(o.Batch.Schedule, "Batch:Schedule", "static", "continuous");
        AtLeast(0, o.Batch.Concurrency, "Batch:Concurrency");
        Between(0, 1e6f, (float)o.Batch.Rate, "Batch:Rate");
        if (o.Batch.Schedule == "static" && o.Batch.Concurrency > 0) throw Wrong("Batch:Concurrency", o.Batch.Concurrency, "continuous batching (--schedule continuous)");
        if (o.Batch.Schedule == "static" && o.Batch.Rate > 0) throw Wrong("Batch:Rate", o.Batch.Rate, "continuous batching (--schedule continuous)");
        AtLeast(0, o.Dataset.InputTokens, "Dataset:InputTokens");
        if (o.Dataset.Task.Length > 0 && !PromptTask.IsKnown(o.Dataset.Task)) throw Wrong("Dataset:Task", o.Dataset.Task, $"one of {PromptTask.Known}");
        if (o.Dataset.Task.Length > 0 && o.Dataset.Shots > 0) throw Wrong("Dataset:Shots", o.Dataset.Shots, "0 beside --task, whose prompts hold no worked examples");
        AtLeast(1, o.Generation.MaxNewTokens, "Generation:MaxNewTokens");
        AtLeast(0, o.Generation.MaxLength, "Generation:MaxLength");
        OneOf(o.Generation.Lengths, "Generation:Lengths", "limit", "reference");
        Between(0, 100, o.Generation.Temperature, "Generation:Temperature");
        AtLeast(0, o.Generation.TopK, "Generation:TopK");
        if (o.Generation.TopP is not (> 0 and <= 1)) throw Wrong("Generation:TopP", o.Generation.TopP, "a number above 0 and up to 1");
        if (o.Generation.RepetitionPenalty is not (> 0 and < float.PositiveInfinity)) throw Wrong("Generation:RepetitionPenalty", o.Generation.RepetitionPenalty, "a number above 0");
        if (!MeterFactory.Knows(o.Energy.Meter)) throw Wrong("Energy:Meter", o.Energy.Meter, MeterFactory.Usage);
        Between("1ms", "60s", o.Energy.SampleInterval, "Energy:SampleInterval");
        Between("0s", "1440min", o.Energy.IdleBaseline, "Energy:IdleBaseline");
        Between("0s", "1440min", o.Energy.Cooldown, "Energy:Cooldown");
        Between(0, 200, (float)o.Energy.MaxStartTemperature, "Energy:MaxStartTemperature");
        Between("0s", "1440min", o.Energy.CooldownLimit, "Energy:CooldownLimit");
        Duration.ParsePercent(o.Repeats.UntilCi, "Repeats:UntilCi");
        AtLeast(0, o.Repeats.Warmup, "Repeats:Warmup");
        AtLeast(1, o.Repeats.Count, "Repeats:Count");
        AtLeast(2, o.Repeats.Max, "Repeats:Max");
        if (o.Repeats.UntilCi.Length > 0 && o.Repeats.Max < RepeatPlan.FewestForInterval)
            throw Wrong("Repeats:Max", o.Repeats.Max, $"at least {RepeatPlan.FewestForInterval}, which a confidence interval (--until-ci) needs,");
        OneOf(o.Output.IfTaken, "Output:IfTaken", "rename", "refuse");
        if (o.Output.Name.Length > 0) RunName.Checked(o.Output.Name);
        CheckCarbon(o.Carbon);
        if (o.Output.Directory.Length == 0) throw Wrong("Output:Directory", "", "a directory");
    }

    /// <summary>Intensity, PUE and embodied emissions are given together or not at all.</summary>
    private static void CheckCarbon(CarbonOptions carbon)
    {
        var withoutEmbodied = carbon.Embodied == CarbonOptions.NotGiven;
        if (carbon.Intensity.Length == 0 && carbon.Pue == 0 && withoutEmbodied) return;
        string[] missing = [.. new[] { (carbon.Intensity.Length == 0, "Carbon:Intensity"), (carbon.Pue == 0, "Carbon:Pue"), (withoutEmbodied, "Carbon:Embodied") }
            .Where(term => term.Item1).Select(term => Named(term.Item2))];
        if (missing.Length > 0) throw new UserErrorException($"the carbon figures of a run need {string.Join(" and ", missing)} as well; give all of intensity, PUE and embodied emissions, or none");
        if (!(carbon.Pue >= 1 && carbon.Pue < 10)) throw Wrong("Carbon:Pue", carbon.Pue, "a number of at least 1");
        if (!(carbon.Embodied >= 0 && double.IsFinite(carbon.Embodied))) throw Wrong("Carbon:Embodied", carbon.Embodied, "kg of CO2e, at least 0");
        if (!(carbon.Lifetime > 0 && carbon.Lifetime <= 100)) throw Wrong("Carbon:Lifetime", carbon.Lifetime, "years, above 0");
    }

    /// <summary>The key as people know it: Batch:Size (--batch).</summary>
    public static string Named(string key) => Switch.Of(key) is { } known ? $"{key} ({known.Name})" : key;

    public static UserErrorException Wrong(string key, object value, string expected) =>
        new(FormattableString.Invariant($"{Named(key)} is '{value}', but {expected} is expected"));

    private static void AtLeast(int least, int value, string key)
    {
        if (value < least) throw Wrong(key, value, $"a whole number of at least {least}");
    }

    private static void Between(float low, float high, float value, string key)
    {
        if (!(value >= low && value <= high)) throw Wrong(key, value, FormattableString.Invariant($"a number from {low} to {high}"));
    }

    private static void Between(string least, string most, string time, string key)
    {
        var seconds = Duration.Parse(time, key);
        if (seconds < Duration.Parse(least, key) || seconds > Duration.Parse(most, key)) throw Wrong(key, time, $"{least} to {most}");
    }

    private static void OneOf(string value, string key, params string[] words)
    {
        if (!words.Contains(value)) throw Wrong(key, value, $"one of {string.Join(", ", words)}");
    }
}
