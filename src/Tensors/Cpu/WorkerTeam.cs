using System.Diagnostics;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Harness.Tensors.Cpu;

/// <summary>
/// A fixed set of threads that run one region after another together with the caller. Between regions a worker spins
/// for a few microseconds, since the next region of a decode step follows at once, then parks. A region has as many parts as
/// there are threads, and each thread has one that is its own, whose data its caches hold; but what a worker has not begun when
/// the caller is done, the caller does: nobody waits for a worker that gets no core.
/// </summary>
internal sealed unsafe class WorkerTeam : IDisposable
{
    private readonly Worker[] _workers;
    private readonly Thread[] _threads;
    private readonly long _spinTicks;
    private readonly SemaphoreSlim _finished = new(0);
    private int _callerParked;
    private volatile int _unfinished;
    private volatile bool _stopping;
    private volatile Exception? _failure;
    private delegate*<void*, int, void> _body;
    private void* _context;

    /// <param name="threads">Including the caller.</param>
    /// <param name="spinMicroseconds">0 where threads outnumber cores: there a spinning thread keeps a working one from its core.</param>
    public WorkerTeam(int threads, double spinMicroseconds) : this(threads, spinMicroseconds, thread => thread.Start())
    {
    }

    /// <param name="threads">Including the caller.</param>
    /// <param name="spinMicroseconds">See above.</param>
    /// <param name="start">Starts the thread of a worker, now or later.</param>
    internal WorkerTeam(int threads, double spinMicroseconds, Action<Thread> start)
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
        }
        foreach (var thread in _threads) start(thread);
    }

    private sealed class Worker
    {
        public readonly SemaphoreSlim Wake = new(0);
        public int Parked;

        /// <summary>1 while the worker's part of the region that runs waits for a thread.</summary>
        public int Open;

        /// <summary>The part goes to the first thread that takes it, and the region cannot end before that one is done.</summary>
        public bool TryTake() => Volatile.Read(ref Open) == 1 && Interlocked.Exchange(ref Open, 0) == 1;
    }

    public int Threads { get; }

    /// <summary>
    /// Calls <paramref name="body"/>(context, part) once for each part 0 … Threads - 1 and returns when all have ended. Memory that
    /// belongs to a part is used by no other part, whoever calls it.
    /// </summary>
    public void Run(delegate*<void*, int, void> body, void* context)
    {
        if (_workers.Length == 0)
        {
            body(context, 0);
            return;
        }
        _body = body;
        _context = context;
        _unfinished = _workers.Length;
        foreach (var worker in _workers) Volatile.Write(ref worker.Open, 1);
        Interlocked.MemoryBarrier();
        foreach (var worker in _workers)
            if (Volatile.Read(ref worker.Parked) == 1 && Interlocked.Exchange(ref worker.Parked, 0) == 1) worker.Wake.Release();
        Call(body, context, 0);
        for (var part = 1; part <= _workers.Length; part++) TakePart(part);
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

    private static void Invoke(void* context, int part) => ((Action<int>)GCHandle.FromIntPtr((nint)context).Target!)(part);

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
        while (true)
        {
            WaitForWork(_workers[number - 1]);
            if (_stopping) return;
            TakePart(number);
        }
    }

    /// <summary>Calls a part unless another thread has begun it.</summary>
    private void TakePart(int part)
    {
        if (!_workers[part - 1].TryTake()) return;
        Call(_body, _context, part);
        if (Interlocked.Decrement(ref _unfinished) == 0 && Interlocked.Exchange(ref _callerParked, 0) == 1) _finished.Release();
    }

    private void Call(delegate*<void*, int, void> body, void* context, int part)
    {
        try
        {
            body(context, part);
        }
        catch (Exception e)
        {
            // Thrown again by the caller of Run.
            _failure = e;
        }
    }

    private void WaitForWork(Worker worker)
    {
        var started = Stopwatch.GetTimestamp();
        do
        {
            for (var i = 0; i < 16; i++)
            {
                if (Volatile.Read(ref worker.Open) == 1 || _stopping) return;
                Pause();
            }
        } while (Stopwatch.GetTimestamp() - started < _spinTicks);
        // Woken for a part that another thread has taken since, a worker spins again: the next region is near.
        Interlocked.Exchange(ref worker.Parked, 1);
        if ((Volatile.Read(ref worker.Open) == 1 || _stopping) && Interlocked.Exchange(ref worker.Parked, 0) == 1) return;
        worker.Wake.Wait();
    }

    private void WaitForWorkers()
    {
        var started = Stopwatch.GetTimestamp();
        do
        {
            for (var i = 0; i < 16; i++)
            {
                if (_unfinished == 0) return;
                Pause();
            }
        } while (Stopwatch.GetTimestamp() - started < _spinTicks);
        // A worker that ended the region before this one may still wake the caller: hence the loop.
        while (_unfinished != 0)
        {
            Interlocked.Exchange(ref _callerParked, 1);
            if (_unfinished == 0 && Interlocked.Exchange(ref _callerParked, 0) == 1) return;
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
        Interlocked.MemoryBarrier();
        foreach (var worker in _workers)
            if (Interlocked.Exchange(ref worker.Parked, 0) == 1) worker.Wake.Release();
        foreach (var thread in _threads) thread.Join();
    }
}
