using System.Text.Json;
using Harness.Common;
using Harness.Sharding;
using Harness.Tensors;

namespace Harness.Models.Llama.Configuration;

/// <summary>What a checkpoint's <c>config.json</c> says of the model, as Hugging Face transformers reads it.</summary>
public sealed record LlamaConfig
{
    /// <summary>Sizes beyond every model there is.</summary>
    private const int MostLayers = 10_000, MostHeads = 1 << 16, MostHeadFeatures = 1 << 16, MostFeatures = 1 << 24, MostTokens = 1 << 24;
    private const int MostPositions = 1 << 30;

    /// <summary>
    /// Parameters of a model, and elements of keys and values of one sequence at its longest: bytes and operations stay far from 2⁶³.
    /// </summary>
    private const double MostParameters = 1e15, MostCached = 1e15;

    public required ModelShape Shape { get; init; }
    public required float NormEpsilon { get; init; }

    /// <summary>Longest sequence, in tokens, that the model was made for.</summary>
    public required int MaxPositions { get; init; }

    /// <summary>Sliding attention window in tokens; 0 where attention reaches back to the beginning.</summary>
    public required int Window { get; init; }
    public required RotaryEmbedding Rotary { get; init; }

    /// <summary>The element type that the file names; null where it leaves that to the weights.</summary>
    public DType? DType { get; init; }

    /// <summary>A line for each thing that the file says and that is not followed.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <exception cref="UserErrorException">The file is unreadable, or asks for something this model does not have.</exception>
    public static LlamaConfig Load(string file)
    {
        if (!File.Exists(file)) throw new UserErrorException($"cannot read {file}: it is not there; "
            + "--model takes a Hugging Face checkpoint directory or synthetic:NAME");
        try
        {
            using var document = InputFile.ParseJson(InputFile.Read(file));
            return Parse(document.RootElement, file);
        }
        catch (JsonException e)
        {
            throw new UserErrorException($"{file} is not valid JSON (line {e.LineNumber + 1}); fetch the checkpoint "
            + "again", e);
        }
    }

    public static LlamaConfig Parse(JsonElement root, string source)
    {
        var json = new ConfigReader(root, source);
        var family = ModelFamily.Of(json);
        var heads = json.Int("num_attention_heads", MostHeads);
        var hidden = json.Int("hidden_size", MostFeatures);
        var usualDimension = json.Mentions("head_dim") ? null : family.HeadDimension;
        if (hidden % heads != 0 && !json.Has("head_dim") && usualDimension == null)
            throw json.Refuse("hidden_size", hidden, $"it must be a multiple of num_attention_heads, {heads}");
        var headDimension = json.Int("head_dim", MostHeadFeatures, usualDimension ?? hidden / heads);
        if (headDimension % 2 != 0) throw json.Refuse("head_dim", headDimension, "rotary embedding needs an even number of "
            + "features per head");
        var shape = new ModelShape(
            json.Int("num_hidden_layers", MostLayers), hidden, json.Int("intermediate_size", MostFeatures),
            heads, json.Int("num_key_value_heads", MostHeads,
                family.KeyValueHeads is { } usual && !json.Mentions("num_key_value_heads") ? usual : heads), headDimension,
            json.Int("vocab_size", MostTokens), json.Bool("tie_word_embeddings", false))
        {
            QkvBias = family.QkvBias,
            HeadNorms = family.HeadNorms,
        };
        if (heads % shape.KeyValueHeads != 0)
            throw json.Refuse("num_key_value_heads", shape.KeyValueHeads, $"it must divide num_attention_heads, {heads}");
        var positions = json.Int("max_position_embeddings", MostPositions, family.MaxPositions);
        CheckCounts(json, shape, positions);
        var window = family.Window(json, positions, shape.Layers);
        CheckLayerTypes(json, window > 0);
        return new LlamaConfig
        {
            Shape = shape,
            NormEpsilon = json.Float("rms_norm_eps", 1e-6f),
            MaxPositions = positions,
            Window = window,
            Rotary = RotaryEmbedding.Parse(json, headDimension, positions),
            DType = StoredAs(json),
            Notes = json.Notes,
        };
    }

    /// <summary>Every layer attends in the same way here.</summary>
    private static void CheckLayerTypes(ConfigReader json, bool hasWindow)
    {
        var expected = hasWindow ? "sliding_attention" : "full_attention";
        if (json.Words("layer_types").FirstOrDefault(type => type != expected) is { } other)
            throw json.Refuse("layer_types", other, $"every layer attends in the same way here, as {expected}");
    }

    /// <summary>Each size may be one of a model and all together none.</summary>
    private static void CheckCounts(ConfigReader json, ModelShape shape, int positions)
    {
        var parameters = (double)shape.Hidden * (2.0 * shape.HeadDimension * (shape.QueryHeads + shape.KeyValueHeads)
            + 3.0 * shape.FeedForward) * shape.Layers + 2.0 * shape.Vocabulary * shape.Hidden;
        if (parameters > MostParameters)
            throw json.Refuse("hidden_size", shape.Hidden, FormattableString.Invariant(
                $"with the other sizes it makes {parameters:G3} parameters, more than {MostParameters:G3}; fetch the file again"));
        var cached = 2.0 * shape.KeyValueHeads * shape.HeadDimension * shape.Layers * positions;
        if (cached > MostCached)
            throw json.Refuse("max_position_embeddings", positions, FormattableString.Invariant(
                $"keys and values of a sequence would be {cached:G3} numbers, more than {MostCached:G3}; fetch the file again"));
    }

    /// <summary><c>dtype</c>, then <c>torch_dtype</c>, as transformers 5; <c>auto</c> leaves it to the weights.</summary>
    private static DType? StoredAs(ConfigReader json)
    {
        var (word, older) = (json.Text("dtype"), json.Text("torch_dtype"));
        if (word != null && older != null && word != older) json.Note($"dtype is {word} and torch_dtype {older}; dtype goes first");
        var key = word != null ? "dtype" : "torch_dtype";
        word = (word ?? older)?.Replace("torch.", "", StringComparison.Ordinal);
        if (word is null or "auto") return null;
        if (word is "float64" or "double")
        {
            json.Note($"{key} = {word} is not followed: weights are kept as they are stored, and computed in float32 at most");
            return null;
        }
        try { return DTypes.Parse(word); }
        catch (UserErrorException) { throw json.Refuse(key, word, "supported: float32, bfloat16, float16"); }
    }
}
