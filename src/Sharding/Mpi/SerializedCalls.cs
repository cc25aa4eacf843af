using System.Runtime.InteropServices;
using Harness.Sharding.Waits;

namespace Harness.Sharding.Mpi;

/// <summary>
/// One call of MPI at a time, and the sends that are under way. They are completed by later calls on any communicator of
/// the process and, meanwhile, by a thread of this object: over TCP a message beyond the eager limit (64 kB) otherwise
/// stays with a sender that computes until it calls MPI again.
/// </summary>
/// <typeparam name="TSend">A request of MPI and the memory that it sends from.</typeparam>
internal abstract class SerializedCalls<TSend>
{
    /// <summary>Requests tested per call, so that a long queue costs no call much.</summary>
    private const int TestsPerCall = 16;

    private const int ShortestPauseMicroseconds = 50;
    private const int LongestPauseMicroseconds = 1000;

    private readonly Lock _calls = new();
    private readonly AutoResetEvent? _posted;
    private readonly List<TSend> _pending = [];
    private readonly CoreShortage _shortage;
    private int _next;
    private Exception? _failure;

    /// <param name="fromAnyThread">MPI allows calls from several threads, one at a time; else sends advance only with the rank's own
    /// calls.</param>
    /// <param name="shortage">How this rank waits.</param>
    protected SerializedCalls(bool fromAnyThread, CoreShortage shortage)
    {
        _shortage = shortage;
        if (!fromAnyThread) return;
        _posted = new AutoResetEvent(false);
        new Thread(AdvanceInBackground) { IsBackground = true, Name = "MPI sends" }.Start();
    }

    /// <summary>The right to call MPI, held until disposed of; pending sends are moved on first.</summary>
    public Lock.Scope Enter()
    {
        var scope = _calls.EnterScope();
        if (_failure != null) throw _failure;
        Advance();
        return scope;
    }

    /// <summary>Takes charge of a send that was just begun. Called within <see cref="Enter"/>.</summary>
    public void Track(TSend send)
    {
        _next = _pending.Count;   // test this one first: a short message has left already
        _pending.Add(send);
        Advance();
        if (_pending.Count > 0) _posted?.Set();
    }

    /// <summary>Waits until every message has left. Nothing can be sent afterwards.</summary>
    public void Drain()
    {
        using var scope = _calls.EnterScope();
        foreach (ref var send in CollectionsMarshal.AsSpan(_pending))
        {
            for (var wait = new Wait(_shortage); !HasLeft(ref send); wait.Pause()) { }
            Free(send);
        }
        _pending.Clear();
        FreeAll();
    }

    /// <summary>MPI_Test.</summary>
    protected abstract bool HasLeft(ref TSend send);

    /// <summary>Takes back the memory of a message that has left.</summary>
    protected virtual void Free(TSend send) { }

    /// <summary>After the last message.</summary>
    protected virtual void FreeAll() { }

    /// <summary>Sleeps while nothing is pending; else tests, ever more seldom, when the rank itself is outside MPI.</summary>
    private void AdvanceInBackground()
    {
        while (_posted!.WaitOne())
        {
            var pause = ShortestPauseMicroseconds;
            for (var pending = 1; pending > 0; pause = Math.Min(2 * pause, LongestPauseMicroseconds))
            {
                ProcessControl.Pause(pause);
                if (!_calls.TryEnter()) continue;
                try
                {
                    Advance();
                    pending = _pending.Count;
                }
                catch (Exception e)
                {
                    _failure = e;
                    return;
                }
                finally
                {
                    _calls.Exit();
                }
            }
        }
    }

    private void Advance()
    {
        for (var tests = Math.Min(_pending.Count, TestsPerCall); tests > 0; tests--)
        {
            if (_next >= _pending.Count) _next = 0;
            ref var send = ref CollectionsMarshal.AsSpan(_pending)[_next];
            if (!HasLeft(ref send))
            {
                _next++;
                continue;
            }
            Free(send);
            send = _pending[^1];
            _pending.RemoveAt(_pending.Count - 1);
        }
    }
}
