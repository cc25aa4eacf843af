using System.Runtime.InteropServices;

namespace Harness.TorchSharp.Nccl;

/// <summary>
/// The calls that the link needs, from libnccl.so.2 found at run time: its ABI has been stable since version 2.0
/// (nccl.h of NVIDIA's Collective Communications Library). A status other than 0 throws with NCCL's own words.
/// </summary>
internal sealed unsafe class NcclLibrary
{
    public const string FileName = "libnccl.so.2";
    public const int UniqueIdBytes = 128;

    /// <summary>ncclDataType_t; bfloat16 since NCCL 2.10.</summary>
    public const int Float16 = 6, Float32 = 7, BFloat16 = 9;

    private const int Sum = 0;      // ncclRedOp_t

    /// <summary>ncclUniqueId goes by value: 128 bytes on the stack.</summary>
    [StructLayout(LayoutKind.Sequential, Size = UniqueIdBytes)]
    private struct UniqueId
    {
        public fixed byte Bytes[UniqueIdBytes];
    }

    private readonly delegate* unmanaged<UniqueId*, int> _getUniqueId;
    private readonly delegate* unmanaged<nint*, int, UniqueId, int, int> _commInitRank;
    private readonly delegate* unmanaged<nint, int> _commDestroy;
    private readonly delegate* unmanaged<int, byte*> _getErrorString;
    private readonly delegate* unmanaged<nint, nint, nuint, int, int, nint, nint, int> _allReduce;
    private readonly delegate* unmanaged<nint, nint, nuint, int, nint, nint, int> _allGather;
    private readonly delegate* unmanaged<nint, nuint, int, int, nint, nint, int> _send;
    private readonly delegate* unmanaged<nint, nuint, int, int, nint, nint, int> _receive;

    /// <param name="path">A file, or a name for the loader's search.</param>
    /// <exception cref="DllNotFoundException">It cannot be loaded.</exception>
    /// <exception cref="EntryPointNotFoundException">It lacks a function: NCCL before 2.7 has no send and receive.</exception>
    public NcclLibrary(string path)
    {
        var library = NativeLibrary.Load(path);
        _getUniqueId = (delegate* unmanaged<UniqueId*, int>)Export("ncclGetUniqueId");
        _commInitRank = (delegate* unmanaged<nint*, int, UniqueId, int, int>)Export("ncclCommInitRank");
        _commDestroy = (delegate* unmanaged<nint, int>)Export("ncclCommDestroy");
        _getErrorString = (delegate* unmanaged<int, byte*>)Export("ncclGetErrorString");
        _allReduce = (delegate* unmanaged<nint, nint, nuint, int, int, nint, nint, int>)Export("ncclAllReduce");
        _allGather = (delegate* unmanaged<nint, nint, nuint, int, nint, nint, int>)Export("ncclAllGather");
        _send = (delegate* unmanaged<nint, nuint, int, int, nint, nint, int>)Export("ncclSend");
        _receive = (delegate* unmanaged<nint, nuint, int, int, nint, nint, int>)Export("ncclRecv");

        nint Export(string name) => NativeLibrary.GetExport(library, name);
    }

    public byte[] NewUniqueId()
    {
        UniqueId id;
        Check(_getUniqueId(&id), "ncclGetUniqueId");
        return new ReadOnlySpan<byte>(id.Bytes, UniqueIdBytes).ToArray();
    }

    /// <summary>Returns when all <paramref name="size"/> ranks have called it, each with its own device current.</summary>
    public nint Join(int size, ReadOnlySpan<byte> uniqueId, int rank)
    {
        UniqueId id;
        uniqueId.CopyTo(new Span<byte>(id.Bytes, UniqueIdBytes));
        nint communicator;
        Check(_commInitRank(&communicator, size, id, rank), "ncclCommInitRank");
        return communicator;
    }

    public void Leave(nint communicator) => Check(_commDestroy(communicator), "ncclCommDestroy");

    /// <summary>In place.</summary>
    public void AllReduceSum(nint data, long count, int type, nint communicator, nint stream) =>
        Check(_allReduce(data, data, (nuint)count, type, Sum, communicator, stream), "ncclAllReduce");

    /// <param name="count">Elements of each rank.</param>
    public void AllGather(nint mine, nint all, long count, int type, nint communicator, nint stream) =>
        Check(_allGather(mine, all, (nuint)count, type, communicator, stream), "ncclAllGather");

    public void Send(nint data, long count, int type, int peer, nint communicator, nint stream) =>
        Check(_send(data, (nuint)count, type, peer, communicator, stream), "ncclSend");

    public void Receive(nint data, long count, int type, int peer, nint communicator, nint stream) =>
        Check(_receive(data, (nuint)count, type, peer, communicator, stream), "ncclRecv");

    private void Check(int status, string call)
    {
        if (status != 0)
            throw new NcclException($"{call} failed: {Marshal.PtrToStringUTF8((nint)_getErrorString(status))} (status {status}); run with "
                + "NCCL_DEBUG=INFO for its reasons");
    }
}

/// <summary>NCCL reported an error; the communicator is of no more use.</summary>
public sealed class NcclException(string message) : Exception(message);
