using System.Buffers.Text;

namespace Harness.Sharding.Waits;

/// <summary>How long a thread was ready to run and had no core, from the scheduler's own account (/proc/thread-self/schedstat).</summary>
internal sealed class RunDelay
{
    private FileStream? _file;
    private int _thread;

    /// <summary>Nanoseconds since the calling thread began; null where the system does not tell.</summary>
    public long? Read()
    {
        try
        {
            if (_file == null || _thread != Environment.CurrentManagedThreadId) Open();
            Span<byte> text = stackalloc byte[128];
            return Second(text[..RandomAccess.Read(_file!.SafeFileHandle, text, 0)]);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>The second of three numbers: time on a core, time waiting for one, turns.</summary>
    internal static long? Second(ReadOnlySpan<byte> text)
    {
        var space = text.IndexOf((byte)' ');
        return space >= 0 && Utf8Parser.TryParse(text[(space + 1)..], out long waited, out _) ? waited : null;
    }

    /// <summary>The file stays that of the thread that opened it.</summary>
    private void Open()
    {
        _file?.Dispose();
        _file = new FileStream("/proc/thread-self/schedstat", FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
        _thread = Environment.CurrentManagedThreadId;
    }
}
