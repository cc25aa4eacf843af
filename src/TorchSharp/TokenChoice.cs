using Harness.Tensors;
using TorchSharp;
using DeviceTensor = TorchSharp.torch.Tensor;
using ScalarType = TorchSharp.torch.ScalarType;

namespace Harness.TorchSharp;

/// <summary>
/// Draws tokens on the device: repetition penalty, temperature, top-k, top-p in float32 as the CPU backend does, then a
/// walk in float64 over what is kept, in index order. One copy to the host ends it.
/// </summary>
internal sealed class TokenChoice(HostTransfer host, Launches launches)
{
    /// <summary>Largest logit of each row and its column, the lowest column among equals.</summary>
    /// <exception cref="NonFiniteLogitException">A logit is NaN or infinite.</exception>
    public void ArgMax(DeviceTensor logits, Span<float> values, Span<int> columns)
    {
        using var scope = torch.NewDisposeScope();
        var (best, found) = logits.max(1);
        Read(launches.Of(best), found, Least(logits), logits, values, columns);
    }

    /// <exception cref="NonFiniteLogitException">A logit is NaN or infinite.</exception>
    public int[] Draw(DeviceTensor logits, SamplingParameters sampling, ReadOnlySpan<double> uniforms,
        IReadOnlyList<IReadOnlyList<int>> history)
    {
        using var scope = torch.NewDisposeScope();
        var rows = uniforms.Length;
        var l = launches.Of(logits.to(ScalarType.Float32));
        if (sampling.RepetitionPenalty != 1) l = Penalised(l, sampling.RepetitionPenalty, history);
        if (!sampling.Greedy) l = launches.Of(l.div(torch.tensor(sampling.Temperature, dtype: ScalarType.Float32)));

        var (best, first) = launches.Of(l).max(1, keepdim: true);
        var chosen = sampling.Greedy ? first.view(rows)
            : Walk(Kept(l, best, sampling), host.Upload(uniforms, ScalarType.Float64).view(rows, 1));
        var (values, columns) = (new float[rows], new int[rows]);
        Read(best.view(rows), chosen, Least(logits), logits, values, columns);
        return columns;
    }

    /// <summary>A copy of the logits in which each sequence's own tokens are less likely (Keskar et al. 2019).</summary>
    private DeviceTensor Penalised(DeviceTensor l, float penalty, IReadOnlyList<IReadOnlyList<int>> history)
    {
        var seen = new List<long>();
        for (var row = 0; row < history.Count; row++)
            foreach (var token in history[row].Distinct()) seen.Add(row * l.shape[1] + token);
        if (seen.Count == 0) return l;
        var index = host.Upload<long>(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(seen), ScalarType.Int64);
        var all = launches.Of(l.clone()).view(-1);
        var old = launches.Of(all.index_select(0, index));
        var divisor = torch.tensor(penalty, dtype: ScalarType.Float32);
        var lowered = launches.Of(torch.where(launches.Of(old.gt(0)), launches.Of(old.div(divisor)), launches.Of(old.mul(divisor))));
        return launches.Of(all.index_copy_(0, index, lowered)).view(l.shape);
    }

    /// <summary>Unnormalised probability of each token in index order, float64; 0 where top-k or top-p cut it off.</summary>
    private DeviceTensor Kept(DeviceTensor l, DeviceTensor best, SamplingParameters sampling)
    {
        if (sampling is { TopK: 0, TopP: >= 1 }) return Weights(l, best);
        var (sorted, order) = launches.Of(l).sort(1, descending: true, stable: true);
        var kept = sampling.TopK > 0 ? Math.Min(sampling.TopK, l.shape[1]) : l.shape[1];
        (sorted, order) = (sorted.narrow(1, 0, kept), order.narrow(1, 0, kept));
        var weights = Weights(sorted, best);
        if (sampling.TopP < 1)
        {
            var sums = launches.Of(weights.cumsum(1));
            var limit = launches.Of(sums.narrow(1, kept - 1, 1).mul(sampling.TopP));
            // A token is needed while those before it have not reached the limit; the likeliest always is.
            var needed = launches.Of(sums.sub(weights)).lt(limit);
            needed.narrow(1, 0, 1).fill_(true);
            weights = launches.Of(weights.mul(launches.Of(needed)));
        }
        return launches.Of(torch.zeros_like(l, ScalarType.Float64)).scatter_(1, order, launches.Of(weights));
    }

    private DeviceTensor Weights(DeviceTensor l, DeviceTensor best) =>
        launches.Of(launches.Of(launches.Of(l.to(ScalarType.Float64)).sub_(best)).exp_());

    /// <summary>
    /// The first kept token at which the running sum passes u times the total; the last kept one should rounding leave none.
    /// A parallel sum may fall by a rounding error where the weight is 0, hence the look at the weight itself.
    /// </summary>
    private DeviceTensor Walk(DeviceTensor weights, DeviceTensor uniforms)
    {
        var count = weights.shape[1];
        var sums = launches.Of(weights.cumsum(1));
        var passed = launches.Of(sums.gt(launches.Of(launches.Of(weights.sum(1, keepdim: true)).mul_(uniforms))));
        var index = torch.arange(count, dtype: ScalarType.Int64, device: weights.device);
        var rank = launches.Of(torch.where(passed, launches.Of(index.neg()).add_(2 * count), index));
        return launches.Of(launches.Of(rank.mul_(launches.Of(weights.gt(0)))).argmax(1));
    }

    /// <summary>The smallest logit of each row, which with the largest tells whether all are finite: NaN is both.</summary>
    private DeviceTensor Least(DeviceTensor logits) => launches.Of(logits.amin([1]));

    /// <summary>Values, columns and the least logits in one copy: all are exact in float64.</summary>
    private void Read(DeviceTensor values, DeviceTensor columns, DeviceTensor least, DeviceTensor logits, Span<float> valuesTo,
        Span<int> columnsTo)
    {
        var rows = valuesTo.Length;
        var all = new double[3 * rows];
        HostTransfer.Download<double>(launches.Of(torch.cat([launches.Of(values.to(ScalarType.Float64)),
            launches.Of(columns.to(ScalarType.Float64)), launches.Of(least.to(ScalarType.Float64))])), all);
        for (var row = 0; row < rows; row++)
        {
            if (!double.IsFinite(all[row]) || !double.IsFinite(all[2 * rows + row])) throw FirstNonFinite(logits, row);
            (valuesTo[row], columnsTo[row]) = ((float)all[row], (int)all[rows + row]);
        }
    }

    /// <summary>For a row that has one, or of which a penalty or a temperature makes one.</summary>
    private static NonFiniteLogitException FirstNonFinite(DeviceTensor logits, int row)
    {
        var one = logits.narrow(0, row, 1).view(-1).to(ScalarType.Float32);
        var column = one.isfinite().logical_not().to(ScalarType.Int32).argmax().ToInt64();
        var value = one[column].item<float>();
        return new(row, (int)column, float.IsFinite(value) ? float.PositiveInfinity : value);
    }
}
