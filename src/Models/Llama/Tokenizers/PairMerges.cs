using System.Numerics;

namespace Harness.Models.Llama.Tokenizers;

/// <summary>
/// The merge rules of a byte-pair vocabulary, (left symbol, right symbol) → merged symbol, and their application:
/// always the best pair first and the leftmost among equals, as SentencePiece, tiktoken and Hugging Face all do.
/// They differ only in where the rules come from, which is why one merger serves them all.
/// </summary>
internal sealed class PairMerges
{
    private const ulong Empty = ulong.MaxValue;

    private ulong[] keys;
    private (int Priority, int Merged)[] rules;
    private int shift;
    private int count;

    public PairMerges(int capacity)
    {
        var size = BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, capacity * 2L));
        (keys, rules, shift) = NewTable((int)size);
    }

    /// <summary>The lower <paramref name="priority"/> wins. A later rule for the same pair replaces the earlier.</summary>
    public void Set(int left, int right, int priority, int merged)
    {
        if (2 * ++count > keys.Length) Grow();
        Insert(Key(left, right), (priority, merged));
    }

    public bool TryGet(int left, int right, out (int Priority, int Merged) rule)
    {
        // Negative symbols stand for characters outside the vocabulary, which no rule names.
        rule = default;
        if ((left | right) < 0) return false;
        var slot = Slot(Key(left, right));
        rule = rules[slot];
        return keys[slot] != Empty;
    }

    /// <summary>Merges in place, in O(n log n), and returns how many symbols are left at the front.</summary>
    public int Apply(Span<int> symbols)
    {
        if (symbols.Length < 2) return symbols.Length;
        const int removed = int.MinValue;
        var previous = new int[symbols.Length];
        var next = new int[symbols.Length];
        var queue = new PriorityQueue<(int At, int Left, int Right, int Merged), long>();
        for (var i = 0; i < symbols.Length; i++)
        {
            (previous[i], next[i]) = (i - 1, i + 1);
            if (i > 0) Offer(symbols, i - 1, i);
        }
        while (queue.TryDequeue(out var best, out _))
        {
            var right = next[best.At];
            // An entry is out of date once either neighbour has been merged into something else.
            if (symbols[best.At] != best.Left || right == symbols.Length || symbols[right] != best.Right) continue;
            symbols[best.At] = best.Merged;
            symbols[right] = removed;
            var after = next[best.At] = next[right];
            if (after < symbols.Length)
            {
                previous[after] = best.At;
                Offer(symbols, best.At, after);
            }
            if (previous[best.At] >= 0) Offer(symbols, previous[best.At], best.At);
        }
        var kept = 0;
        for (var i = 0; i < symbols.Length; i = next[i]) symbols[kept++] = symbols[i];
        return kept;

        void Offer(Span<int> symbols, int at, int right)
        {
            if (TryGet(symbols[at], symbols[right], out var rule))
                queue.Enqueue((at, symbols[at], symbols[right], rule.Merged), ((long)rule.Priority << 32) | (uint)at);
        }
    }

    private static ulong Key(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    private static (ulong[], (int, int)[], int) NewTable(int size)
    {
        var keys = new ulong[size];
        Array.Fill(keys, Empty);
        return (keys, new (int, int)[size], 64 - BitOperations.Log2((uint)size));
    }

    private int Slot(ulong key)
    {
        // Fibonacci hashing, linear probing; the table is never more than half full.
        var slot = (int)((key ^ (key >> 29)) * 0x9E3779B97F4A7C15 >> shift);
        while (keys[slot] != key && keys[slot] != Empty) slot = (slot + 1) & (keys.Length - 1);
        return slot;
    }

    private void Insert(ulong key, (int, int) rule)
    {
        var slot = Slot(key);
        (keys[slot], rules[slot]) = (key, rule);
    }

    private void Grow()
    {
        var (oldKeys, oldRules) = (keys, rules);
        (keys, rules, shift) = NewTable(oldKeys.Length * 2);
        for (var i = 0; i < oldKeys.Length; i++)
            if (oldKeys[i] != Empty) Insert(oldKeys[i], oldRules[i]);
    }
}
