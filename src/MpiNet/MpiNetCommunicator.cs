using Harness.Common;
using Harness.Sharding;
using Harness.Sharding.Communicators;
using Harness.Sharding.Mpi;
using Harness.Sharding.Waits;
using Harness.Sharding.World;
using MPI;

namespace Harness.MpiNet;

/// <summary>
/// A communicator of MPI.NET. The package takes arrays, whole ones, so that every call copies what it sends and receives:
/// <c>--communicator mpi</c> does not, and is the one to measure with.
/// </summary>
internal sealed class MpiNetCommunicator(
    MpiLibrary library, PendingRequests calls, CoreShortage shortage, Intracommunicator communicator, bool patient)
    : MpiRanks(communicator.Rank, communicator.Size, shortage, patient)
{
    private bool _freed;

    public override string Name => EnumWord.Of(CommunicatorKind.MpiNet);

    protected override void BarrierBlocking() => Call("MPI_Barrier", communicator.Barrier);

    public override void AllReduceBlocking(Span<float> data)
    {
        for (var done = 0; done < data.Length;)
        {
            var piece = data.Slice(done, Math.Min(data.Length - done, PieceBytes / sizeof(float)));
            float[] mine = piece.ToArray(), sum = new float[mine.Length];
            Call("MPI_Allreduce", () => communicator.Allreduce(mine, Operation<float>.Add, ref sum));
            sum.CopyTo(piece);
            done += piece.Length;
        }
    }

    protected override void AllGatherBlocking(ReadOnlySpan<byte> mine, Span<byte> all)
    {
        byte[] from = mine.ToArray(), to = new byte[all.Length];
        Call("MPI_Allgatherv", () => communicator.AllgatherFlattened(from, from.Length, ref to));
        to.CopyTo(all);
    }

    /// <summary>Rank by rank, each message straight into its own array: MPI_Gatherv counts no further than 2³¹ bytes in all.</summary>
    public override byte[][]? Gather(ReadOnlySpan<byte> mine, int root)
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

    protected override void BroadcastBlocking(Span<byte> data, int root)
    {
        for (var done = 0; done < data.Length;)
        {
            var piece = data.Slice(done, Math.Min(data.Length - done, PieceBytes));
            var bytes = piece.ToArray();
            Call("MPI_Bcast", () => communicator.Broadcast(ref bytes, root));
            bytes.CopyTo(piece);
            done += piece.Length;
        }
    }

    protected override bool HasArrived(int source, int tag)
    {
        Status? status = null;
        Call("MPI_Iprobe", () => status = communicator.ImmediateProbe(source, tag));
        return status != null;
    }

    protected override ICommunicator SplitBlocking(int color, int key, bool patient)
    {
        Communicator? child = null;
        Call("MPI_Comm_split", () => child = communicator.Split(color, key));
        return new MpiNetCommunicator(library, calls, Shortage, (Intracommunicator)child!, patient);
    }

    public override void Abort(int exitCode) => MpiWorld.Abort(library, exitCode);

    public override void Dispose()
    {
        if (_freed || communicator == Communicator.world) return;
        _freed = true;
        Call("MPI_Comm_free", communicator.Dispose);
    }

    protected override void Post(ReadOnlySpan<byte> data, int destination, int tag)
    {
        do
        {
            var piece = data[..Math.Min(data.Length, PieceBytes)].ToArray();
            Call("MPI_Isend", () => calls.Track(communicator.ImmediateSend(piece, destination, tag)));
            data = data[piece.Length..];
        }
        while (data.Length > 0);
    }

    protected override void Take(Span<byte> data, int source, int tag)
    {
        do
        {
            var piece = new byte[Math.Min(data.Length, PieceBytes)];
            CompletedStatus? status = null;
            Call($"MPI_Irecv of {piece.Length} bytes with tag {tag} from rank {source}", () =>
            {
                var request = communicator.ImmediateReceive(source, tag, piece);
                for (var wait = new Wait(Shortage); (status = (CompletedStatus?)request.Test()) == null; wait.Pause()) { }
            });
            if (status!.Count() != piece.Length)
                throw new CommunicationException(
                    $"a message of {status.Count()} bytes with tag {tag} came from rank {source} where {piece.Length} were expected");
            piece.CopyTo(data);
            data = data[piece.Length..];
        }
        while (data.Length > 0);
    }

    /// <exception cref="CommunicationException">MPI.NET has thrown; the message is MPI's own.</exception>
    private void Call(string operation, System.Action call)
    {
        using var scope = calls.Enter();
        try
        {
            call();
        }
        catch (Exception e)
        {
            throw new CommunicationException($"{operation} failed: {e.Message}", e);
        }
    }
}
