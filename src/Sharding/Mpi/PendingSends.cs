using System.Numerics;
using System.Runtime.InteropServices;

namespace Harness.Sharding.Mpi;

/// <summary>
/// Messages on their way: each is an MPI_Isend from a copy of its own, completed by later calls on any communicator of
/// the process and, meanwhile, by a thread of this object: over TCP a message beyond the eager limit (64 kB) otherwise
/// stays with a sender that computes until it calls MPI again. Memory held is that of the messages not yet received,
/// plus up to <see cref="SpareBytes"/> for reuse.
/// </summary>
internal sealed unsafe class PendingSends
{
    private const long SpareBytes = 64 << 20;

    /// <summary>Requests tested per call, so that a long queue costs no call much.</summary>
    private const int TestsPerCall = 16;

    private const int ShortestPauseMicroseconds = 50;
    private const int LongestPauseMicroseconds = 1000;

    private record struct Pending(nint Request, nint Buffer, int SizeClass);

    private readonly MpiLibrary _mpi;
    private readonly Lock _calls = new();
    private readonly AutoResetEvent? _posted;
    private readonly List<Pending> _pending = [];
    private readonly Stack<nint>[] _spare = [.. Enumerable.Range(0, 32).Select(_ => new Stack<nint>())];
    private long _spareBytes;
    private int _next;
    private Exception? _failure;

    /// <param name="mpi">The library.</param>
    /// <param name="fromAnyThread">MPI allows calls from several threads, one at a time; else sends advance only with the rank's own calls.</param>
    public PendingSends(MpiLibrary mpi, bool fromAnyThread)
    {
        _mpi = mpi;
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

    /// <summary>Called within <see cref="Enter"/>.</summary>
    public void Post(ReadOnlySpan<byte> data, int destination, int tag, nint communicator)
    {
        var sizeClass = BitOperations.Log2((uint)Math.Max(data.Length - 1, 1)) + 1;
        var buffer = Rent(sizeClass);
        data.CopyTo(new Span<byte>((void*)buffer, data.Length));
        nint request = 0;
        _mpi.Check(_mpi.SendLater((void*)buffer, data.Length, _mpi.Abi.Byte, destination, tag, communicator, &request), "MPI_Isend");
        _next = _pending.Count;   // test this one first: a short message has left already
        _pending.Add(new Pending(request, buffer, sizeClass));
        Advance();
        if (_pending.Count > 0) _posted?.Set();
    }

    /// <summary>Waits until every message has left, and frees all buffers. Nothing can be sent afterwards.</summary>
    public void Drain()
    {
        using var scope = _calls.EnterScope();
        var status = stackalloc byte[MpiAbi.StatusBytes];
        while (_pending.Count > 0)
        {
            var request = _pending[^1].Request;
            _mpi.Check(_mpi.Wait(&request, status), "MPI_Wait for a send");
            Remove(_pending.Count - 1);
        }
        foreach (var stack in _spare)
            while (stack.TryPop(out var buffer)) NativeMemory.Free((void*)buffer);
        _spareBytes = 0;
    }

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

    /// <summary>Tests some of the pending sends and takes back the buffers of those that are done.</summary>
    private void Advance()
    {
        if (_pending.Count == 0) return;
        var status = stackalloc byte[MpiAbi.StatusBytes];
        for (var tests = Math.Min(_pending.Count, TestsPerCall); tests > 0; tests--)
        {
            if (_next >= _pending.Count) _next = 0;
            var (request, buffer, sizeClass) = _pending[_next];
            var done = 0;
            _mpi.Check(_mpi.Test(&request, &done, status), "MPI_Test of a send");
            if (done != 0) Remove(_next);
            else _pending[_next++] = new Pending(request, buffer, sizeClass);
        }
    }

    private void Remove(int index)
    {
        var (_, buffer, sizeClass) = _pending[index];
        _pending[index] = _pending[^1];
        _pending.RemoveAt(_pending.Count - 1);
        if (_spareBytes + (1L << sizeClass) > SpareBytes)
        {
            NativeMemory.Free((void*)buffer);
            return;
        }
        _spareBytes += 1L << sizeClass;
        _spare[sizeClass].Push(buffer);
    }

    private nint Rent(int sizeClass)
    {
        if (!_spare[sizeClass].TryPop(out var buffer)) return (nint)NativeMemory.Alloc((nuint)(1L << sizeClass));
        _spareBytes -= 1L << sizeClass;
        return buffer;
    }
}
