using Harness.Common;
using Harness.Configuration;
using Harness.Datasets;
using Harness.Models.Llama.Configuration;
using Harness.Models.Llama.Tokenizers;

namespace Harness.Running;

/// <summary>The prompts as rank 0 alone knows them: texts, references, and the tokenizer that reads answers back.</summary>
internal sealed record PromptSet(IReadOnlyList<Prompt> Prompts, PromptForm Form, Workload Workload, LoadedPrompts Loaded)
{
    public ITokenizer Tokenizer => Form.Tokenizer;

    /// <summary>For people: what the tokenizer, the data and the form of the prompts have to say.</summary>
    public IEnumerable<string> Notes => [.. Tokenizer.Notes, .. Loaded.Notes, .. Form.Notes];

    public static PromptSet Load(RunOptions options, LlamaConfig model, IProgressReporter progress)
    {
        var dataset = options.Dataset;
        var tokenizer = Tokenizers.For(options.Model);
        var loaded = DatasetCatalog.Load(dataset.Name, dataset.Path, dataset.Shots, dataset.Limit > 0 ? dataset.Limit : null, dataset.Seed);
        var form = PromptForm.Choose(options, loaded.Prompts, tokenizer);
        var prompts = form.Apply(loaded.Prompts);
        var workload = Workload.Of(prompts, form, options.Generation, dataset.InputTokens, model, progress);
        // An answer to a question that was cut or repeated says nothing of the model.
        if (dataset.InputTokens > 0)
            prompts = [.. prompts.Zip(workload.Items, (prompt, item) =>
                prompt with { Text = tokenizer.Decode(item.Tokens.AsSpan(Workload.BeginTokens(item.Tokens, tokenizer))),
                ReferenceAnswer = null })];
        return new(prompts, form, workload, loaded);
    }
}
