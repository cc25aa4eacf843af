using System.Diagnostics;
using Harness.Sharding;
using Harness.Tensors;
using Harness.TorchSharp.Nccl;
using TorchSharp;
using static TorchSharp.torch.nn;
using DeviceTensor = TorchSharp.torch.Tensor;
using ScalarType = TorchSharp.torch.ScalarType;

namespace Harness.TorchSharp;

/// <summary>
/// Tensors from device to device, in the activations' own type. Every call goes to stream 0, the legacy default stream, on
/// which TorchSharp's operations run, since it never sets another: so a transfer starts after the kernels that
/// produce its tensor, the kernels issued after it wait for it, and the host waits for neither. Memory that is
/// freed meanwhile is safe, too: libtorch's allocator hands it out again on the same stream only.
/// </summary>
/// <remarks>
/// A send holds up this rank's stream until the receiver has come to its receive. That cannot lock up here: activations
/// travel only from stage to stage, forwards, and the tokens come back through host memory.
/// The seconds of <see cref="Statistics"/> are those that the host spent in calls; the device's waiting is inside the step.
/// </remarks>
internal sealed class NcclLink : ITensorLink, IDisposable
{
    private const nint DefaultStream = 0;

    private readonly NcclLibrary _nccl;
    private readonly ITensorBackend _backend;
    private nint _communicator;
    private long _bytesSent, _collectiveTicks, _receiveTicks;

    /// <summary>Collective. This rank's device must be current for the calling thread.</summary>
    public NcclLink(NcclLibrary nccl, ICommunicator ranks, ITensorBackend backend)
    {
        (_nccl, _backend, Rank, Size) = (nccl, backend, ranks.Rank, ranks.Size);
        var id = Rank == 0 ? nccl.NewUniqueId() : new byte[NcclLibrary.UniqueIdBytes];
        ranks.Broadcast(id, 0);
        _communicator = nccl.Join(Size, id, Rank);
    }

    public int Rank { get; }
    public int Size { get; }
    public bool IsSynchronous => false;
    public LinkStatistics Statistics => new(_bytesSent, Seconds(_collectiveTicks), Seconds(_receiveTicks));

    public void AllReduce(Tensor x)
    {
        var start = Stopwatch.GetTimestamp();
        var value = Contiguous(x);
        var (count, type) = (Elements(x), Type(value));
        _nccl.AllReduceSum(NativeTensor.Address(value), count, type, _communicator, DefaultStream);
        _bytesSent += 2 * count * Bytes(type) * (Size - 1) / Size;
        _collectiveTicks += Stopwatch.GetTimestamp() - start;
    }

    /// <remarks>NCCL gathers equal shares one after the other: narrower ones are padded, and the columns are then put side by side on the
    /// device.</remarks>
    public Tensor AllGatherColumns(Tensor x, ReadOnlySpan<int> columns)
    {
        if (columns.Length != Size || columns[Rank] != x.Columns)
            throw new ArgumentException($"rank {Rank} of {Size} has {x.Columns} columns, not [{string.Join(", ", columns.ToArray())}]",
                nameof(columns));
        var start = Stopwatch.GetTimestamp();
        using var scope = torch.NewDisposeScope();
        int widest = 0, total = 0;
        foreach (var width in columns) (widest, total) = (Math.Max(widest, width), total + width);
        var mine = ((TorchTensor)x).Value;
        mine = x.Columns == widest ? mine.contiguous() : functional.pad(mine, [0, widest - x.Columns]);
        var type = Type(mine);
        var all = torch.empty(Size, x.Rows, widest, dtype: mine.dtype, device: mine.device);
        var count = (long)x.Rows * widest;
        _nccl.AllGather(NativeTensor.Address(mine), NativeTensor.Address(all), count, type, _communicator, DefaultStream);
        var parts = new DeviceTensor[Size];
        for (var rank = 0; rank < Size; rank++) parts[rank] = all.select(0, rank).narrow(1, 0, columns[rank]);
        var result = torch.cat(parts, 1).MoveToOuterDisposeScope();
        _bytesSent += Elements(x) * Bytes(type) * (Size - 1);
        _collectiveTicks += Stopwatch.GetTimestamp() - start;
        return new TorchTensor(result, x.Rows, total);
    }

    public void Send(Tensor x, int destination)
    {
        var value = Contiguous(x);
        var (count, type) = (Elements(x), Type(value));
        _nccl.Send(NativeTensor.Address(value), count, type, destination, _communicator, DefaultStream);
        _bytesSent += count * Bytes(type);
    }

    public Tensor Receive(int rows, int columns, int source)
    {
        var result = (TorchTensor)_backend.NewTensor(rows, columns);
        var start = Stopwatch.GetTimestamp();
        _nccl.Receive(NativeTensor.Address(result.Value), Elements(result), Type(result.Value), source, _communicator, DefaultStream);
        _receiveTicks += Stopwatch.GetTimestamp() - start;
        return result;
    }

    public void Dispose()
    {
        if (_communicator != 0) _nccl.Leave(_communicator);
        _communicator = 0;
    }

    /// <summary>The link works on the tensor's own memory, so a view with gaps will not do.</summary>
    private static DeviceTensor Contiguous(Tensor x)
    {
        var value = ((TorchTensor)x).Value;
        return value.is_contiguous() ? value
            : throw new ArgumentException($"a tensor [{x.Rows}, {x.Columns}] with gaps between its rows cannot be sent");
    }

    private static long Elements(Tensor x) => (long)x.Rows * x.Columns;

    private static int Type(DeviceTensor value) => value.dtype switch
    {
        ScalarType.Float16 => NcclLibrary.Float16,
        ScalarType.BFloat16 => NcclLibrary.BFloat16,
        _ => NcclLibrary.Float32,
    };

    private static int Bytes(int type) => type == NcclLibrary.Float32 ? 4 : 2;

    private static double Seconds(long ticks) => (double)ticks / Stopwatch.Frequency;
}
