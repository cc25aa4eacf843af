using Harness.Sharding.Waits;

namespace Harness.Sharding.Communicators;

/// <summary>What the ranks of one thread communicator share: a barrier, one slot per rank for collectives, one mailbox per rank.</summary>
internal sealed class ThreadGroup
{
    /// <summary>What a rank lays open for the others between two barriers.</summary>
    internal struct Slot
    {
        public string Operation;
        public nint Data;
        public int Length;
        public (int Color, int Key) Split;
        public ThreadGroup? Child;
    }

    private readonly ThreadWorld _world;
    private readonly int[] _worldRanks;
    private readonly Mailbox[] _mailboxes;
    private readonly object _gate = new();

    /// <summary>The barrier: phase in the upper half, ranks that have arrived in the lower, so that both change at once.</summary>
    private long _state;
    private int _open;

    /// <param name="world">The world whose failure ends every wait.</param>
    /// <param name="worldRanks">The members, as ranks of the world, in the order of their ranks here.</param>
    public ThreadGroup(ThreadWorld world, int[] worldRanks)
    {
        _world = world;
        _worldRanks = worldRanks;
        _open = worldRanks.Length;
        Slots = new Slot[worldRanks.Length];
        _mailboxes = [.. worldRanks.Select(_ => new Mailbox())];
        world.Add(this);
    }

    public int Size => _worldRanks.Length;
    public Slot[] Slots { get; }

    public ThreadGroup Child(IEnumerable<int> members) => new(_world, [.. members.Select(m => _worldRanks[m])]);

    /// <summary>Waits until every rank has come here. Throws when the world has failed or a rank has returned.</summary>
    /// <param name="shortage">The calling rank's.</param>
    public void Enter(CoreShortage shortage)
    {
        _world.ThrowIfFailed();
        if (Arrive(shortage, out var phase)) return;
        lock (_gate)
        {
            while (Phase(Volatile.Read(ref _state)) == phase)
            {
                if (CannotComplete() is { } reason && Withdraw(phase)) throw reason;
                Monitor.Wait(_gate);
            }
        }
    }

    /// <summary>
    /// Waits until every rank that went through <see cref="Enter"/> has come here. All of them will, and until then
    /// they may read and write this rank's memory: so nothing, not even a failed world, cuts this wait short.
    /// </summary>
    /// <param name="shortage">The calling rank's.</param>
    public void Leave(CoreShortage shortage)
    {
        if (Arrive(shortage, out var phase)) return;
        lock (_gate)
        {
            while (Phase(Volatile.Read(ref _state)) == phase) Monitor.Wait(_gate);
        }
    }

    private static long Phase(long state) => state >> 32;
    private static int Arrived(long state) => (int)state;

    /// <summary>True when the phase is complete: this rank came last, or the others came while it still span.</summary>
    private bool Arrive(CoreShortage shortage, out long phase)
    {
        var state = Interlocked.Increment(ref _state);
        phase = Phase(state);
        if (Arrived(state) == Size)
        {
            Interlocked.Add(ref _state, (1L << 32) - Size);
            Wake(_gate);
            return true;
        }
        for (var spin = Wait.SpinsBeforeBlocking(shortage); spin > 0; spin--)
        {
            if (Phase(Volatile.Read(ref _state)) != phase) return true;
            Thread.SpinWait(Wait.SpinIterations);
        }
        shortage.Look();
        return false;
    }

    /// <summary>Takes this rank's arrival back, so that nobody goes on without it; false when the last rank has just come.</summary>
    private bool Withdraw(long phase)
    {
        while (true)
        {
            var state = Volatile.Read(ref _state);
            if (Phase(state) != phase || Arrived(state) == Size) return false;
            if (Interlocked.CompareExchange(ref _state, state - 1, state) == state) return true;
        }
    }

    public void Post(int destination, Message message) => _mailboxes[destination].Post(message);

    /// <summary>Whether a message waits. Throws when the world has failed: who asks again and again would never hear of it.</summary>
    public bool HasMessage(int rank, int source, int tag)
    {
        _world.ThrowIfFailed();
        return _mailboxes[rank].Has(source, tag);
    }

    /// <summary>The oldest message of this source and tag; the caller returns its buffer to the array pool.</summary>
    public Message Take(int rank, int source, int tag)
    {
        var mailbox = _mailboxes[rank];
        lock (mailbox)
        {
            while (true)
            {
                _world.ThrowIfFailed();
                // Asked before looking: a rank leaves only after its last send.
                var left = HasLeft(source);
                if (mailbox.TryTake(source, tag, out var message)) return message;
                if (left != null) throw left;
                Monitor.Wait(mailbox);
            }
        }
    }

    /// <summary>Wakes every waiting rank, so that it sees a failure or a departure.</summary>
    public void Wake()
    {
        Wake(_gate);
        foreach (var mailbox in _mailboxes) Wake(mailbox);
    }

    /// <summary>Called once per rank; the last one takes the group out of the world.</summary>
    public void Close()
    {
        if (Interlocked.Decrement(ref _open) == 0) _world.Remove(this);
    }

    private static void Wake(object gate)
    {
        lock (gate) Monitor.PulseAll(gate);
    }

    private CommunicationException? CannotComplete()
    {
        if (_world.Failure is { } failure) return failure;
        for (var rank = 0; rank < Size; rank++)
            if (HasLeft(rank) is { } left) return left;
        return null;
    }

    private CommunicationException? HasLeft(int rank) => !_world.Left(_worldRanks[rank]) ? null
        : new CommunicationException($"rank {_worldRanks[rank]} has returned while another rank still waits for it");
}
