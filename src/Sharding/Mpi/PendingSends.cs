using System.Numerics;
using System.Runtime.InteropServices;
using Harness.Sharding.Waits;

namespace Harness.Sharding.Mpi;

/// <summary>A message on its way: an MPI_Isend from a copy of its own.</summary>
internal record struct PendingSend(nint Request, nint Buffer, int SizeClass);

/// <summary>
/// Messages on their way. Memory held is that of the messages not yet received, plus up to <see cref="SpareBytes"/> for reuse.
/// </summary>
internal sealed unsafe class PendingSends(MpiLibrary mpi, bool fromAnyThread, CoreShortage shortage)
    : SerializedCalls<PendingSend>(fromAnyThread, shortage)
{
    private const long SpareBytes = 64 << 20;

    private readonly Stack<nint>[] _spare = [.. Enumerable.Range(0, 32).Select(_ => new Stack<nint>())];
    private long _spareBytes;

    /// <summary>Called within <see cref="SerializedCalls{TSend}.Enter"/>.</summary>
    public void Post(ReadOnlySpan<byte> data, int destination, int tag, nint communicator)
    {
        var sizeClass = BitOperations.Log2((uint)Math.Max(data.Length - 1, 1)) + 1;
        var buffer = Rent(sizeClass);
        data.CopyTo(new Span<byte>((void*)buffer, data.Length));
        nint request = 0;
        mpi.Check(mpi.SendLater((void*)buffer, data.Length, mpi.Abi.Byte, destination, tag, communicator, &request), "MPI_Isend");
        Track(new PendingSend(request, buffer, sizeClass));
    }

    protected override bool HasLeft(ref PendingSend send)
    {
        var status = stackalloc byte[MpiAbi.StatusBytes];
        var (request, done) = (send.Request, 0);
        mpi.Check(mpi.Test(&request, &done, status), "MPI_Test of a send");
        send.Request = request;
        return done != 0;
    }

    protected override void Free(PendingSend send)
    {
        var bytes = 1L << send.SizeClass;
        if (_spareBytes + bytes > SpareBytes)
        {
            NativeMemory.Free((void*)send.Buffer);
            return;
        }
        _spareBytes += bytes;
        _spare[send.SizeClass].Push(send.Buffer);
    }

    protected override void FreeAll()
    {
        foreach (var stack in _spare)
            while (stack.TryPop(out var buffer)) NativeMemory.Free((void*)buffer);
        _spareBytes = 0;
    }

    private nint Rent(int sizeClass)
    {
        if (!_spare[sizeClass].TryPop(out var buffer)) return (nint)NativeMemory.Alloc((nuint)(1L << sizeClass));
        _spareBytes -= 1L << sizeClass;
        return buffer;
    }
}
