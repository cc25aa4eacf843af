using Harness.Common;
using Harness.Configuration;
using Harness.Models.Llama.Checkpoints;
using Harness.Models.Llama.Tokenizers;
using Harness.Seams;

namespace Harness.Running;

/// <summary>The tokenizer that goes with a model: the checkpoint's own, one that the user names, or bytes for a synthetic model.</summary>
internal static class Tokenizers
{
    /// <summary>Where a model's tokenizer lies, and what else says how it is asked; null for a synthetic model that reads bytes.</summary>
    public static string? DirectoryOf(ModelOptions model) => model.Tokenizer.Length > 0 ? model.Tokenizer
        : model.Path.StartsWith(SyntheticCheckpoint.Prefix, StringComparison.Ordinal) ? null : model.EffectivePath;

    /// <exception cref="UserErrorException">No such file, or the chosen library does not know its format.</exception>
    public static ITokenizer For(ModelOptions model)
    {
        var library = TokenizerLibraries.Find(model.TokenizerLibrary);
        if (DirectoryOf(model) is { } directory) return TokenizerLoader.Load(directory, library);
        return model.TokenizerLibrary == TokenizerLibrary.Own ? new ByteTokenizer()
            : throw new UserErrorException(
                $"{model.Path} has no tokenizer file for tokenizer library '{EnumWord.Of(model.TokenizerLibrary)}'; "
                + $"name one with --tokenizer DIR, or use --tokenizer-library {EnumWord.Of(TokenizerLibrary.Own)}, which reads its text "
                + "as bytes");
    }
}
