using Harness.Sharding.Communicators;
using Harness.Sharding.Waits;

namespace Harness.Sharding.Mpi;

/// <summary>
/// A communicator of libmpi. A blocking call polls inside MPI, and a waiting rank keeps its core busy: so where ranks have not a core
/// each, messages alone are used, whose arrival can be asked for between sleeps.
/// </summary>
internal sealed unsafe class MpiCommunicator : ICommunicator, IDirectMessages
{
    /// <summary>Longest piece handed to MPI at once: some transports mishandle counts near 2³¹ bytes.</summary>
    private const int PieceBytes = 1 << 30;

    private const int GatherTag = MpiAbi.HighestTag;
    private const int DirectTag = GatherTag - 1;

    private readonly MpiLibrary _mpi;
    private readonly PendingSends _sends;
    private readonly CoreShortage _shortage;
    private readonly DirectExchange _exchange;
    private nint _handle;

    public MpiCommunicator(MpiLibrary mpi, PendingSends sends, CoreShortage shortage, nint handle, bool patient)
    {
        (_mpi, _sends, _shortage, _handle) = (mpi, sends, shortage, handle);
        _exchange = new DirectExchange(this, shortage, patient);
        int rank, size;
        mpi.Check(mpi.CommRank(handle, &rank), "MPI_Comm_rank");
        mpi.Check(mpi.CommSize(handle, &size), "MPI_Comm_size");
        (Rank, Size) = (rank, size);
    }

    public string Name => "mpi";
    public int Rank { get; }
    public int Size { get; }

    public void Barrier()
    {
        if (_exchange.IsChosen())
        {
            _exchange.Barrier();
            return;
        }
        using var calls = _sends.Enter();
        _mpi.Check(_mpi.Barrier(_handle), "MPI_Barrier");
    }

    public void AllReduceSum(Span<float> data)
    {
        if (_exchange.IsChosen()) _exchange.AllReduceSum(data);
        else AllReduceBlocking(data);
    }

    public void AllReduceBlocking(Span<float> data)
    {
        using var calls = _sends.Enter();
        fixed (float* p = data)
        {
            for (var done = 0; done < data.Length;)
            {
                var count = Math.Min(data.Length - done, PieceBytes / sizeof(float));
                _mpi.Check(_mpi.AllReduce((void*)_mpi.Abi.InPlace, p + done, count, _mpi.Abi.Float, _mpi.Abi.Sum, _handle), "MPI_Allreduce");
                done += count;
            }
        }
    }

