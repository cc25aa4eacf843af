namespace Harness.Sharding;

/// <summary>
/// Messages between ranks, in host memory. Every rank of a communicator makes the same collective calls in the same
/// order. Called from one thread at a time. A communication error throws; nothing returns partial data.
/// </summary>
public interface ICommunicator : IDisposable
{
    /// <summary>The word after <c>--communicator</c>: solo, threads, mpi, mpinet.</summary>
    string Name { get; }
    int Rank { get; }
    int Size { get; }

    /// <summary>Whether a peer can die without a word to this rank: ranks are processes.</summary>
    bool CanLosePeers => true;

    /// <summary>Whether its ranks have waited by sleeping at any time, since one of them had no core of its own.</summary>
    bool HasLackedCores => false;

    void Barrier();

    /// <summary>Element-wise sum over all ranks, in place; every rank gets the same bits.</summary>
    void AllReduceSum(Span<float> data);

    /// <summary>
    /// Equal contributions of all ranks, in rank order; <paramref name="all"/> is Size times as long as <paramref name="mine"/>.
    /// </summary>
    void AllGather(ReadOnlySpan<byte> mine, Span<byte> all);

    /// <summary>Contributions of any length; the root gets one array per rank, the others null.</summary>
    byte[][]? Gather(ReadOnlySpan<byte> mine, int root);

    void Broadcast(Span<byte> data, int root);

    /// <summary>Buffered: returns without waiting for the receiver. Messages of one pair and tag arrive in order.</summary>
    void Send(ReadOnlySpan<byte> data, int destination, int tag);

    /// <summary>Waits for a message of exactly this length.</summary>
    void Receive(Span<byte> data, int source, int tag);

    /// <summary>Whether a message waits, so that <see cref="Receive"/> returns without waiting for its sender.</summary>
    bool Probe(int source, int tag);

    /// <summary>Ranks of equal colour form a new communicator, ordered by key, then by rank.</summary>
    ICommunicator Split(int color, int key);

    /// <summary>Ends every rank of the world with this exit code; where ranks are processes it does not return.</summary>
    void Abort(int exitCode);
}
