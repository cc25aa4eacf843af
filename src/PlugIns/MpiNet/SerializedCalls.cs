using MPI;

namespace Harness.PlugIns.MpiNet;

/// <summary>
/// One call of MPI at a time, and the sends that are under way: each is a request of MPI.NET, which pins the array that
/// it sends. They are completed by later calls on any communicator of the process and, meanwhile, by a thread of this
/// object: a long message otherwise stays with a sender that computes until it calls MPI again.
/// </summary>
internal sealed class SerializedCalls
{
    /// <summary>Requests tested per call, so that a long queue costs no call much.</summary>
    private const int TestsPerCall = 16;

    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(1);

    private readonly Lock _calls = new();
    private readonly AutoResetEvent? _posted;
    private readonly List<Request> _pending = [];
    private int _next;
    private Exception? _failure;

    /// <param name="fromAnyThread">MPI allows calls from several threads, one at a time; else sends advance only with the rank's own calls.</param>
    public SerializedCalls(bool fromAnyThread)
    {
        if (!fromAnyThread) return;
        _posted = new AutoResetEvent(false);
        new Thread(AdvanceInBackground) { IsBackground = true, Name = "MPI.NET sends" }.Start();
    }

    /// <summary>The right to call MPI, held until disposed of; pending sends are moved on first.</summary>
    public Lock.Scope Enter()
    {
        var scope = _calls.EnterScope();
        if (_failure != null) throw _failure;
        Advance();
        return scope;
    }

    /// <summary>Called within <see cref="Enter"/>.</summary>
    public void Track(Request request)
    {
        if (request.Test() != null) return;   // a short message has left already
        _pending.Add(request);
        _posted?.Set();
    }

    /// <summary>Waits until every message has left.</summary>
    public void Drain()
    {
        using var scope = _calls.EnterScope();
        foreach (var request in _pending) request.Wait();
        _pending.Clear();
    }

    private void AdvanceInBackground()
    {
        while (_posted!.WaitOne())
        {
            for (var pending = 1; pending > 0;)
            {
                Thread.Sleep(s_pause);
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
            if (_pending[_next].Test() == null)
            {
                _next++;
                continue;
            }
            _pending[_next] = _pending[^1];
            _pending.RemoveAt(_pending.Count - 1);
        }
    }
}
