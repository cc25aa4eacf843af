using System.Diagnostics;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Harness.Tensors.Cpu;

/// <summary>
/// A fixed set of threads that run one region after another together with the caller. Between regions a worker spins
/// for a few microseconds, since the next region of a decode step follows at once, then parks.
/// </summary>
internal sealed unsafe class WorkerTeam : IDisposable
{
    private readonly Worker[] _workers;
    private readonly Thread[] _threads;
    private readonly long _spinTicks;
    private readonly SemaphoreSlim _finished = new(0);
    private int _callerParked;
    private volatile int _generation;
    private volatile int _running;
    private volatile bool _stopping;
    private volatile Exception? _failure;
    private delegate*<void*, int, void> _body;
    private void* _context;

    /// <param name="threads">Including the caller.</param>
    /// <param name="spinMicroseconds">0 where threads outnumber cores: there a spinning thread keeps a working one from its core.</param>
    public WorkerTeam(int threads, double spinMicroseconds)
    {
        Threads = threads;
        _spinTicks = (long)(spinMicroseconds * 1e-6 * Stopwatch.Frequency);
        _workers = new Worker[threads - 1];
        _threads = new Thread[threads - 1];
        for (var i = 0; i < _workers.Length; i++)
        {
            var number = i + 1;
            _workers[i] = new Worker();
            _threads[i] = new Thread(() => Serve(number)) { IsBackground = true, Name = $"cpu worker {number}" };
            _threads[i].Start();
        }
    }

    private sealed class Worker
    {
        public readonly SemaphoreSlim Wake = new(0);
        public int Parked;
    }

    public int Threads { get; }

    /// <summary>Calls <paramref name="body"/>(context, worker) once for each worker 0 … Threads - 1 and returns when all have ended.</summary>
    public void Run(delegate*<void*, int, void> body, void* context)
    {
        if (_workers.Length == 0)
        {
            body(context, 0);
            return;
        }
        _body = body;
        _context = context;
        _running = _workers.Length;
        _generation++;
        Interlocked.MemoryBarrier();
        foreach (var worker in _workers)
            if (Volatile.Read(ref worker.Parked) == 1 && Interlocked.Exchange(ref worker.Parked, 0) == 1) worker.Wake.Release();
        Call(body, context, 0);
        WaitForWorkers();
        if (_failure is not { } failure) return;
        _failure = null;
        ExceptionDispatchInfo.Throw(failure);
    }

    /// <summary>The same for work that is too seldom to mind an allocation.</summary>
    public void Run(Action<int> body)
    {
        var handle = GCHandle.Alloc(body);
        try
        {
            Run(&Invoke, (void*)GCHandle.ToIntPtr(handle));
        }
        finally
        {
            handle.Free();
        }
    }

    private static void Invoke(void* context, int worker) => ((Action<int>)GCHandle.FromIntPtr((nint)context).Target!)(worker);

    /// <summary>Worker's part of <paramref name="count"/> items, cut at multiples of <paramref name="granule"/>.</summary>
    public static (int First, int Last) Share(int count, int granule, int worker, int threads)
    {
        var (first, last) = Share((long)count, granule, worker, threads);
        return ((int)first, (int)last);
    }

    /// <inheritdoc cref="Share(int, int, int, int)"/>
    public static (long First, long Last) Share(long count, int granule, int worker, int threads)
    {
        var granules = (count + granule - 1) / granule;
        return (Math.Min(count, granules * worker / threads * granule), Math.Min(count, granules * (worker + 1) / threads * granule));
    }

    private void Serve(int number)
    {
        var worker = _workers[number - 1];
        var seen = 0;
        while (true)
        {
            WaitForWork(worker, seen);
            if (_stopping) return;
            seen = _generation;
            Call(_body, _context, number);
            if (Interlocked.Decrement(ref _running) == 0 && Interlocked.Exchange(ref _callerParked, 0) == 1) _finished.Release();
        }
    }

    private void Call(delegate*<void*, int, void> body, void* context, int number)
    {
        try
        {
            body(context, number);
        }
        catch (Exception e)
        {
            // Thrown again by the caller of Run.
            _failure = e;
        }
    }

    private void WaitForWork(Worker worker, int seen)
    {
        var started = Stopwatch.GetTimestamp();
        do
        {
            for (var i = 0; i < 16; i++)
            {
                if (_generation != seen) return;
                Pause();
            }
        } while (Stopwatch.GetTimestamp() - started < _spinTicks);
        // Run may still be waking workers when this one is done with its part and parks again: hence the loop.
        while (_generation == seen)
        {
            Interlocked.Exchange(ref worker.Parked, 1);
            if (_generation != seen && Interlocked.Exchange(ref worker.Parked, 0) == 1) return;
            worker.Wake.Wait();
        }
    }

    private void WaitForWorkers()
    {
        var started = Stopwatch.GetTimestamp();
        do
        {
            for (var i = 0; i < 16; i++)
            {
                if (_running == 0) return;
                Pause();
            }
        } while (Stopwatch.GetTimestamp() - started < _spinTicks);
        // A worker that ended the region before this one may still wake the caller: hence the loop.
        while (_running != 0)
        {
            Interlocked.Exchange(ref _callerParked, 1);
            if (_running == 0 && Interlocked.Exchange(ref _callerParked, 0) == 1) return;
            _finished.Wait();
        }
    }

    private static void Pause()
    {
        if (X86Base.IsSupported) X86Base.Pause();
        else Thread.SpinWait(1);
    }

    public void Dispose()
    {
        if (_stopping) return;
        _stopping = true;
        _generation++;
        Interlocked.MemoryBarrier();
        foreach (var worker in _workers)
            if (Interlocked.Exchange(ref worker.Parked, 0) == 1) worker.Wake.Release();
        foreach (var thread in _threads) thread.Join();
    }
}
