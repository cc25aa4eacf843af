using Harness.Sharding;

namespace Harness.Tests.Running;

/// <summary>Counts what one rank asks of its communicator.</summary>
internal sealed class CountedCommunicator(ICommunicator world) : ICommunicator
{
    /// <summary>Calls that every rank makes together.</summary>
    public int Collectives { get; private set; }

    /// <summary>Messages from this rank to one other.</summary>
    public int Messages { get; private set; }

    /// <summary>That this rank is given by collective calls.</summary>
    public long CollectedBytes { get; private set; }

    public string Name => world.Name;
    public int Rank => world.Rank;
    public int Size => world.Size;
    public bool CanLosePeers => world.CanLosePeers;

    public void Barrier()
    {
        Collectives++;
        world.Barrier();
    }

    public void AllReduceSum(Span<float> data)
    {
        Collectives++;
        CollectedBytes += data.Length * sizeof(float);
        world.AllReduceSum(data);
    }

    public void AllGather(ReadOnlySpan<byte> mine, Span<byte> all)
    {
        Collectives++;
        CollectedBytes += all.Length;
        world.AllGather(mine, all);
    }

    public byte[][]? Gather(ReadOnlySpan<byte> mine, int root)
    {
        Collectives++;
        var all = world.Gather(mine, root);
        CollectedBytes += all?.Sum(one => one.Length) ?? 0;
        return all;
    }

    public void Broadcast(Span<byte> data, int root)
    {
        Collectives++;
        CollectedBytes += data.Length;
        world.Broadcast(data, root);
    }

    public void Send(ReadOnlySpan<byte> data, int destination, int tag)
    {
        Messages++;
        world.Send(data, destination, tag);
    }

    public void Receive(Span<byte> data, int source, int tag) => world.Receive(data, source, tag);

    public bool Probe(int source, int tag) => world.Probe(source, tag);

    public ICommunicator Split(int color, int key)
    {
        Collectives++;
        return world.Split(color, key);
    }

    public void Abort(int exitCode) => world.Abort(exitCode);

    /// <summary>The world's own; whoever made it disposes of it.</summary>
    public void Dispose()
    {
    }
}
