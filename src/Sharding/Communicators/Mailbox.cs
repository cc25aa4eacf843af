namespace Harness.Sharding.Communicators;

/// <param name="Buffer">Rented from the shared array pool; at least <paramref name="Length"/> bytes long.</param>
internal readonly record struct Message(int Source, int Tag, byte[] Buffer, int Length);

/// <summary>Messages that wait for one rank, in order of arrival for each source and tag. Its own object is its lock.</summary>
internal sealed class Mailbox
{
    private readonly Dictionary<(int Source, int Tag), Queue<Message>> _queues = [];

    public void Post(Message message)
    {
        lock (this)
        {
            var key = (message.Source, message.Tag);
            if (!_queues.TryGetValue(key, out var queue)) _queues[key] = queue = new Queue<Message>();
            queue.Enqueue(message);
            Monitor.PulseAll(this);
        }
    }

    public bool Has(int source, int tag)
    {
        lock (this) return _queues.TryGetValue((source, tag), out var queue) && queue.Count > 0;
    }

    /// <summary>Called with the lock held.</summary>
    public bool TryTake(int source, int tag, out Message message)
    {
        message = default;
        return _queues.TryGetValue((source, tag), out var queue) && queue.TryDequeue(out message);
    }
}
