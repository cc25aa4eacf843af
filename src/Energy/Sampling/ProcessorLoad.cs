using System.Buffers.Text;
using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace Harness.Energy.Sampling;

/// <summary>
/// Processor time of the machine and of this run's processes on it, from <c>/proc/stat</c> and <c>/proc/PID/stat</c> (proc(5)), both in
/// ticks of USER_HZ, a hundredth of a second. Reads without allocating.
/// </summary>
public sealed class ProcessorLoad : IDisposable
{
    public const string DefaultRoot = "/proc";

    /// <summary>USER_HZ is 100 on every architecture that .NET runs on (Linux, include/asm-generic/param.h).</summary>
    public const double TickSeconds = 1 / TicksPerSecond;

    private const double TicksPerSecond = 100;

    private readonly SafeFileHandle _machine;
    private readonly SafeFileHandle[] _processes;
    private readonly long[] _processTicks;

    private ProcessorLoad(SafeFileHandle machine, SafeFileHandle[] processes)
    {
        (_machine, _processes, _processTicks) = (machine, processes, new long[processes.Length]);
    }

    /// <param name="processes">Ids of this run's on this machine; one that is not there is not counted as the run's.</param>
    /// <returns>Null where the system does not tell.</returns>
    public static ProcessorLoad? Open(IEnumerable<int> processes, string root = DefaultRoot) =>
        Handle(Path.Combine(root, "stat")) is not { } machine ? null
            : new(machine, [.. processes.Distinct().Select(id =>
                Handle(Path.Combine(root, id.ToString(CultureInfo.InvariantCulture), "stat"))).OfType<SafeFileHandle>()]);

    /// <summary>Null where it can no longer be read.</summary>
    public ProcessorTime? Read()
    {
        Span<byte> text = stackalloc byte[1024];
        var line = Read(_machine, text);
        if (!line.StartsWith("cpu "u8)) return null;
        // user, nice, system, idle, iowait, irq, softirq, steal; guest time is within user and nice
        Span<long> times = stackalloc long[8];
        if (Numbers(line["cpu "u8.Length..], times) < 4) return null;
        var (all, busy, run) = (0L, times[0] + times[1] + times[2], 0L);
        foreach (var time in times) all += time;
        for (var i = 0; i < _processes.Length; i++)
        {
            if (OfProcess(Read(_processes[i], text)) is { } ticks) _processTicks[i] = ticks;   // one that has ended keeps what it used
            run += _processTicks[i];
        }
        return new(all / TicksPerSecond, busy / TicksPerSecond, run / TicksPerSecond);
    }

    /// <summary>
    /// utime and stime, fields 14 and 15. The name in field 2 may hold anything; behind its last bracket come field 3, a letter, and
    /// numbers.
    /// </summary>
    private static long? OfProcess(ReadOnlySpan<byte> stat)
    {
        var name = stat.LastIndexOf((byte)')');
        Span<long> fields = stackalloc long[12];
        return name >= 0 && stat.Length > name + 4 && Numbers(stat[(name + 4)..], fields) == fields.Length ? fields[10] + fields[11] : null;
    }

    private static int Numbers(ReadOnlySpan<byte> text, Span<long> numbers)
    {
        numbers.Clear();
        for (var i = 0; i < numbers.Length; i++)
        {
            text = text.TrimStart((byte)' ');
            if (!Utf8Parser.TryParse(text, out long value, out var length)) return i;
            numbers[i] = value;
            text = text[length..];
        }
        return numbers.Length;
    }

    private static ReadOnlySpan<byte> Read(SafeFileHandle file, Span<byte> text)
    {
        try
        {
            return text[..RandomAccess.Read(file, text, 0)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            return [];
        }
    }

    private static SafeFileHandle? Handle(string path)
    {
        try
        {
            return File.OpenHandle(path, share: FileShare.ReadWrite | FileShare.Delete);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    public void Dispose()
    {
        _machine.Dispose();
        foreach (var process in _processes) process.Dispose();
    }
}
