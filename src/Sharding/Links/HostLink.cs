using System.Diagnostics;
using System.Runtime.InteropServices;
using Harness.Common;
using Harness.Tensors;

namespace Harness.Sharding.Links;

/// <summary>
/// Tensors through host memory over any communicator: works for every backend and every launcher. On the wire a value
/// is float32, or bfloat16 (rounded to nearest, ties to even). An all-reduce in bfloat16 rounds each contribution, sums
/// them in float32 in rank order and rounds the sum, so that every rank has the same bits, whatever the number of ranks
/// and the size of the tensor.
/// </summary>
/// <param name="ranks">The group; the link does not dispose of it. Its tags 1 and 2 are the link's: one link per communicator.</param>
/// <param name="backend">Owns the tensors.</param>
/// <param name="wire">F32 or BF16.</param>
public sealed class HostLink : ITensorLink
{
    private const int TensorTag = 1;
    private const int ShareTag = 2;

    /// <summary>Elements exchanged at a time in bfloat16: bounds the scratch memory at any size of tensor.</summary>
    private const int PieceElements = 1 << 18;

    /// <summary>Up to here one all-gather beats an exchange of shares: latency rules, not bytes.</summary>
    private const int GatherElements = 8192;

    private readonly ICommunicator _ranks;
    private readonly ITensorBackend _backend;
    private readonly bool _bf16;
    private float[] _values = [];
    private float[] _gathered = [];
    private byte[] _mine = [];
    private byte[] _all = [];
    private long _bytesSent, _collectiveTicks, _receiveTicks, _transferTicks;

    /// <exception cref="UserErrorException">The wire type is neither f32 nor bf16.</exception>
    public HostLink(ICommunicator ranks, ITensorBackend backend, DType wire)
    {
        if (wire is not (DType.F32 or DType.BF16))
            throw new UserErrorException($"--comm-dtype {wire.Label()} cannot travel between ranks; use f32 or bf16");
        (_ranks, _backend, _bf16) = (ranks, backend, wire == DType.BF16);
    }

    public int Rank => _ranks.Rank;
    public int Size => _ranks.Size;
    public LinkStatistics Statistics => new(_bytesSent, Seconds(_collectiveTicks), Seconds(_receiveTicks), Seconds(_transferTicks));

    private int WireBytes => _bf16 ? 2 : 4;

    public void AllReduce(Tensor x)
    {
        if (Size == 1) return;
        var start = BeginTransfer();
        var values = Scratch(ref _values, Elements(x.Rows, x.Columns));
        _backend.ReadHost(x, values);
        if (!_bf16) _ranks.AllReduceSum(values);
        else
        {
            for (var first = 0; first < values.Length; first += PieceElements)
                AllReduceBf16(values.Slice(first, Math.Min(PieceElements, values.Length - first)));
        }
        _backend.WriteHost(x, values);
        _bytesSent += 2L * values.Length * WireBytes * (Size - 1) / Size;
        _collectiveTicks += Stopwatch.GetTimestamp() - start;
    }

    public Tensor AllGatherColumns(Tensor x, ReadOnlySpan<int> columns)
    {
        if (columns.Length != Size || columns[Rank] != x.Columns)
            throw new ArgumentException($"rank {Rank} of {Size} has {x.Columns} columns, not [{string.Join(", ", columns.ToArray())}]",
                nameof(columns));
        if (Size == 1) return x;
        var start = BeginTransfer();
        int total = 0, widest = 0;
        foreach (var c in columns) (total, widest) = (total + c, Math.Max(widest, c));
        var result = _backend.NewTensor(x.Rows, total);
        var output = Scratch(ref _gathered, Elements(x.Rows, total));
        var input = Scratch(ref _values, Elements(x.Rows, x.Columns));
        _backend.ReadHost(x, input);
        // Every rank sends blocks of the widest rank's size, so many rows at a time.
        var rowsPerPiece = Math.Max(1, PieceElements / Math.Max(widest, 1));
        for (var first = 0; first < x.Rows; first += rowsPerPiece)
        {
            var rows = Math.Min(rowsPerPiece, x.Rows - first);
            var block = rows * widest * WireBytes;
            var mine = Scratch(ref _mine, block);
            var all = Scratch(ref _all, block * Size);
            Encode(input.Slice(first * x.Columns, rows * x.Columns), mine);
            _ranks.AllGather(mine, all);
            for (int r = 0, column = 0; r < Size; column += columns[r++])
                for (var row = 0; row < rows; row++)
                    Decode(all[(r * block + row * columns[r] * WireBytes)..], output.Slice((first + row) * total + column, columns[r]));
        }
        _backend.WriteHost(result, output);
        _bytesSent += (long)input.Length * WireBytes * (Size - 1);
        _collectiveTicks += Stopwatch.GetTimestamp() - start;
        return result;
    }

