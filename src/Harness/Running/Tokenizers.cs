using Harness.Configuration;
using Harness.Models.Llama.Checkpoints;
using Harness.Models.Llama.Tokenizers;

namespace Harness.Running;

/// <summary>The tokenizer that goes with a model: the checkpoint's own, one that the user names, or bytes for a synthetic model.</summary>
internal static class Tokenizers
{
    public static ITokenizer For(ModelOptions model) =>
        model.Tokenizer.Length > 0 ? TokenizerLoader.Load(model.Tokenizer)
        : model.Path.StartsWith(SyntheticCheckpoint.Prefix, StringComparison.Ordinal) ? new ByteTokenizer()
        : TokenizerLoader.Load(RankModel.ModelPath(model));
}
