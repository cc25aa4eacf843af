namespace Harness.Sharding;

/// <summary>One rank's part of the model. Tensor names are those of Hugging Face LLaMA checkpoints.</summary>
public sealed class RankPlan
{
    public const string Embedding = "model.embed_tokens.weight";
    public const string FinalNorm = "model.norm.weight";
    public const string Head = "lm_head.weight";

    private readonly ModelShape _shape;

    public Slice Layers { get; }
    public Slice QueryHeads { get; }
    public Slice KeyValueHeads { get; }
    public Slice FeedForward { get; }
    public Slice Vocabulary { get; }
    public bool IsFirstStage { get; }
    public bool IsLastStage { get; }

    internal RankPlan(ShardPlan plan, int tensorRank, int stage, Slice layers)
    {
        _shape = plan.Shape;
        Layers = layers;
        IsFirstStage = stage == 0;
        IsLastStage = stage == plan.Pipeline - 1;
        QueryHeads = Slice.Even(_shape.QueryHeads, plan.Tensor, tensorRank);
        KeyValueHeads = plan.Tensor <= _shape.KeyValueHeads
            ? Slice.Even(_shape.KeyValueHeads, plan.Tensor, tensorRank)
            : new(tensorRank * _shape.KeyValueHeads / plan.Tensor, 1);
        FeedForward = Slice.Even(_shape.FeedForward, plan.Tensor, tensorRank, plan.Group);
        Vocabulary = Slice.Even(_shape.Vocabulary, plan.Tensor, tensorRank);
    }

    /// <param name="part">As "self_attn.q_proj.weight".</param>
    public static string Layer(int layer, string part) => $"model.layers.{layer}.{part}";

    /// <summary>The name of the tensor that the head uses: the embedding where the two are tied.</summary>
    public string HeadName => _shape.TiedEmbeddings ? Embedding : Head;

    /// <summary>Every tensor this rank keeps, each once, with its rows and columns.</summary>
    public IEnumerable<TensorSlice> Tensors()
    {
        if (IsFirstStage) yield return Find(Embedding);
        for (var layer = Layers.Start; layer < Layers.End; layer++)
            foreach (var part in LayerParts())
                yield return Find(Layer(layer, part));
        if (!IsLastStage) yield break;
        yield return Find(FinalNorm);
        if (!IsFirstStage || !_shape.TiedEmbeddings) yield return Find(HeadName);
    }

    private IEnumerable<string> LayerParts() =>
    [
        "input_layernorm.weight", "self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight",
        .. _shape.QkvBias ? (string[])["self_attn.q_proj.bias", "self_attn.k_proj.bias", "self_attn.v_proj.bias"] : [],
        .. _shape.HeadNorms ? (string[])["self_attn.q_norm.weight", "self_attn.k_norm.weight"] : [],
        "self_attn.o_proj.weight", "post_attention_layernorm.weight", "mlp.gate_proj.weight", "mlp.up_proj.weight", "mlp.down_proj.weight",
    ];

    /// <summary>This rank's rectangle of a tensor, and the shape that the whole tensor must have.</summary>
    /// <exception cref="ArgumentException">No LLaMA has a tensor of that name.</exception>
    public TensorSlice Find(string name)
    {
        var (hidden, one, heads) = (Slice.All(_shape.Hidden), Slice.All(1), _shape.HeadDimension);
        var part = name.StartsWith("model.layers.", StringComparison.Ordinal) ? name.Split('.', 4)[3] : name;
        return part switch
        {
            Embedding or Head => new(name, Vocabulary, hidden, _shape.Vocabulary, _shape.Hidden),
            FinalNorm or "input_layernorm.weight" or "post_attention_layernorm.weight" => new(name, one, hidden, 1, _shape.Hidden),
            "self_attn.q_proj.weight" => new(name, QueryHeads.Times(heads), hidden, _shape.QueryHeads * heads, _shape.Hidden),
            "self_attn.k_proj.weight" or "self_attn.v_proj.weight" =>
                new(name, KeyValueHeads.Times(heads), hidden, _shape.KeyValueHeads * heads, _shape.Hidden),
            "self_attn.q_proj.bias" => new(name, QueryHeads.Times(heads), one, _shape.QueryHeads * heads, 1),
            "self_attn.k_proj.bias" or "self_attn.v_proj.bias" =>
                new(name, KeyValueHeads.Times(heads), one, _shape.KeyValueHeads * heads, 1),
            "self_attn.q_norm.weight" or "self_attn.k_norm.weight" => new(name, one, Slice.All(heads), 1, heads),
            "self_attn.o_proj.weight" => new(name, hidden, QueryHeads.Times(heads), _shape.Hidden, _shape.QueryHeads * heads),
            "mlp.gate_proj.weight" or "mlp.up_proj.weight" => new(name, FeedForward, hidden, _shape.FeedForward, _shape.Hidden),
            "mlp.down_proj.weight" => new(name, hidden, FeedForward, _shape.Hidden, _shape.FeedForward),
            _ => throw new ArgumentException($"'{name}' is not a tensor of a LLaMA", nameof(name)),
        };
    }
}

/// <summary>
/// Rows and columns that a rank keeps of a tensor whose whole shape is [TotalRows, TotalColumns]; a norm's gain is one row, which every
/// rank keeps whole, a bias one column, which is cut as the rows of its matrix are.
/// </summary>
public readonly record struct TensorSlice(string Name, Slice Rows, Slice Columns, int TotalRows, int TotalColumns)
{
    public bool IsVector => TotalRows == 1 || TotalColumns == 1;

    public long Elements => (long)Rows.Count * Columns.Count;
}
