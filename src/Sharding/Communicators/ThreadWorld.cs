using System.Runtime.ExceptionServices;
using Harness.Sharding.Waits;

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
    /// <param name="size">Ranks.</param>
    /// <param name="body">What each rank does.</param>
    /// <param name="threads">With which each rank computes; 0 where the backend takes its share of the cores.</param>
    public static void Run(int size, Action<ICommunicator> body, int threads = 1) =>
        Run(size, () => new CoreShortage { Outnumbered = size * Math.Max(1, threads) > Environment.ProcessorCount }, body);

    /// <param name="size">Ranks.</param>
    /// <param name="shortage">Made on each rank's thread.</param>
    /// <param name="body">What each rank does.</param>
    internal static void Run(int size, Func<CoreShortage> shortage, Action<ICommunicator> body)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 1);
        var world = new ThreadWorld(size);
        var all = new ThreadGroup(world, [.. Enumerable.Range(0, size)]);
        var threads = new Thread[size];
        for (var rank = 0; rank < size; rank++)
        {
            var number = rank;
            threads[rank] = new Thread(() =>
                world.RunRank(new ThreadCommunicator(all, number, shortage()), body))
            { Name = $"rank {rank}", IsBackground = true };
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
