using Harness.Sharding.Waits;

namespace Harness.Sharding.Mpi;

/// <summary>
/// A communicator of MPI, whoever binds it. A blocking call polls inside MPI, and a waiting rank keeps its core busy: so where ranks
/// have not a core each, messages alone are used, whose arrival can be asked for between sleeps.
/// </summary>
internal abstract class MpiRanks : ICommunicator, IDirectMessages
{
    /// <summary>Longest piece handed to MPI at once: some transports mishandle counts near 2³¹ bytes.</summary>
    protected const int PieceBytes = 1 << 30;

    protected const int GatherTag = MpiAbi.HighestTag;
    private const int DirectTag = GatherTag - 1;

    private readonly DirectExchange _exchange;

    /// <param name="rank">Of this process, from 0 to <paramref name="size"/> − 1.</param>
    /// <param name="size">Ranks of this communicator.</param>
    /// <param name="shortage">This rank's.</param>
    /// <param name="patient">The mode of the communicator that this one was split off.</param>
    protected MpiRanks(int rank, int size, CoreShortage shortage, bool patient)
    {
        (Rank, Size, Shortage) = (rank, size, shortage);
        _exchange = new DirectExchange(this, shortage, patient);
    }

    public abstract string Name { get; }
    public int Rank { get; }
    public int Size { get; }
    public bool HasLackedCores => Shortage.HasBeenPatient;

    protected CoreShortage Shortage { get; }

    public void Barrier()
    {
        if (_exchange.IsChosen()) _exchange.Barrier();
        else BarrierBlocking();
    }

    public void AllReduceSum(Span<float> data)
    {
        if (_exchange.IsChosen()) _exchange.AllReduceSum(data);
        else AllReduceBlocking(data);
    }

    public void AllGather(ReadOnlySpan<byte> mine, Span<byte> all)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(all.Length, checked(mine.Length * Size));
        var patient = _exchange.IsChosen();
        if (mine.Length == 0) return;
        if (patient) _exchange.AllGather(mine, all);
        else AllGatherBlocking(mine, all);
    }

    public abstract byte[][]? Gather(ReadOnlySpan<byte> mine, int root);

    public void Broadcast(Span<byte> data, int root)
    {
        CheckRank(root);
        if (_exchange.IsChosen()) _exchange.Broadcast(data, root);
        else BroadcastBlocking(data, root);
    }

    public void Send(ReadOnlySpan<byte> data, int destination, int tag)
    {
        CheckRank(destination);
        CheckTag(tag);
        Post(data, destination, tag);
    }

    public void Receive(Span<byte> data, int source, int tag)
    {
        CheckRank(source);
        CheckTag(tag);
        Take(data, source, tag);
    }

    public bool Probe(int source, int tag)
    {
        CheckRank(source);
        CheckTag(tag);
        return HasArrived(source, tag);
    }

    public ICommunicator Split(int color, int key)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(color);
        // MPI_Comm_split waits blocking: for ranks that have met before, it is not long.
        if (_exchange.IsChosen()) _exchange.Barrier();
        return SplitBlocking(color, key, _exchange.Patient);
    }

    public abstract void Abort(int exitCode);

    /// <summary>Frees a communicator made by <see cref="Split"/>; the world itself ends in <see cref="MpiWorld"/>.</summary>
    public abstract void Dispose();

    void IDirectMessages.Post(ReadOnlySpan<byte> data, int destination) => Post(data, destination, DirectTag);

    void IDirectMessages.Take(Span<byte> data, int source) => Take(data, source, DirectTag);

    public abstract void AllReduceBlocking(Span<float> data);

    protected abstract void BarrierBlocking();

    /// <param name="mine">Not empty.</param>
    protected abstract void AllGatherBlocking(ReadOnlySpan<byte> mine, Span<byte> all);

    protected abstract void BroadcastBlocking(Span<byte> data, int root);

    protected abstract ICommunicator SplitBlocking(int color, int key, bool patient);

    /// <summary>Buffered, in pieces.</summary>
    protected abstract void Post(ReadOnlySpan<byte> data, int destination, int tag);

    /// <summary>Waits for a message of this length, patiently where cores are short.</summary>
    protected abstract void Take(Span<byte> data, int source, int tag);

    protected abstract bool HasArrived(int source, int tag);

    protected void CheckRank(int rank) =>
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)rank, (uint)Size, nameof(rank));

    private static void CheckTag(int tag) =>
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)tag, (uint)DirectTag, nameof(tag));
}
