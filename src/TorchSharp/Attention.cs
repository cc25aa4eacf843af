using Harness.Tensors;
using TorchSharp;
using static TorchSharp.torch.nn;
using DeviceTensor = TorchSharp.torch.Tensor;

namespace Harness.TorchSharp;

/// <summary>
/// RoPE, cache append and grouped-query attention of a whole ragged batch in a number of kernels that does not grow with
/// its sequences. scaled_dot_product_attention has no grouped queries here, so the query heads that share a key head
/// stand beside each other as further queries (decode and masked calls) or as heads over a key of stride 0 (causal calls).
/// </summary>
internal sealed class Attention(Launches launches)
{
    /// <summary>[rows, (query + 2 · key/value heads) · dimension] to [rows, query heads · dimension].</summary>
    public DeviceTensor Attend(DeviceTensor qkv, TorchKvCache cache, int layer, AttentionPass pass, AttentionHeads heads)
    {
        int rows = pass.Batch.Rows, rotating = heads.Queries + heads.KeyValues, d = heads.Dimension;
        var turned = Rotate(qkv.narrow(1, 0, rotating * d).view(rows, rotating, d), pass);
        var values = qkv.narrow(1, rotating * d, heads.KeyValues * d).view(rows, heads.KeyValues, d);
        Append(cache.Keys(layer), turned.narrow(1, heads.Queries, heads.KeyValues), cache, pass);
        Append(cache.Values(layer), values, cache, pass);

        var queries = turned.narrow(1, 0, heads.Queries);
        var results = Array.ConvertAll(pass.Calls, call => Call(queries, cache, layer, call, heads));
        var result = results.Length == 1 ? results[0] : launches.Of(torch.cat(results));
        return pass.Order is null ? result : launches.Of(result.index_select(0, pass.Order));
    }

    /// <summary>
    /// Pairs (f, f + d/2) turned by position · frequency f: x · cos + (x rolled by d/2) · (-sin ‖ sin). The rotations are
    /// float32 whatever x is: a 16-bit angle would be off by more than what is rotated.
    /// </summary>
    private DeviceTensor Rotate(DeviceTensor x, AttentionPass pass)
    {
        var turned = launches.Of(x.roll([x.shape[2] / 2], [2]));
        launches.Of(turned.mul_(pass.Sines));
        return launches.Of(turned.add_(launches.Of(x.mul(pass.Cosines))));
    }

    /// <summary>cache[slot, head, position] = rows[row, head].</summary>
    private void Append(DeviceTensor store, DeviceTensor rows, TorchKvCache cache, AttentionPass pass) =>
        launches.Of(store.index_put_(rows, [pass.Slots, cache.HeadIndex, pass.Positions]));

    /// <summary>[places · queries, query heads · dimension].</summary>
    private DeviceTensor Call(DeviceTensor queries, TorchKvCache cache, int layer, AttentionCall call, AttentionHeads heads)
    {
        var (group, kv, d, perKey) = (call.Group, heads.KeyValues, heads.Dimension, heads.Queries / heads.KeyValues);
        var (places, n, tokens) = (group.Places.Length, group.Queries, group.Tokens);
        var q = call.Rows is null ? queries.narrow(0, call.FirstRow, places * n) : launches.Of(queries.index_select(0, call.Rows));
        q = q.view(places, n, kv, perKey, d).permute(0, 2, 3, 1, 4);
        DeviceTensor k = Seen(cache.Keys(layer)), v = Seen(cache.Values(layer)), y;
        if (group.Causal)
        {
            q = launches.Of(q.reshape(places * kv, perKey, n, d));
            k = Shared(k);
            v = Shared(v);
            y = launches.Of(functional.scaled_dot_product_attention(q, k, v, is_casual: true));
        }
        else
        {
            q = launches.Of(q.reshape(places, kv, perKey * n, d));
            y = launches.Of(functional.scaled_dot_product_attention(q, k, v, call.Mask));
        }
        return launches.Of(y.reshape(places, kv, perKey, n, d).permute(0, 3, 1, 2, 4).reshape(places * n, kv * perKey * d));

        // [places, key/value heads, tokens, dimension]
        DeviceTensor Seen(DeviceTensor store)
        {
            var seen = store.narrow(2, group.First, tokens);
            return call.Slots is null ? seen.narrow(0, group.Slot, places) : launches.Of(seen.index_select(0, call.Slots));
        }

        DeviceTensor Shared(DeviceTensor x) => x.view(places * kv, 1, tokens, d).expand(places * kv, perKey, tokens, d);
    }
}
