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
        FeedForward = Slice.Even(_shape.FeedForward, plan.Tensor, tensorRank);
        Vocabulary = Slice.Even(_shape.Vocabulary, plan.Tensor, tensorRank);
    }

    public static string Layer(int layer, string part) => $"model.layers.{layer}.{part}.weight";

    /// <summary>The name of the tensor that the head uses: the embedding where the two are tied.</summary>
    public string HeadName => _shape.TiedEmbeddings ? Embedding : Head;

    /// <summary>Every tensor this rank keeps, each once, with its rows and columns.</summary>
    public IEnumerable<TensorSlice> Tensors()
    {
        if (IsFirstStage) yield return Find(Embedding);
        for (var layer = Layers.Start; layer < Layers.End; layer++)
            foreach (var part in (string[])["input_layernorm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
                "self_attn.o_proj",
                                            "post_attention_layernorm", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"])
                yield return Find(Layer(layer, part));
        if (!IsLastStage) yield break;
        yield return Find(FinalNorm);
        if (!IsFirstStage || !_shape.TiedEmbeddings) yield return Find(HeadName);
    }

    /// <summary>This rank's rectangle of a tensor, and the shape that the whole tensor must have.</summary>
    /// <exception cref="ArgumentException">No LLaMA has a tensor of that name.</exception>
    public TensorSlice Find(string name)
    {
        var (hidden, heads) = (Slice.All(_shape.Hidden), _shape.HeadDimension);
        var part = name.StartsWith("model.layers.", StringComparison.Ordinal) ? name.Split('.', 4)[3] : name;
        return part switch
        {
            Embedding or Head => new(name, Vocabulary, hidden, _shape.Vocabulary, _shape.Hidden),
            FinalNorm or "input_layernorm.weight" or "post_attention_layernorm.weight" => new(name, Slice.All(1), hidden, 1, _shape.Hidden),
            "self_attn.q_proj.weight" => new(name, QueryHeads.Times(heads), hidden, _shape.QueryHeads * heads, _shape.Hidden),
            "self_attn.k_proj.weight" or "self_attn.v_proj.weight" =>
                new(name, KeyValueHeads.Times(heads), hidden, _shape.KeyValueHeads * heads, _shape.Hidden),
            "self_attn.o_proj.weight" => new(name, hidden, QueryHeads.Times(heads), _shape.Hidden, _shape.QueryHeads * heads),
            "mlp.gate_proj.weight" or "mlp.up_proj.weight" => new(name, FeedForward, hidden, _shape.FeedForward, _shape.Hidden),
            "mlp.down_proj.weight" => new(name, hidden, FeedForward, _shape.Hidden, _shape.FeedForward),
            _ => throw new ArgumentException($"'{name}' is not a tensor of a LLaMA", nameof(name)),
        };
    }
}

/// <summary>Rows and columns that a rank keeps of a tensor whose whole shape is [TotalRows, TotalColumns]; a vector is one row.</summary>
public readonly record struct TensorSlice(string Name, Slice Rows, Slice Columns, int TotalRows, int TotalColumns)
{
    public long Elements => (long)Rows.Count * Columns.Count;
}