    public void AllGather(ReadOnlySpan<byte> mine, Span<byte> all)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(all.Length, checked(mine.Length * Size));
        var patient = _exchange.IsChosen();
        if (mine.Length == 0) return;
        if (patient)
        {
            _exchange.AllGather(mine, all);
            return;
        }
        using var calls = _sends.Enter();
        fixed (byte* from = mine, to = all)
            _mpi.Check(_mpi.AllGather(from, mine.Length, _mpi.Abi.Byte, to, mine.Length, _mpi.Abi.Byte, _handle), "MPI_Allgather");
    }

    /// <summary>Rank by rank, each message straight into its own array: MPI_Gatherv counts no further than 2³¹ bytes in all.</summary>
    public byte[][]? Gather(ReadOnlySpan<byte> mine, int root)
    {
        CheckRank(root);
        using var calls = _sends.Enter();
        long length = mine.Length;
        if (Rank != root)
        {
            SendNow(new ReadOnlySpan<byte>(&length, sizeof(long)), root);
            SendNow(mine, root);
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
            ReceiveNow(new Span<byte>(&length, sizeof(long)), rank, GatherTag);
            all[rank] = GC.AllocateUninitializedArray<byte>((int)length);
            ReceiveNow(all[rank], rank, GatherTag);
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
        using var calls = _sends.Enter();
        fixed (byte* p = data)
        {
            for (var done = 0; done < data.Length;)
            {
                var count = Math.Min(data.Length - done, PieceBytes);
                _mpi.Check(_mpi.Broadcast(p + done, count, _mpi.Abi.Byte, root, _handle), "MPI_Bcast");
                done += count;
            }
        }
    }

    public void Send(ReadOnlySpan<byte> data, int destination, int tag)
    {
        CheckRank(destination);
        CheckTag(tag);
        Post(data, destination, tag);
    }

    void IDirectMessages.Post(ReadOnlySpan<byte> data, int destination) => Post(data, destination, DirectTag);

    private void Post(ReadOnlySpan<byte> data, int destination, int tag)
    {
        using var calls = _sends.Enter();
        do
        {
            var piece = data[..Math.Min(data.Length, PieceBytes)];
            _sends.Post(piece, destination, tag, _handle);
            data = data[piece.Length..];
        }
        while (data.Length > 0);
    }

    public void Receive(Span<byte> data, int source, int tag)
    {
        CheckRank(source);
        CheckTag(tag);
        using var calls = _sends.Enter();
        ReceiveNow(data, source, tag);
    }

    void IDirectMessages.Take(Span<byte> data, int source)
    {
        using var calls = _sends.Enter();
        ReceiveNow(data, source, DirectTag);
    }

    public bool Probe(int source, int tag)
    {
        CheckRank(source);
        CheckTag(tag);
        using var calls = _sends.Enter();
        var status = stackalloc byte[MpiAbi.StatusBytes];
        int waits;
        _mpi.Check(_mpi.ProbeNow(source, tag, _handle, &waits, status), "MPI_Iprobe");
        return waits != 0;
    }

    public ICommunicator Split(int color, int key)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(color);
        // MPI_Comm_split waits blocking: for ranks that have met before, it is not long.
        if (_exchange.IsChosen()) _exchange.Barrier();
        using var calls = _sends.Enter();
        nint child = 0;
        _mpi.Check(_mpi.CommSplit(_handle, color, key, &child), "MPI_Comm_split");
        return new MpiCommunicator(_mpi, _sends, _shortage, child, _exchange.Patient);
    }

    public void Abort(int exitCode) => MpiWorld.Abort(_mpi, exitCode);

    /// <summary>Frees a communicator made by <see cref="Split"/>; the world itself ends in <see cref="MpiWorld"/>.</summary>
    public void Dispose()
    {
        if (_handle == _mpi.Abi.World || _handle == 0) return;
        using var calls = _sends.Enter();
        fixed (nint* handle = &_handle) _mpi.Check(_mpi.CommFree(handle), "MPI_Comm_free");
        _handle = 0;
    }

    /// <summary>From the caller's memory, which is free again on return.</summary>
    private void SendNow(ReadOnlySpan<byte> data, int destination)
    {
        var status = stackalloc byte[MpiAbi.StatusBytes];
        do
        {
            var piece = data[..Math.Min(data.Length, PieceBytes)];
            fixed (byte* p = piece)
            {
                nint request = 0;
                _mpi.Check(_mpi.SendLater(p, piece.Length, _mpi.Abi.Byte, destination, GatherTag, _handle, &request), "MPI_Isend");
                _mpi.Check(Finish(request, status), "MPI_Test of a send");
            }
            data = data[piece.Length..];
        }
        while (data.Length > 0);
    }

    private void ReceiveNow(Span<byte> data, int source, int tag)
    {
        var status = stackalloc byte[MpiAbi.StatusBytes];
        do
        {
            var piece = data[..Math.Min(data.Length, PieceBytes)];
            int result, count;
            fixed (byte* p = piece)
            {
                nint request = 0;
                result = _mpi.ReceiveLater(p, piece.Length, _mpi.Abi.Byte, source, tag, _handle, &request);
                if (result == 0) result = Finish(request, status);
            }
            if (result != 0) _mpi.Check(result, $"MPI_Irecv of {piece.Length} bytes with tag {tag} from rank {source}");
            _mpi.Check(_mpi.GetCount(status, _mpi.Abi.Byte, &count), "MPI_Get_count");
            if (count != piece.Length)
                throw new CommunicationException($"a message of {count} bytes with tag {tag} came from rank {source} where {piece.Length} were expected");
            data = data[piece.Length..];
        }
        while (data.Length > 0);
    }

    /// <summary>Waits; pending sends move on, too, since every question to MPI advances them all.</summary>
    /// <returns>MPI's result.</returns>
    private int Finish(nint request, byte* status)
    {
        var done = 0;
        for (var wait = new Wait(_shortage); ; wait.Pause())
        {
            var result = _mpi.Test(&request, &done, status);
            if (result != 0 || done != 0) return result;
        }
    }

    private void CheckRank(int rank) =>
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)rank, (uint)Size, nameof(rank));

    private static void CheckTag(int tag) =>
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)tag, (uint)DirectTag, nameof(tag));
}
