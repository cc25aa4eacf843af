using Harness.Common;
using Harness.Models.Llama.Checkpoints;
using Harness.Models.Llama.Configuration;

namespace Harness.Planning;

/// <summary>A model's configuration without its weights.</summary>
internal static class ModelConfiguration
{
    /// <param name="model">synthetic:NAME, a directory that holds a config.json, or that file.</param>
    /// <exception cref="UserErrorException">None of these, or a model that is not supported.</exception>
    public static LlamaConfig Load(string model)
    {
        if (model.StartsWith(SyntheticCheckpoint.Prefix, StringComparison.Ordinal)) return new SyntheticCheckpoint(model).Config;
        if (File.Exists(model)) return LlamaConfig.Load(model);
        if (!Directory.Exists(model))
            throw new UserErrorException($"model '{model}' is neither a directory nor a file; "
                + "--model takes a directory with a config.json, that file, or synthetic:NAME");
        var file = Path.Combine(model, "config.json");
        return File.Exists(file) ? LlamaConfig.Load(file)
            : throw new UserErrorException(
                $"{model} holds no config.json; --model takes a directory with one, that file, or synthetic:NAME");
    }
}
