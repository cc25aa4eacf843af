using System.Text.Json.Nodes;
using Harness.Tensors;

namespace Harness.Tests.Models.Llama;

/// <summary>
/// A LLaMA forward pass in float64, written down once more with plain loops and without a look at the program's own:
/// Hugging Face's conventions (rotate-half RoPE, grouped-query attention, SwiGLU, RMSNorm), every position in turn.
/// </summary>
internal sealed class ReferenceModel
{
    private readonly int _hidden, _layers, _heads, _keyValueHeads, _headDimension, _window;
    private readonly double _epsilon;
    private readonly double[] _frequencies;
    private readonly SafeTensorsReader _tensors;
    private readonly DType? _rounding;
    private readonly Dictionary<string, double[]> _weights = [];
    private readonly bool _tied;

    public int Vocabulary { get; }

    /// <param name="directory">config.json and *.safetensors.</param>
    /// <param name="rounding">Type to which matrices are rounded first (norms stay), as storing them in it does, and with
    /// <see cref="DType.Int8"/> what they are multiplied by too; null: none.</param>
    public ReferenceModel(string directory, DType? rounding = null)
    {
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(directory, "config.json")))!;
        _tensors = new(directory);
        _rounding = rounding;
        _hidden = (int)config["hidden_size"]!;
        _layers = (int)config["num_hidden_layers"]!;
        _heads = (int)config["num_attention_heads"]!;
        _keyValueHeads = (int?)config["num_key_value_heads"] ?? _heads;
        _headDimension = (int?)config["head_dim"] ?? _hidden / _heads;
        _window = (int?)config["sliding_window"] ?? 0;
        _epsilon = (double)config["rms_norm_eps"]!;
        _tied = (bool?)config["tie_word_embeddings"] ?? false;
        Vocabulary = (int)config["vocab_size"]!;
        _frequencies = Frequencies(config, _headDimension);
    }

    /// <summary>Radians per position of every pair; transformers' modeling_rope_utils.py, in double.</summary>
    public static double[] Frequencies(JsonNode config, int headDimension)
    {
        var scaling = config["rope_parameters"] ?? config["rope_scaling"];
        var theta = (double?)scaling?["rope_theta"] ?? (double?)config["rope_theta"] ?? 10_000;
        var type = (string?)scaling?["rope_type"] ?? (string?)scaling?["type"] ?? "default";
        var frequencies = new double[headDimension / 2];
        for (var i = 0; i < frequencies.Length; i++)
        {
            var frequency = Math.Exp(-Math.Log(theta) * 2 * i / headDimension);
            frequencies[i] = type switch
            {
                "linear" => frequency / (double)scaling!["factor"]!,
                "llama3" => Llama3(frequency, (double)scaling!["factor"]!, (double)scaling["low_freq_factor"]!,
                    (double)scaling["high_freq_factor"]!, (double)scaling["original_max_position_embeddings"]!),
                _ => frequency,
            };
        }
        return frequencies;
    }

    /// <summary>_compute_llama3_parameters: long waves are stretched, short ones kept, those between interpolated.</summary>
    private static double Llama3(double frequency, double factor, double low, double high, double context)
    {
        var wavelength = 2 * Math.PI / frequency;
        if (wavelength < context / high) return frequency;
        if (wavelength > context / low) return frequency / factor;
        var smooth = (context / wavelength - low) / (high - low);
        return (1 - smooth) * frequency / factor + smooth * frequency;
    }

    /// <summary>[positions][vocabulary].</summary>
    public double[][] Logits(IReadOnlyList<int> tokens)
    {
        var session = new Session(this);
        return [.. tokens.Select(session.Next)];
    }

    /// <summary>A sequence that grows token by token.</summary>
    public sealed class Session(ReferenceModel model)
    {
        private readonly List<(double[] Key, double[] Value)>[] _cache =
            [.. Enumerable.Range(0, model._layers).Select(_ => new List<(double[], double[])>())];

        public double[] Next(int token)
        {
            var x = model.Weight("model.embed_tokens.weight").AsSpan(token * model._hidden, model._hidden).ToArray();
            for (var layer = 0; layer < model._layers; layer++)
            {
                var name = $"model.layers.{layer}.";
                Add(x, model.Project(name + "self_attn.o_proj", Attention(layer, model.Norm(x, name + "input_layernorm"))));
                Add(x, model.FeedForward(name + "mlp.", model.Norm(x, name + "post_attention_layernorm")));
            }
            return model.Project(model._tied ? "model.embed_tokens" : "lm_head", model.Norm(x, "model.norm"));
        }

        private double[] Attention(int layer, double[] x)
        {
            var name = $"model.layers.{layer}.self_attn.";
            var (d, position) = (model._headDimension, _cache[layer].Count);
            var q = model.Rotate(model.NormHeads(model.Project(name + "q_proj", x), name + "q_norm"), position);
            var k = model.Rotate(model.NormHeads(model.Project(name + "k_proj", x), name + "k_norm"), position);
            _cache[layer].Add((k, model.Project(name + "v_proj", x)));
            var first = model._window > 0 ? Math.Max(0, position + 1 - model._window) : 0;
            var result = new double[q.Length];
            for (var head = 0; head < model._heads; head++)
            {
                var shared = head / (model._heads / model._keyValueHeads);
                var scores = new double[position + 1 - first];
                for (var t = 0; t < scores.Length; t++)
                    for (var i = 0; i < d; i++) scores[t] += q[head * d + i] * _cache[layer][first + t].Key[shared * d + i] / Math.Sqrt(d);
                var (most, total) = (scores.Max(), 0.0);
                for (var t = 0; t < scores.Length; t++) total += scores[t] = Math.Exp(scores[t] - most);
                for (var t = 0; t < scores.Length; t++)
                    for (var i = 0; i < d; i++) result[head * d + i] += scores[t] / total * _cache[layer][first + t].Value[shared * d + i];
            }
            return result;
        }
    }

    private double[] FeedForward(string name, double[] x)
    {
        var (gate, up) = (Project(name + "gate_proj", x), Project(name + "up_proj", x));
        for (var i = 0; i < gate.Length; i++) gate[i] = gate[i] / (1 + Math.Exp(-gate[i])) * up[i];
        return Project(name + "down_proj", gate);
    }

    private double[] Rotate(double[] x, int position)
    {
        var (d, half) = (_headDimension, _headDimension / 2);
        var y = new double[x.Length];
        for (var i = 0; i < x.Length; i++)
        {
            var (head, feature) = (i / d * d, i % d);
            var angle = position * _frequencies[feature % half];
            var other = feature < half ? -x[head + feature + half] : x[head + feature - half];
            y[i] = x[i] * Math.Cos(angle) + other * Math.Sin(angle);
        }
        return y;
    }

    private double[] Norm(double[] x, string name)
    {
        var gain = Weight(name + ".weight");
        var scale = 1 / Math.Sqrt(x.Sum(v => v * v) / x.Length + _epsilon);
        return [.. x.Select((v, i) => v * scale * gain[i])];
    }

    /// <summary>Qwen3: each head by itself, before it is rotated; a model without such norms has no tensor of that name.</summary>
    private double[] NormHeads(double[] x, string name) =>
        !_tensors.Has(name + ".weight") ? x : [.. x.Chunk(_headDimension).SelectMany(head => Norm(head, name))];

    private double[] Project(string name, double[] x)
    {
        var weight = Weight(name + ".weight");
        var y = new double[weight.Length / x.Length];
        if (_rounding == DType.Int8) x = Groups(x, MidpointRounding.ToEven, step => step);
        var bias = _tensors.Has(name + ".bias") ? Weight(name + ".bias") : y;
        for (var row = 0; row < y.Length; row++)
        {
            var sum = 0.0;
            for (var i = 0; i < x.Length; i++) sum += weight[row * x.Length + i] * x[i];
            y[row] = sum + bias[row];
        }
        return y;
    }

    private static void Add(double[] x, double[] y)
    {
        for (var i = 0; i < x.Length; i++) x[i] += y[i];
    }

    private static double[] Groups(double[] row, MidpointRounding ties, Func<double, double> stored) =>
        [.. row.Chunk(32).SelectMany(group => StoredNumber.RoundGroup(group, ties, stored))];

    private double[] Weight(string name)
    {
        if (_weights.TryGetValue(name, out var known)) return known;
        var (shape, values) = _tensors.Read(name);
        if (shape.Length == 2 && _rounding is { } dtype) values = dtype == DType.Int8
            ? [.. values.Chunk(shape[1])
                .SelectMany(row => Groups(row, MidpointRounding.AwayFromZero, step => StoredNumber.Round(step, DType.F16)))]
            : [.. values.Select(v => StoredNumber.Round(v, dtype))];
        return _weights[name] = values;
    }
}
