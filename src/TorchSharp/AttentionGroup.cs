using Harness.Tensors;

namespace Harness.TorchSharp;

/// <summary>
/// Sequences of one pass that are attended in one call, padded to the longest of them: host side, without tensors. The
/// call covers consecutive slots where that reads less than gathering them would copy; slots in between belong to no
/// sequence, are computed like the first one's and dropped.
/// </summary>
internal sealed class AttentionGroup
{
    /// <summary>Gathering reads, writes and reads again what attending in place reads once.</summary>
    private const int GatherCost = 3;

    /// <summary>Sequence of the pass at each place of the call; -1 at a slot in between.</summary>
    public int[] Places { get; }

    /// <summary>Query tokens of each place.</summary>
    public int Queries { get; }

    /// <summary>Whether the slots are consecutive, from <see cref="Slot"/> on.</summary>
    public bool InPlace { get; }
    public int Slot { get; }

    /// <summary>Positions that the call reads: Tokens of them from First.</summary>
    public int First { get; }
    public int Tokens { get; }

    /// <summary>
    /// Every sequence begins at position 0, within any window: plain causal attention. The tokens that pad a shorter one lie behind
    /// its own, where none of its queries looks.
    /// </summary>
    public bool Causal { get; }

    /// <summary>Whether places differ in what they may see, so that a mask must say it.</summary>
    public bool Masked { get; }

    private AttentionGroup(RaggedBatch batch, int[] sequences, int window, int paddedCapacity)
    {
        var (starts, counts, slots) = (batch.Starts, batch.Counts, batch.Slots);
        Queries = sequences.Max(s => counts[s]);
        Slot = slots[sequences[0]];
        var span = slots[sequences[^1]] - Slot + 1;
        InPlace = span <= GatherCost * sequences.Length;
        Places = sequences;
        if (InPlace && span > sequences.Length)
        {
            Places = [.. Enumerable.Repeat(-1, span)];
            foreach (var s in sequences) Places[slots[s] - Slot] = s;
        }

        var end = sequences.Max(s => starts[s] + counts[s]);
        Causal = Queries > 1 && sequences.All(s => starts[s] == 0) && (window == 0 || Queries <= window);
        Masked = !Causal && (Queries > 1 || sequences.Any(s => starts[s] != starts[sequences[0]]));
        First = window > 0 && !Causal ? sequences.Min(s => Math.Max(0, starts[s] - window + 1)) : 0;
        Tokens = end - First;
        if (!Masked) return;
        const int alignment = TorchKvCache.TokenAlignment;
        First = First / alignment * alignment;
        Tokens = Math.Min(paddedCapacity, (end + alignment - 1) / alignment * alignment) - First;
    }

    /// <summary>
    /// Decoding sequences go together, whatever their lengths; prompts with those whose lengths, new and in all, have as many binary
    /// digits, so that at most half of a call is padding and the number of calls grows as a logarithm.
    /// </summary>
    public static AttentionGroup[] Of(RaggedBatch batch, int window, int paddedCapacity) =>
    [
        .. Enumerable.Range(0, batch.Sequences).Where(s => batch.Counts[s] > 0)
            .GroupBy(s => batch.Counts[s] == 1 ? default : (Digits(batch.Counts[s]), Digits(batch.Starts[s] + batch.Counts[s])))
            .Select(group => new AttentionGroup(batch, [.. group.OrderBy(s => batch.Slots[s])], window, paddedCapacity)),
    ];

    /// <summary>The row of the pass at each query of each place, [places · queries]: padding repeats a sequence's last row.</summary>
    public IEnumerable<long> Rows(RaggedBatch batch, int[] firstRows) =>
        Places.SelectMany(s =>
            Enumerable.Range(0, Queries).Select(i => Real(s) is var r ? (long)firstRows[r] + Math.Min(i, batch.Counts[r] - 1) : 0));

    /// <summary>The last position that each query may see, [places, heads per key/value head, queries].</summary>
    public IEnumerable<long> Positions(RaggedBatch batch, int headsPerKey) =>
        Places.SelectMany(s => Enumerable.Range(0, headsPerKey * Queries)
            .Select(i => Real(s) is var r ? (long)batch.Starts[r] + Math.Min(i % Queries, batch.Counts[r] - 1) : 0));

    /// <summary>(row of the pass, place · queries + query) of every row that the group computes.</summary>
    public IEnumerable<(int Row, int Result)> Results(RaggedBatch batch, int[] firstRows) =>
        Places.SelectMany((s, place) =>
            s < 0 ? [] : Enumerable.Range(0, batch.Counts[s]).Select(i => (firstRows[s] + i, place * Queries + i)));

    private int Real(int sequence) => sequence >= 0 ? sequence : Places.First(s => s >= 0);

    private static int Digits(int value) => 32 - System.Numerics.BitOperations.LeadingZeroCount((uint)value);
}
