using Harness.Sharding;
using Harness.Tensors;

namespace Harness.Tests.Planning;

/// <summary>A rank's link to peers that are not there: what it sends is counted, what it receives is made up.</summary>
internal sealed class CountingLink(int rank, int size, ITensorBackend backend, DType wire) : ITensorLink
{
    private long _bytesSent;

    public int Rank => rank;
    public int Size => size;
    public int Messages { get; private set; }
    public LinkStatistics Statistics => new(_bytesSent, 0, 0);

    public void AllReduce(Tensor x) => Count(2L * x.Rows * x.Columns * wire.Bytes() * (size - 1) / size);

    public Tensor AllGatherColumns(Tensor x, ReadOnlySpan<int> columns)
    {
        Count((long)x.Rows * x.Columns * wire.Bytes() * (size - 1));
        return backend.NewTensor(x.Rows, columns.ToArray().Sum());
    }

    public void Send(Tensor x, int destination) => Count((long)x.Rows * x.Columns * wire.Bytes());
    public Tensor Receive(int rows, int columns, int source) => backend.NewTensor(rows, columns);

    private void Count(long bytes)
    {
        _bytesSent += bytes;
        if (size > 1) Messages++;
    }
}

/// <summary>A communicator of a rank whose peers are not there and say zeros.</summary>
internal sealed class CountingCommunicator(int rank, int size) : ICommunicator
{
    public string Name => "counting";
    public int Rank => rank;
    public int Size => size;
    public long BytesGathered { get; private set; }

    public void AllGather(ReadOnlySpan<byte> mine, Span<byte> all)
    {
        BytesGathered += (long)mine.Length * (size - 1);
        all.Clear();
    }

    public void Send(ReadOnlySpan<byte> data, int destination, int tag) { }
    public void Receive(Span<byte> data, int source, int tag) => data.Clear();

    public bool Probe(int source, int tag) => throw new NotSupportedException();
    public void Barrier() => throw new NotSupportedException();
    public void AllReduceSum(Span<float> data) => throw new NotSupportedException();
    public byte[][]? Gather(ReadOnlySpan<byte> mine, int root) => throw new NotSupportedException();
    public void Broadcast(Span<byte> data, int root) => throw new NotSupportedException();
    public ICommunicator Split(int color, int key) => throw new NotSupportedException();
    public void Abort(int exitCode) => throw new NotSupportedException();
    public void Dispose() { }
}
