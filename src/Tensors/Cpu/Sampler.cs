namespace Harness.Tensors.Cpu;

/// <summary>Draws tokens from logits: repetition penalty, temperature, top-k, top-p, then a walk over what is kept in index order.</summary>
internal static unsafe class Sampler
{
    /// <exception cref="InvalidOperationException">A logit is NaN.</exception>
    public static int ArgMax(float* logits, int count, int row)
    {
        var best = 0;
        for (var i = 0; i < count; i++)
        {
            if (float.IsNaN(logits[i])) throw NotANumber(row, i);
            if (logits[i] > logits[best]) best = i;
        }
        return best;
    }

    /// <exception cref="InvalidOperationException">A logit is NaN.</exception>
    public static int Draw(float* logits, int count, int row, SamplingParameters sampling, double uniform, IReadOnlyList<int> history)
    {
        var l = new Span<float>(logits, count).ToArray();
        if (sampling.RepetitionPenalty != 1)
            foreach (var token in history.Distinct())
                l[token] = l[token] > 0 ? l[token] / sampling.RepetitionPenalty : l[token] * sampling.RepetitionPenalty;
        fixed (float* p = l)
        {
            var best = ArgMax(p, count, row);
            if (sampling.Greedy) return best;
            for (var i = 0; i < count; i++) l[i] /= sampling.Temperature;
        }
        var order = Enumerable.Range(0, count).OrderByDescending(i => l[i]).ThenBy(i => i).ToArray();
        var kept = sampling.TopK > 0 ? Math.Min(sampling.TopK, count) : count;
        var weights = Array.ConvertAll(order[..kept], i => Math.Exp((double)l[i] - l[order[0]]));
        var (limit, sum) = (sampling.TopP * weights.Sum(), 0.0);
        var n = 0;
        while (n < kept && (n == 0 || sum < limit)) sum += weights[n++];
        var chosen = order.Take(n).Zip(weights).OrderBy(c => c.First).ToArray();
        var (target, walked) = (uniform * chosen.Sum(c => c.Second), 0.0);
        foreach (var (token, weight) in chosen)
            if ((walked += weight) > target) return token;
        return chosen[^1].First;
    }

    private static InvalidOperationException NotANumber(int row, int column) =>
        new($"logit {column} of row {row} is NaN: the model's weights or activations are damaged");
}
