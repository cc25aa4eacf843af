using System.Numerics;
using System.Runtime.InteropServices;
using Harness.Sharding.Waits;

namespace Harness.Sharding.Mpi;

/// <summary>Messages between the ranks of one communicator that its callers do not see; those of a pair arrive in order.</summary>
internal interface IDirectMessages
{
    int Rank { get; }
    int Size { get; }

    /// <summary>Buffered.</summary>
    void Post(ReadOnlySpan<byte> data, int destination);

    /// <summary>Waits for a message of this length, patiently where cores are short.</summary>
    void Take(Span<byte> data, int source);

    /// <summary>MPI's own all-reduce, in which a rank keeps its core busy.</summary>
    void AllReduceBlocking(Span<float> data);
}

/// <summary>
/// Collectives for ranks that do not have their cores: MPI's own, blocking or not, pass a value through several ranks in turn, each
/// of which must first get a core. Here every rank sends to every other and waits once.
/// </summary>
/// <param name="ranks">The communicator.</param>
/// <param name="shortage">This rank's.</param>
/// <param name="patient">Whether these collectives are the ones used, until the ranks agree for the first time.</param>
internal sealed class DirectExchange(IDirectMessages ranks, CoreShortage shortage, bool patient)
{
    /// <summary>Elements at a time: bounds the scratch memory.</summary>
    private const int PieceElements = 1 << 18;

    /// <summary>Up to here everyone gets everything; above, a rank sums its share of the elements and hands the sum round.</summary>
    private const int WholeElements = 8192;

    private readonly AgreedPatience _agreed = new(patient);
    private float[] _gathered = [];

    /// <summary>What the ranks agreed on last.</summary>
    public bool Patient => _agreed.Patient;

    /// <summary>Called by every rank before each collective: whether all of them take it from here, or from MPI.</summary>
    public bool IsChosen()
    {
        if (ranks.Size == 1) return false;
        if (_agreed.IsDue()) _agreed.Conclude(AnyRank(shortage.Look()), shortage);
        return _agreed.Patient;
    }

    public void Barrier()
    {
        for (var step = 1; step < ranks.Size; step++) ranks.Post([], After(step));
        for (var step = 1; step < ranks.Size; step++) ranks.Take([], Before(step));
    }

    public void AllGather(ReadOnlySpan<byte> mine, Span<byte> all)
    {
        for (var step = 1; step < ranks.Size; step++) ranks.Post(mine, After(step));
        mine.CopyTo(all.Slice(ranks.Rank * mine.Length, mine.Length));
        for (var step = 1; step < ranks.Size; step++) ranks.Take(all.Slice(Before(step) * mine.Length, mine.Length), Before(step));
    }

    public void Broadcast(Span<byte> data, int root)
    {
        if (ranks.Rank != root) ranks.Take(data, root);
        else
            for (var step = 1; step < ranks.Size; step++) ranks.Post(data, After(step));
    }

    private bool AnyRank(bool mine)
    {
        Span<float> count = [mine ? 1 : 0];
        if (_agreed.Patient) AllReduceSum(count);
        else ranks.AllReduceBlocking(count);
        return count[0] > 0;
    }

    /// <summary>The order of a sum hangs on the number of ranks alone (<see cref="SumBlocks"/>).</summary>
    public void AllReduceSum(Span<float> data)
    {
        for (; data.Length > PieceElements; data = data[PieceElements..]) Reduce(data[..PieceElements]);
        Reduce(data);
    }

    private void Reduce(Span<float> values)
    {
        if (ranks.Size == 2 || values.Length <= WholeElements)
        {
            var all = Scratch(values.Length * ranks.Size);
            AllGather(MemoryMarshal.AsBytes(values), MemoryMarshal.AsBytes(all));
            SumBlocks(all, values.Length);
            all[..values.Length].CopyTo(values);
            return;
        }
        var (first, last) = Share(values.Length, ranks.Rank);
        for (var step = 1; step < ranks.Size; step++)
        {
            var (from, to) = Share(values.Length, After(step));
            ranks.Post(MemoryMarshal.AsBytes(values[from..to]), After(step));
        }
        var blocks = Scratch((last - first) * ranks.Size);
        for (var rank = 0; rank < ranks.Size; rank++)
        {
            var block = blocks.Slice(rank * (last - first), last - first);
            if (rank == ranks.Rank) values[first..last].CopyTo(block);
            else ranks.Take(MemoryMarshal.AsBytes(block), rank);
        }
        SumBlocks(blocks, last - first);
        var sum = blocks[..(last - first)];
        sum.CopyTo(values[first..last]);
        for (var step = 1; step < ranks.Size; step++) ranks.Post(MemoryMarshal.AsBytes(sum), After(step));
        for (var step = 1; step < ranks.Size; step++)
        {
            var (from, to) = Share(values.Length, Before(step));
            ranks.Take(MemoryMarshal.AsBytes(values[from..to]), Before(step));
        }
    }

    /// <summary>
    /// Adds up blocks of <paramref name="length"/> elements, one per rank, into the first. In the order of recursive doubling, by which
    /// both MPIs sum what is short: the first ranks in pairs until a power of two is left, then neighbours, then neighbouring pairs.
    /// </summary>
    internal static void SumBlocks(Span<float> blocks, int length)
    {
        if (length == 0) return;
        var count = blocks.Length / length;
        var power = 1 << BitOperations.Log2((uint)count);
        var extra = count - power;
        for (var pair = 0; pair < extra; pair++) Add(blocks, 2 * pair, 2 * pair + 1, length);
        int Block(int i) => i < extra ? 2 * i : i + extra;
        for (var stride = 1; stride < power; stride *= 2)
            for (var i = 0; i < power; i += 2 * stride) Add(blocks, Block(i), Block(i + stride), length);
    }

    private static void Add(Span<float> blocks, int to, int from, int length)
    {
        var sum = blocks.Slice(to * length, length);
        var other = blocks.Slice(from * length, length);
        var i = 0;
        for (; i + Vector<float>.Count <= length; i += Vector<float>.Count)
            (new Vector<float>(sum[i..]) + new Vector<float>(other[i..])).CopyTo(sum[i..]);
        for (; i < length; i++) sum[i] += other[i];
    }

    /// <summary>The elements of which a rank makes the sum.</summary>
    private (int First, int Last) Share(int length, int rank) =>
        ((int)((long)length * rank / ranks.Size), (int)((long)length * (rank + 1) / ranks.Size));

    /// <summary>Rank r starts with its neighbour, so that not everyone sends to rank 0 first.</summary>
    private int After(int step) => (ranks.Rank + step) % ranks.Size;

    private int Before(int step) => (ranks.Rank + ranks.Size - step) % ranks.Size;

    private Span<float> Scratch(int length)
    {
        if (_gathered.Length < length) _gathered = new float[length];
        return _gathered.AsSpan(0, length);
    }
}
