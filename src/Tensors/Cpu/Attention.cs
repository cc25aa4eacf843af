namespace Harness.Tensors.Cpu;

/// <summary>RoPE, cache append and causal grouped-query attention of a ragged batch.</summary>
internal static unsafe class Attention
{
    public static void Attend(float* qkv, float* output, CpuKvCache cache, int layer, RaggedBatch batch, AttentionHeads heads)
    {
        var (d, group) = (heads.Dimension, heads.Queries / heads.KeyValues);
        var width = (heads.Queries + 2 * heads.KeyValues) * d;
        var scores = new float[cache.Capacity];
        var turned = stackalloc float[width];
        var row = 0;
        for (var s = 0; s < batch.Sequences; s++)
            for (var i = 0; i < batch.Counts[s]; i++, row++)
            {
                var position = batch.Starts[s] + i;
                var x = turned;
                new Span<float>(qkv + (long)row * width, width).CopyTo(new Span<float>(x, width));
                var y = output + (long)row * heads.Queries * d;
                for (var h = 0; h < heads.Queries + heads.KeyValues; h++) Rotate(x + h * d, cache.Rope.Row(position), d / 2);
                for (var h = 0; h < heads.KeyValues; h++)
                {
                    var keys = cache.Keys(layer, batch.Slots[s], h) + (long)(position / 16) * 16 * d + position % 16;
                    var values = cache.Values(layer, batch.Slots[s], h) + (long)position * d;
                    for (var f = 0; f < d; f++)
                    {
                        keys[f * 16] = x[(heads.Queries + h) * d + f];
                        values[f] = x[(heads.Queries + heads.KeyValues + h) * d + f];
                    }
                }
                for (var h = 0; h < heads.Queries; h++)
                    One(x + h * d, y + h * d, cache.Keys(layer, batch.Slots[s], h / group), cache.Values(layer, batch.Slots[s], h / group),
                        position, heads.Window, d, scores);
            }
    }

    private static void Rotate(float* x, float* table, int half)
    {
        for (var i = 0; i < half; i++)
        {
            var (a, b, cos, sin) = (x[i], x[half + i], table[i], table[half + i]);
            (x[i], x[half + i]) = (a * cos - b * sin, b * cos + a * sin);
        }
    }

    private static void One(float* q, float* y, float* keys, float* values, int position, int window, int d, float[] scores)
    {
        var first = window > 0 ? Math.Max(0, position - window + 1) : 0;
        var max = float.NegativeInfinity;
        for (var t = first; t <= position; t++)
        {
            var sum = 0f;
            for (var f = 0; f < d; f++) sum += q[f] * keys[((long)(t / 16) * d + f) * 16 + t % 16];
            scores[t] = sum / MathF.Sqrt(d);
            max = Math.Max(max, scores[t]);
        }
        var total = 0f;
        new Span<float>(y, d).Clear();
        for (var t = first; t <= position; t++)
        {
            var p = MathF.Exp(scores[t] - max);
            total += p;
            for (var f = 0; f < d; f++) y[f] += p * values[(long)t * d + f];
        }
        for (var f = 0; f < d; f++) y[f] /= total;
    }
}