    public void Send(Tensor x, int destination)
    {
        var start = BeginTransfer();
        var values = Scratch(ref _values, Elements(x.Rows, x.Columns));
        _backend.ReadHost(x, values);
        var wire = Scratch(ref _mine, checked(values.Length * WireBytes));
        Encode(values, wire);
        _ranks.Send(wire, destination, TensorTag);
        _bytesSent += wire.Length;
        _transferTicks += Stopwatch.GetTimestamp() - start;
    }

    public Tensor Receive(int rows, int columns, int source)
    {
        var values = Scratch(ref _values, Elements(rows, columns));
        var wire = Scratch(ref _mine, checked(values.Length * WireBytes));
        var start = BeginTransfer();
        _ranks.Receive(wire, source, TensorTag);
        var arrived = Stopwatch.GetTimestamp();
        _receiveTicks += arrived - start;
        Decode(wire, values);
        var result = _backend.NewTensor(rows, columns);
        _backend.WriteHost(result, values);
        _transferTicks += Stopwatch.GetTimestamp() - arrived;
        return result;
    }

    /// <summary>The device's computing before a transfer is no part of it, although the host would wait for it within.</summary>
    private long BeginTransfer()
    {
        _backend.Synchronize();
        return Stopwatch.GetTimestamp();
    }

    /// <summary>
    /// Each rank sums its share of the elements and hands the sum round; small tensors are gathered whole and summed everywhere.
    /// </summary>
    private void AllReduceBf16(Span<float> values)
    {
        var whole = Size == 2 || values.Length <= GatherElements;
        var share = whole ? values.Length : (values.Length + Size - 1) / Size;
        var wire = MemoryMarshal.Cast<byte, ushort>(Scratch(ref _mine, (whole ? share : share * Size) * 2));
        var all = MemoryMarshal.Cast<byte, ushort>(Scratch(ref _all, share * Size * 2));
        Bf16Wire.Encode(values, wire);
        if (whole)
        {
            _ranks.AllGather(MemoryMarshal.AsBytes(wire), MemoryMarshal.AsBytes(all));
            Sum(all, share, values);
            Bf16Wire.Encode(values, wire);
            Bf16Wire.Decode(wire, values);
            return;
        }
        wire[values.Length..].Clear();
        // Rank r starts with its neighbour, so that not everyone sends to rank 0 first.
        for (var step = 1; step < Size; step++)
        {
            var to = (Rank + step) % Size;
            _ranks.Send(MemoryMarshal.AsBytes(wire.Slice(to * share, share)), to, ShareTag);
        }
        wire.Slice(Rank * share, share).CopyTo(all.Slice(Rank * share, share));
        for (var step = 1; step < Size; step++)
        {
            var from = (Rank + Size - step) % Size;
            _ranks.Receive(MemoryMarshal.AsBytes(all.Slice(from * share, share)), from, ShareTag);
        }
        var sum = Scratch(ref _gathered, share);
        Sum(all, share, sum);
        var rounded = wire[..share];
        Bf16Wire.Encode(sum, rounded);
        _ranks.AllGather(MemoryMarshal.AsBytes(rounded), MemoryMarshal.AsBytes(all));
        Bf16Wire.Decode(all[..values.Length], values);
    }

    /// <summary>Adds up the blocks of <paramref name="length"/> elements in <paramref name="all"/>, in rank order.</summary>
    private static void Sum(ReadOnlySpan<ushort> all, int length, Span<float> sum)
    {
        Bf16Wire.Decode(all[..length], sum);
        for (var first = length; first < all.Length; first += length)
            Bf16Wire.Accumulate(all.Slice(first, length), sum);
    }

    private void Encode(ReadOnlySpan<float> values, Span<byte> wire)
    {
        if (_bf16) Bf16Wire.Encode(values, MemoryMarshal.Cast<byte, ushort>(wire));
        else MemoryMarshal.AsBytes(values).CopyTo(wire);
    }

    private void Decode(ReadOnlySpan<byte> wire, Span<float> values)
    {
        if (_bf16) Bf16Wire.Decode(MemoryMarshal.Cast<byte, ushort>(wire)[..values.Length], values);
        else wire[..(values.Length * sizeof(float))].CopyTo(MemoryMarshal.AsBytes(values));
    }

    private static int Elements(int rows, int columns) => checked(rows * columns);

    private static double Seconds(long ticks) => (double)ticks / Stopwatch.Frequency;

    private static Span<T> Scratch<T>(ref T[] scratch, int length)
    {
        if (scratch.Length < length) scratch = new T[length];
        return scratch.AsSpan(0, length);
    }
}
