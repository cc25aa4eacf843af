using System.Runtime.CompilerServices;

namespace Harness.Tensors.Cpu;

/// <summary>
/// Draws tokens from logits: repetition penalty, temperature, top-k, top-p, then a walk over what is kept in index
/// order. Cuts come from a histogram of the logits, so that only the bin in which a cut falls has to be sorted. Sums
/// run in float64 in index order and exponentials have the same bits in every vector width: equal logits and uniform
/// numbers give equal tokens.
/// </summary>
internal static unsafe class Sampler<S, V> where S : struct, ISimd<V> where V : struct
{
    private const int Bins = 1024;

    /// <summary>Logits further below the largest share the last bin: together they weigh nothing.</summary>
    private const float Depth = 60;

    /// <summary>Columns searched for a maximum before it is compared with the best so far.</summary>
    private const int SearchBlock = 1024;

    /// <summary>Bytes of scratch for one row.</summary>
    public static long ScratchBytes(int count) => ((long)count * (2 * sizeof(float) + sizeof(ushort)) + 255) / 64 * 64;

    /// <summary>Column of the largest logit, the lowest among equals.</summary>
    /// <exception cref="NonFiniteLogitException">A logit is NaN or infinite.</exception>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static int ArgMax(float* logits, int count, int row)
    {
        var (best, bestStart) = (float.NegativeInfinity, 0);
        var notFinite = S.Zero;
        for (var start = 0; start < count; start += SearchBlock)
        {
            var end = Math.Min(count, start + SearchBlock);
            var largest = S.Broadcast(float.NegativeInfinity);
            var i = start;
            for (; i + S.Lanes <= end; i += S.Lanes)
            {
                var v = S.Load(logits + i);
                largest = S.Max(largest, v);
                notFinite = S.SelectBelow(S.And(v, 0x7FFFFFFF), 0x7F800000, notFinite, S.Broadcast(1));
            }
            var max = VectorMath<S, V>.Largest(largest);
            for (; i < end; i++)
            {
                if (!float.IsFinite(logits[i])) throw FirstNonFinite(logits, row);
                max = Math.Max(max, logits[i]);
            }
            if (max > best) (best, bestStart) = (max, start);
        }
        if (S.Sum(notFinite) != 0) throw FirstNonFinite(logits, row);
        var column = bestStart;
        while (logits[column] != best) column++;
        return column;
    }

    /// <param name="scratch">Of <see cref="ScratchBytes"/>.</param>
    /// <exception cref="NonFiniteLogitException">A logit is NaN or infinite.</exception>
    public static int Draw(float* logits, int count, int row, SamplingParameters sampling, double uniform, IReadOnlyList<int> history,
        byte* scratch)
    {
        var l = (float*)scratch;
        new Span<float>(logits, count).CopyTo(new Span<float>(l, count));
        if (sampling.RepetitionPenalty != 1)
            // From the original each time: a token that was seen twice is divided once.
            for (var i = 0; i < history.Count; i++)
                if ((uint)history[i] < (uint)count)
                    l[history[i]] = logits[history[i]] > 0 ? logits[history[i]] / sampling.RepetitionPenalty
                        : logits[history[i]] * sampling.RepetitionPenalty;
        var best = ArgMax(l, count, row);
        if (sampling.Greedy) return best;

        var weights = l + count;
        var max = l[best] / sampling.Temperature;
        Soften(l, weights, count, sampling.Temperature, max);
        var topK = sampling.TopK > 0 ? Math.Min(sampling.TopK, count) : count;
        var cut = topK < count || sampling.TopP < 1
            ? FindCut(l, weights, (ushort*)(weights + count), count, max, topK, sampling.TopP)
            : new Cut(float.NegativeInfinity, count);
        return Walk(l, weights, count, cut, uniform);
    }

