namespace Harness.Tensors;

/// <summary>
/// The whole tensor seam. Activations are rank 2, [rows, features]; rows are the tokens of a ragged batch, sequence
/// after sequence, without padding. Operations are coarse, so that each may be one fused kernel. One instance
/// belongs to one rank and is called from one thread at a time.
/// </summary>
public interface ITensorBackend : IDisposable
{
    /// <summary>The word after <c>--backend</c>.</summary>
    string Name { get; }

    /// <summary>The device as its maker names it, with what was chosen for it (threads, vector width).</summary>
    string Device { get; }

    /// <summary>
    /// Bytes of memory in which this rank's weights, caches and activations must find room; null where that is not known.
    /// </summary>
    long? MemoryBytes { get; }

    /// <summary>Element type of the keys and values in its caches, to which they are rounded as they are appended.</summary>
    DType CacheType { get; }

    /// <summary>Every tensor made until the returned scope is disposed dies with it. Scopes nest.</summary>
    IDisposable Scope();

    /// <summary>Returns when all queued work is done. For window edges only: nothing else needs it.</summary>
    void Synchronize();

    /// <summary>
    /// Loads matrices of equal width, stacked by rows, as one weight [Σ rows, columns] kept in <paramref name="storage"/>.
    /// Nothing of the slices is kept.
    /// </summary>
    Weight LoadWeight(IReadOnlyList<WeightSlice> parts, DType storage);

    /// <summary>
    /// Keys and values of <paramref name="layers"/> layers for <paramref name="slots"/> sequences of up to <paramref name="capacity"/>
    /// tokens.
    /// </summary>
    KvCache NewKvCache(int layers, int slots, int capacity, AttentionHeads heads);

    /// <summary>An uninitialised tensor in the current scope.</summary>
    Tensor NewTensor(int rows, int columns);

    /// <summary>
    /// Vocabulary-parallel lookup: <paramref name="table"/> holds the rows of tokens [firstToken, firstToken + outputs);
    /// a token outside gives a row of zeros, so that the sum over ranks is the embedding. Result [tokens, hidden].
    /// </summary>
    Tensor Embed(Weight table, int firstToken, ReadOnlySpan<int> tokens);

    /// <summary>x / sqrt(mean(x²) + epsilon) · gain, row by row (Zhang and Sennrich 2019).</summary>
    Tensor RmsNorm(Tensor x, Weight gain, float epsilon);

    /// <summary>x Wᵀ + b: [rows, inputs] to [rows, outputs].</summary>
    /// <param name="bias">[outputs, 1]; null for none.</param>
    Tensor Linear(Tensor x, Weight weight, Weight? bias = null);

    /// <summary>
    /// <see cref="RmsNorm"/> of every head of the queries and of the keys, each by itself, in place.
    /// <paramref name="qkv"/> is as in <see cref="Attend"/>; the gains are [1, head dim].
    /// </summary>
    void NormHeads(Tensor qkv, Weight queryGain, Weight keyGain, AttentionHeads heads, float epsilon);

    /// <summary>
    /// Rotates queries and keys (RoPE, rotate-half), appends keys and values to the cache, attends causally.
    /// <paramref name="qkv"/> is [rows, (queries + 2 · key/value heads) · head dim]: all queries, all keys, all values.
    /// Result [rows, query heads · head dim].
    /// </summary>
    Tensor Attend(Tensor qkv, KvCache cache, int layer, RaggedBatch batch, AttentionHeads heads);

    /// <summary>SiLU(gate) · up of [rows, gate ‖ up]: [rows, 2 · width] to [rows, width].</summary>
    Tensor SwiGlu(Tensor gateUp);

    /// <summary>x += y.</summary>
    void Add(Tensor x, Tensor y);

    /// <summary>The named rows of x, in that order.</summary>
    Tensor SelectRows(Tensor x, ReadOnlySpan<int> rows);

    /// <summary>Largest logit of each row and its column; the lowest column among equals.</summary>
    /// <exception cref="NonFiniteLogitException">A logit is NaN or infinite.</exception>
    void ArgMax(Tensor logits, Span<float> values, Span<int> columns);

    /// <summary>
    /// One token for each row of <paramref name="logits"/> [sequences, vocabulary]: the one host synchronisation of a step.
    /// Row i draws with <c>uniforms[i]</c> in [0, 1); <c>history[i]</c> holds its tokens so far, for the repetition penalty.
    /// </summary>
    /// <exception cref="NonFiniteLogitException">A logit is NaN or infinite.</exception>
    int[] Sample(Tensor logits, SamplingParameters sampling, ReadOnlySpan<double> uniforms, IReadOnlyList<IReadOnlyList<int>> history);

    /// <summary>Copies to host memory as float32, row by row.</summary>
    void ReadHost(Tensor x, Span<float> destination);

    /// <summary>Overwrites x with float32 values from host memory, row by row.</summary>
    void WriteHost(Tensor x, ReadOnlySpan<float> source);
}
