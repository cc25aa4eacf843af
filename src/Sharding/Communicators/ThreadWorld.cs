using System.Runtime.ExceptionServices;

namespace Harness.Sharding.Communicators;

/// <summary>
/// Ranks as threads of one process. The first exception on any rank fails the world: every rank that waits for
/// another is woken with a <see cref="CommunicationException"/>, and so is one that waits for a rank that has returned.
/// </summary>
public sealed class ThreadWorld
{
    private readonly Lock _lock = new();
    private readonly List<ThreadGroup> _groups = [];
    private readonly bool[] _left;
    private volatile Exception? _failure;
    private int _failedRank;

    private ThreadWorld(int size) => _left = new bool[size];

    /// <summary>
    /// Runs <paramref name="body"/> on <paramref name="size"/> threads, each with its communicator, and returns when
    /// all have returned. Throws the exception of the rank that failed first, with its stack trace.
    /// </summary>
    public static void Run(int size, Action<ICommunicator> body)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 1);
        var world = new ThreadWorld(size);
        var all = new ThreadGroup(world, [.. Enumerable.Range(0, size)]);
        var threads = new Thread[size];
        for (var rank = 0; rank < size; rank++)
        {
            var communicator = new ThreadCommunicator(all, rank);
            threads[rank] = new Thread(() => world.RunRank(communicator, body)) { Name = $"rank {rank}", IsBackground = true };
        }
        foreach (var thread in threads) thread.Start();
        foreach (var thread in threads) thread.Join();
        if (world._failure is { } failure) ExceptionDispatchInfo.Throw(failure);
    }

    private void RunRank(ThreadCommunicator communicator, Action<ICommunicator> body)
    {
        try
        {
            body(communicator);
            Volatile.Write(ref _left[communicator.Rank], true);
            Wake();
        }
        catch (Exception e)
        {
            Fail(communicator.Rank, e);
        }
    }

    private void Fail(int rank, Exception failure)
    {
        lock (_lock)
        {
            if (_failure != null) return;
            _failedRank = rank;
            _failure = failure;
        }
        Wake();
    }

    private void Wake()
    {
        ThreadGroup[] groups;
        lock (_lock) groups = [.. _groups];
        foreach (var group in groups) group.Wake();
    }

    internal void Add(ThreadGroup group)
    {
        lock (_lock) _groups.Add(group);
    }

    internal void Remove(ThreadGroup group)
    {
        lock (_lock) _groups.Remove(group);
    }

    internal bool Left(int rank) => Volatile.Read(ref _left[rank]);

    /// <summary>What a rank throws that can go no further because another has failed.</summary>
    internal CommunicationException? Failure => _failure is not { } failure ? null
        : new CommunicationException($"rank {_failedRank} failed: {failure.Message}", failure);

    internal void ThrowIfFailed()
    {
        if (Failure is { } failure) throw failure;
    }
}
