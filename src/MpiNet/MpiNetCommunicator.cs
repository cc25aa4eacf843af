using Harness.Sharding;
using Harness.Sharding.Communicators;
using Harness.Sharding.Mpi;
using Harness.Sharding.Waits;
using MPI;

namespace Harness.MpiNet;

/// <summary>
/// A communicator of MPI.NET. The package takes arrays, whole ones, so that every call copies what it sends and receives:
/// <c>--communicator mpi</c> does not, and is the one to measure with. A blocking call polls inside MPI: where ranks
/// have not a core each, messages alone are used, as there.
/// </summary>
internal sealed class MpiNetCommunicator : ICommunicator, IDirectMessages
{
    /// <summary>Longest piece handed to MPI at once: some transports mishandle counts near 2³¹ bytes.</summary>
    private const int PieceBytes = 1 << 30;

    private const int GatherTag = MpiAbi.HighestTag;
    private const int DirectTag = GatherTag - 1;

    private readonly MpiLibrary _library;
    private readonly PendingRequests _calls;
    private readonly CoreShortage _shortage;
    private readonly DirectExchange _exchange;
    private readonly Intracommunicator _communicator;
    private bool _freed;

    public MpiNetCommunicator(MpiLibrary library, PendingRequests calls, CoreShortage shortage, Intracommunicator communicator, bool patient)
    {
        (_library, _calls, _shortage, _communicator) = (library, calls, shortage, communicator);
        (Rank, Size) = (communicator.Rank, communicator.Size);
        _exchange = new DirectExchange(this, shortage, patient);
    }

    public string Name => Worlds.MpiNet;
    public int Rank { get; }
    public int Size { get; }

    public void Barrier()
    {
        if (_exchange.IsChosen()) _exchange.Barrier();
        else Call("MPI_Barrier", _communicator.Barrier);
    }

    public void AllReduceSum(Span<float> data)
    {
        if (_exchange.IsChosen()) _exchange.AllReduceSum(data);
        else AllReduceBlocking(data);
    }

    public void AllReduceBlocking(Span<float> data)
    {
        for (var done = 0; done < data.Length;)
        {
            var piece = data.Slice(done, Math.Min(data.Length - done, PieceBytes / sizeof(float)));
            float[] mine = piece.ToArray(), sum = new float[mine.Length];
            Call("MPI_Allreduce", () => _communicator.Allreduce(mine, Operation<float>.Add, ref sum));
            sum.CopyTo(piece);
            done += piece.Length;
        }
    }

    public void AllGather(ReadOnlySpan<byte> mine, Span<byte> all)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(all.Length, checked(mine.Length * Size));
        if (_exchange.IsChosen())
        {
            _exchange.AllGather(mine, all);
            return;
        }
        byte[] from = mine.ToArray(), to = new byte[all.Length];
        Call("MPI_Allgatherv", () => _communicator.AllgatherFlattened(from, from.Length, ref to));
        to.CopyTo(all);
    }

    /// <summary>Rank by rank, each message straight into its own array: MPI_Gatherv counts no further than 2³¹ bytes in all.</summary>
    public byte[][]? Gather(ReadOnlySpan<byte> mine, int root)
    {
        CheckRank(root);
        if (Rank != root)
        {
            Post(BitConverter.GetBytes((long)mine.Length), root, GatherTag);
            Post(mine, root, GatherTag);
            return null;
        }
        var all = new byte[Size][];
        for (var rank = 0; rank < Size; rank++)
        {
            if (rank == root)
            {
                all[rank] = mine.ToArray();
                continue;
            }
            var length = new byte[sizeof(long)];
            Take(length, rank, GatherTag);
            all[rank] = GC.AllocateUninitializedArray<byte>((int)BitConverter.ToInt64(length));
            Take(all[rank], rank, GatherTag);
        }
        return all;
    }

    public void Broadcast(Span<byte> data, int root)
    {
        CheckRank(root);
        if (_exchange.IsChosen())
        {
            _exchange.Broadcast(data, root);
            return;
        }
        for (var done = 0; done < data.Length;)
        {
            var piece = data.Slice(done, Math.Min(data.Length - done, PieceBytes));
            var bytes = piece.ToArray();
            Call("MPI_Bcast", () => _communicator.Broadcast(ref bytes, root));
            bytes.CopyTo(piece);
            done += piece.Length;
        }
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
        Status? status = null;
        Call("MPI_Iprobe", () => status = _communicator.ImmediateProbe(source, tag));
        return status != null;
    }

    public ICommunicator Split(int color, int key)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(color);
        // MPI_Comm_split waits blocking: for ranks that have met before, it is not long.
        if (_exchange.IsChosen()) _exchange.Barrier();
        Communicator? child = null;
        Call("MPI_Comm_split", () => child = _communicator.Split(color, key));
        return new MpiNetCommunicator(_library, _calls, _shortage, (Intracommunicator)child!, _exchange.Patient);
    }

    public void Abort(int exitCode) => MpiWorld.Abort(_library, exitCode);

    /// <summary>Frees a communicator made by <see cref="Split"/>; the world itself ends in <see cref="MpiWorld"/>.</summary>
    public void Dispose()
    {
        if (_freed || _communicator == Communicator.world) return;
        _freed = true;
        Call("MPI_Comm_free", _communicator.Dispose);
    }

    void IDirectMessages.Post(ReadOnlySpan<byte> data, int destination) => Post(data, destination, DirectTag);

    void IDirectMessages.Take(Span<byte> data, int source) => Take(data, source, DirectTag);

    private void Post(ReadOnlySpan<byte> data, int destination, int tag)
    {
        do
        {
            var piece = data[..Math.Min(data.Length, PieceBytes)].ToArray();
            Call("MPI_Isend", () => _calls.Track(_communicator.ImmediateSend(piece, destination, tag)));
            data = data[piece.Length..];
        }
        while (data.Length > 0);
    }

    private void Take(Span<byte> data, int source, int tag)
    {
        do
        {
            var piece = new byte[Math.Min(data.Length, PieceBytes)];
            CompletedStatus? status = null;
            Call($"MPI_Irecv of {piece.Length} bytes with tag {tag} from rank {source}", () =>
            {
                var request = _communicator.ImmediateReceive(source, tag, piece);
                for (var wait = new Wait(_shortage); (status = (CompletedStatus?)request.Test()) == null; wait.Pause()) { }
            });
            if (status!.Count() != piece.Length)
                throw new CommunicationException($"a message of {status.Count()} bytes with tag {tag} came from rank {source} where {piece.Length} were expected");
            piece.CopyTo(data);
            data = data[piece.Length..];
        }
        while (data.Length > 0);
    }

    /// <exception cref="CommunicationException">MPI.NET has thrown; the message is MPI's own.</exception>
    private void Call(string operation, System.Action call)
    {
        using var scope = _calls.Enter();
        try
        {
            call();
        }
        catch (Exception e)
        {
            throw new CommunicationException($"{operation} failed: {e.Message}", e);
        }
    }

    private void CheckRank(int rank) =>
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)rank, (uint)Size, nameof(rank));

    private static void CheckTag(int tag) =>
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)tag, (uint)DirectTag, nameof(tag));
}
