using System.Globalization;
using System.Runtime.InteropServices;
using Harness.Common;
using Harness.Energy;

namespace Harness.Fuzz;

/// <summary>
/// A thread that gives inputs to an entry, so that one that never ends can be told and left alone: a thread cannot be stopped.
/// </summary>
internal sealed partial class Worker
{
    private const int StackBytes = 16 << 20;

    private readonly Limits _limits;
    private readonly Func<byte[]?> _next;
    private readonly Action<byte[], Finding?, string?> _done;
    private readonly Action<byte[]> _parse;
    private readonly Thread _thread;
    private volatile int _id;
    private volatile byte[]? _input;
    private volatile bool _isLeftAlone;
    private (byte[]? Input, double Seconds, DateTime Since) _seen;

    /// <param name="next">The next input; null: no more.</param>
    /// <param name="done">Takes an input with what is wrong, and the objection to it; null for none.</param>
    public Worker(Action<byte[]> parse, Limits limits, Func<byte[]?> next, Action<byte[], Finding?, string?> done)
    {
        (_parse, _limits, _next, _done) = (parse, limits, next, done);
        _thread = new Thread(Work, StackBytes) { IsBackground = true, Name = "fuzz" };
        _thread.Start();
    }

    /// <summary>Waits for the last input.</summary>
    /// <returns>Null when all are done; else the one that does not end, and no further one is begun.</returns>
    public Finding? Join()
    {
        while (!_thread.Join(TimeSpan.FromSeconds(0.5)))
            if (Stuck() is { } finding)
            {
                _isLeftAlone = true;
                return finding;
            }
        return null;
    }

    private Finding? Stuck()
    {
        var (input, now) = (_input, ProcessorSeconds(_id));
        if (input == null || now is not { } seconds) return null;
        if (!ReferenceEquals(input, _seen.Input)) _seen = (input, seconds, DateTime.UtcNow);
        var waited = (DateTime.UtcNow - _seen.Since).TotalSeconds;
        return seconds - _seen.Seconds > _limits.EndlessSeconds ? Finding.Endless(seconds - _seen.Seconds, input)
            : waited > _limits.WaitSeconds && seconds - _seen.Seconds < _limits.Seconds ? Finding.Waits(waited, input)
            : null;
    }

    private void Work()
    {
        _id = ThreadId();
        while (_next() is { } input)
        {
            _input = input;
            var (began, held) = (OwnSeconds(), GC.GetAllocatedBytesForCurrentThread());
            var (finding, objection) = Try(input);
            var (seconds, bytes) = (OwnSeconds() - began, GC.GetAllocatedBytesForCurrentThread() - held);
            _input = null;
            if (_isLeftAlone) return;
            if (finding == null && seconds > _limits.Seconds) finding = Finding.Slow(seconds, input);
            if (finding == null && bytes > _limits.BytesFor(input)) finding = Finding.Greedy(bytes, input);
            _done(input, finding, objection);
        }
    }

    private (Finding?, string?) Try(byte[] input)
    {
        try
        {
            _parse(input);
            return default;
        }
        catch (UserErrorException e)
        {
            return (null, e.Message);
        }
        catch (Exception e)
        {
            return (Finding.Of(e, input), null);
        }
    }

    /// <summary>Of a thread of this process, in seconds; null where it has ended.</summary>
    private static double? ProcessorSeconds(int id)
    {
        try
        {
            var file = string.Create(CultureInfo.InvariantCulture, $"/proc/self/task/{id}/schedstat");
            return double.Parse(File.ReadAllText(file).Split(' ')[0], CultureInfo.InvariantCulture) * 1e-9;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException)
        {
            return null;
        }
    }

    private static double OwnSeconds() => SystemClocks.ThreadCpuSeconds ?? 0;

    [LibraryImport("libc", EntryPoint = "gettid")]
    private static partial int ThreadId();
}