    /// <summary>The last token kept, in descending order of logits and ascending order of columns among equals.</summary>
    private readonly record struct Cut(float Logit, int Column)
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public bool Keeps(float logit, int column) => logit > Logit || (logit == Logit && column <= Column);
    }

    /// <summary>Logits over temperature, and their exponentials relative to the largest.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Soften(float* l, float* weights, int count, float temperature, float max)
    {
        V divisor = S.Broadcast(temperature), shift = S.Broadcast(max);
        var i = 0;
        for (; i + S.Lanes <= count; i += S.Lanes)
        {
            var v = S.Divide(S.Load(l + i), divisor);
            S.Store(v, l + i);
            S.Store(VectorMath<S, V>.Exp(S.Subtract(v, shift)), weights + i);
        }
        var rest = count - i;
        if (rest == 0) return;
        var last = S.Divide(VectorMath<S, V>.LoadPart(l + i, rest, 0), divisor);
        VectorMath<S, V>.StorePart(last, l + i, rest);
        VectorMath<S, V>.StorePart(VectorMath<S, V>.Exp(S.Subtract(last, shift)), weights + i, rest);
    }

    private static Cut FindCut(float* l, float* weights, ushort* bins, int count, float max, int topK, float topP)
    {
        var counts = stackalloc int[Bins];
        var masses = stackalloc double[Bins];
        new Span<int>(counts, Bins).Clear();
        new Span<double>(masses, Bins).Clear();
        FillBins(l, weights, bins, count, max, counts, masses);

        // Top-k: whole bins, then the best of the bin in which the k-th token falls.
        var (kept, mass, last) = (0, 0.0, 0);
        while (kept + counts[last] < topK)
        {
            kept += counts[last];
            mass += masses[last++];
        }
        int[]? members = null;
        var rest = topK - kept;
        if (rest < counts[last])
        {
            members = SortedMembers(l, bins, count, last, counts[last]);
            for (var i = 0; i < rest; i++) mass += weights[members[i]];
        }
        else mass += masses[last];
        if (topP >= 1) return members == null ? Lowest(l, bins, count, last, counts[last]) : At(l, members[rest - 1]);

        // Top-p among those: whole bins, then the best of the bin in which the sum reaches p.
        var (limit, sum, bin) = (topP * mass, 0.0, 0);
        while (bin < last && sum + masses[bin] < limit) sum += masses[bin++];
        if (bin != last || members == null) members = SortedMembers(l, bins, count, bin, counts[bin]);
        var available = bin == last ? rest : counts[bin];
        var taken = 0;
        do sum += weights[members[taken++]];
        while (taken < available && sum < limit);
        return At(l, members[taken - 1]);
    }

    private static Cut At(float* l, int column) => new(l[column], column);

    private static Cut Lowest(float* l, ushort* bins, int count, int bin, int size) =>
        At(l, SortedMembers(l, bins, count, bin, size)[size - 1]);

    /// <summary>Bins of equal width over the distance from the largest logit, at most <see cref="Depth"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FillBins(float* l, float* weights, ushort* bins, int count, float max, int* counts, double* masses)
    {
        var lowest = max;
        for (var i = 0; i < count; i++) lowest = Math.Min(lowest, l[i]);
        var range = Math.Min(max - lowest, Depth);
        var scale = range > 0 ? (Bins - 1) / range : 0;
        for (var i = 0; i < count; i++)
        {
            var bin = (int)(Math.Min(max - l[i], Depth) * scale);
            bins[i] = (ushort)bin;
            counts[bin]++;
            masses[bin] += weights[i];
        }
    }

    /// <summary>Columns of one bin, the largest logit first, the lowest column among equals.</summary>
    private static int[] SortedMembers(float* l, ushort* bins, int count, int bin, int size)
    {
        var keys = new (float Logit, int Column)[size];
        var n = 0;
        for (var i = 0; n < size; i++)
            if (bins[i] == bin) keys[n++] = (-l[i], i);
        Array.Sort(keys);
        return Array.ConvertAll(keys, k => k.Column);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int Walk(float* l, float* weights, int count, Cut cut, double uniform)
    {
        var total = 0.0;
        for (var i = 0; i < count; i++)
            if (cut.Keeps(l[i], i)) total += weights[i];
        var (target, sum, last) = (uniform * total, 0.0, 0);
        for (var i = 0; i < count; i++)
        {
            if (!cut.Keeps(l[i], i) || weights[i] == 0) continue;
            sum += weights[i];
            if (sum > target) return i;
            last = i;
        }
        return last;
    }

    /// <summary>For a row that has one.</summary>
    private static NonFiniteLogitException FirstNonFinite(float* logits, int row)
    {
        var column = 0;
        while (float.IsFinite(logits[column])) column++;
        return new(row, column, logits[column]);
    }
}
