using Harness.Common;
using Harness.Configuration;
using Harness.Datasets;
using Harness.Models.Llama.Configuration;
using Harness.Models.Llama.Tokenizers;

namespace Harness.Running;

/// <summary>The prompts as rank 0 alone knows them: texts, references, and the tokenizer that reads answers back.</summary>
internal sealed record PromptSet(IReadOnlyList<Prompt> Prompts, PromptForm Form, Workload Workload, LoadedPrompts Loaded)
{
    /// <summary>Null where no file says when they arrive.</summary>
    public ArrivalTrace? Arrivals { get; init; }

    public ITokenizer Tokenizer => Form.Tokenizer;

    /// <summary>The text of an answer.</summary>
    public string AnswerOf(int[] output) => Form.AnswerOf(output);

    /// <summary>For people: what the tokenizer, the data, the form of the prompts and their arrivals have to say.</summary>
    public IEnumerable<string> Notes => [.. Tokenizer.Notes, .. Loaded.Notes, .. Form.Notes, .. Arrivals?.Notes ?? [],
        .. Prompts.Any(prompt => prompt.Turn > 1) ? (string[])[TurnsNote] : []];

    private string TurnsNote => $"{Figures.Count(Prompts.Count(prompt => prompt.Turn == 1), "conversation")} of "
        + $"{Figures.Count(Prompts.Count, "turn")}, {Prompts.Max(prompt => prompt.Turn)} at most; each is asked when the answer "
        + "before it is known";

    public static PromptSet Load(RunOptions options, LlamaConfig model, IProgressReporter progress)
    {
        var dataset = options.Dataset;
        var tokenizer = Tokenizers.For(options.Model);
        var loaded = DatasetCatalog.Load(dataset.Name, dataset.Path, dataset.Shots, dataset.Limit > 0 ? dataset.Limit : null, dataset.Seed,
            dataset.Turns);
        var arrivals = ArrivalsOf(options, loaded.Prompts.Count);
        var cutBy = arrivals?.InputColumn is { } column ? $"{column} of {arrivals.Path}"
            : dataset.InputTokens > 0 ? "--input-tokens" : null;
        var form = PromptForm.Choose(options, loaded.Prompts, tokenizer, cutBy);
        var prompts = form.Apply(loaded.Prompts);
        var workload = Workload.Of(prompts, form, options.Generation, dataset.InputTokens, model, progress, arrivals);
        // An answer to a question that was cut or repeated says nothing of the model.
        if (cutBy != null)
            prompts = [.. prompts.Zip(workload.Items, (prompt, item) =>
                prompt with { Text = tokenizer.Decode(item.Tokens.AsSpan(Workload.BeginTokens(item.Tokens, tokenizer))),
                ReferenceAnswer = null })];
        return new([.. prompts.SelectMany(Turns)], form, workload, loaded) { Arrivals = arrivals };
    }

    /// <summary>As the workload has them; what a later turn reads is known when it is asked.</summary>
    private static IEnumerable<Prompt> Turns(Prompt prompt) =>
        prompt.Later.Select((question, i) => prompt with { Turn = i + 2, Question = question, Text = question, ReferenceOutput = null })
            .Prepend(prompt);

    private static ArrivalTrace? ArrivalsOf(RunOptions options, int prompts)
    {
        if (options.Batch.Arrivals.Length == 0) return null;
        var arrivals = ArrivalTrace.Read(options.Batch.Arrivals, prompts);
        if (options.Batch.Rate > 0) arrivals = arrivals.At(options.Batch.Rate);
        if (options.Generation.Lengths != null) arrivals = arrivals.WithoutLengths();
        if (arrivals.InputColumn != null && options.Dataset.InputTokens > 0)
            throw Settings.Of(o => o.Dataset.InputTokens).Wrong(options.Dataset.InputTokens,
                $"0 beside {arrivals.InputColumn} of {arrivals.Path}, or its times alone (--lengths limit),");
        if (options.Dataset.Turns > 1 && (arrivals.InputColumn ?? arrivals.OutputColumn) is { } column)
            throw Settings.Of(o => o.Dataset.Turns).Wrong(options.Dataset.Turns,
                $"1 beside {column} of {arrivals.Path}, or its times alone (--lengths limit),");
        return arrivals;
    }
}
