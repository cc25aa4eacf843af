using Harness.Sharding.Waits;

namespace Harness.Sharding.Mpi;

/// <summary>A communicator of libmpi.</summary>
internal sealed unsafe class MpiCommunicator : MpiRanks
{
    private readonly MpiLibrary _mpi;
    private readonly PendingSends _sends;
    private nint _handle;

    public MpiCommunicator(MpiLibrary mpi, PendingSends sends, CoreShortage shortage, nint handle, bool patient)
        : base(RankIn(mpi, handle), SizeOf(mpi, handle), shortage, patient) => (_mpi, _sends, _handle) = (mpi, sends, handle);

    public override string Name => "mpi";

    private static int RankIn(MpiLibrary mpi, nint handle)
    {
        int rank;
        mpi.Check(mpi.CommRank(handle, &rank), "MPI_Comm_rank");
        return rank;
    }

    private static int SizeOf(MpiLibrary mpi, nint handle)
    {
        int size;
        mpi.Check(mpi.CommSize(handle, &size), "MPI_Comm_size");
        return size;
    }

    protected override void BarrierBlocking()
    {
        using var calls = _sends.Enter();
        _mpi.Check(_mpi.Barrier(_handle), "MPI_Barrier");
    }

    public override void AllReduceBlocking(Span<float> data)
    {
        using var calls = _sends.Enter();
        fixed (float* p = data)
        {
            for (var done = 0; done < data.Length;)
            {
                var count = Math.Min(data.Length - done, PieceBytes / sizeof(float));
                _mpi.Check(_mpi.AllReduce((void*)_mpi.Abi.InPlace, p + done, count, _mpi.Abi.Float, _mpi.Abi.Sum, _handle),
                    "MPI_Allreduce");
                done += count;
            }
        }
    }

    protected override void AllGatherBlocking(ReadOnlySpan<byte> mine, Span<byte> all)
    {
        using var calls = _sends.Enter();
        fixed (byte* from = mine, to = all)
            _mpi.Check(_mpi.AllGather(from, mine.Length, _mpi.Abi.Byte, to, mine.Length, _mpi.Abi.Byte, _handle), "MPI_Allgather");
    }

    /// <summary>Rank by rank, each message straight into its own array: MPI_Gatherv counts no further than 2³¹ bytes in all.</summary>
    public override byte[][]? Gather(ReadOnlySpan<byte> mine, int root)
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

    protected override void BroadcastBlocking(Span<byte> data, int root)
    {
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

    protected override void Post(ReadOnlySpan<byte> data, int destination, int tag)
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

    protected override void Take(Span<byte> data, int source, int tag)
    {
        using var calls = _sends.Enter();
        ReceiveNow(data, source, tag);
    }

    protected override bool HasArrived(int source, int tag)
    {
        using var calls = _sends.Enter();
        var status = stackalloc byte[MpiAbi.StatusBytes];
        int waits;
        _mpi.Check(_mpi.ProbeNow(source, tag, _handle, &waits, status), "MPI_Iprobe");
        return waits != 0;
    }

    protected override ICommunicator SplitBlocking(int color, int key, bool patient)
    {
        using var calls = _sends.Enter();
        nint child = 0;
        _mpi.Check(_mpi.CommSplit(_handle, color, key, &child), "MPI_Comm_split");
        return new MpiCommunicator(_mpi, _sends, Shortage, child, patient);
    }

    public override void Abort(int exitCode) => MpiWorld.Abort(_mpi, exitCode);

    public override void Dispose()
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
                throw new CommunicationException(
                    $"a message of {count} bytes with tag {tag} came from rank {source} where {piece.Length} were expected");
            data = data[piece.Length..];
        }
        while (data.Length > 0);
    }

    /// <summary>Waits; pending sends move on, too, since every question to MPI advances them all.</summary>
    /// <returns>MPI's result.</returns>
    private int Finish(nint request, byte* status)
    {
        var done = 0;
        for (var wait = new Wait(Shortage); ; wait.Pause())
        {
            var result = _mpi.Test(&request, &done, status);
            if (result != 0 || done != 0) return result;
        }
    }
}
