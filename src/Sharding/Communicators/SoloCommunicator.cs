namespace Harness.Sharding.Communicators;

/// <summary>The world of one rank: collectives are copies, and messages can only go to itself.</summary>
public sealed class SoloCommunicator : ICommunicator
{
    private readonly Dictionary<int, Queue<byte[]>> _messages = [];

    public string Name => "solo";
    public int Rank => 0;
    public int Size => 1;
    public bool CanLosePeers => false;

    public void Barrier() { }

    public void AllReduceSum(Span<float> data) { }

    public void AllGather(ReadOnlySpan<byte> mine, Span<byte> all)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(all.Length, mine.Length);
        mine.CopyTo(all);
    }

    public byte[][] Gather(ReadOnlySpan<byte> mine, int root)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(root, 0);
        return [mine.ToArray()];
    }

    public void Broadcast(Span<byte> data, int root) => ArgumentOutOfRangeException.ThrowIfNotEqual(root, 0);

    public void Send(ReadOnlySpan<byte> data, int destination, int tag)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(destination, 0);
        if (!_messages.TryGetValue(tag, out var queue)) _messages[tag] = queue = new Queue<byte[]>();
        queue.Enqueue(data.ToArray());
    }

    public void Receive(Span<byte> data, int source, int tag)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(source, 0);
        if (!_messages.TryGetValue(tag, out var queue) || !queue.TryDequeue(out var message))
            throw new CommunicationException($"rank 0 is alone and waits for a message with tag {tag} that it has not sent to itself");
        if (message.Length != data.Length)
            throw new CommunicationException($"a message of {message.Length} bytes with tag {tag} came where {data.Length} were expected");
        message.CopyTo(data);
    }

    public bool Probe(int source, int tag)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(source, 0);
        return _messages.TryGetValue(tag, out var queue) && queue.Count > 0;
    }

    public ICommunicator Split(int color, int key)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(color);
        return new SoloCommunicator();
    }

    /// <summary>Throws <see cref="WorldAbortedException"/>, as every in-process world does.</summary>
    public void Abort(int exitCode) => throw new WorldAbortedException(exitCode);

    public void Dispose() { }
}
