using System.Buffers.Text;
using Microsoft.Win32.SafeHandles;

namespace Harness.Energy.Meters;

/// <summary>Names the file that a meter cannot read, and the remedy.</summary>
internal sealed class UnreadableFileException(string message, Exception cause) : Exception(message, cause);

/// <summary>
/// A file of sysfs, or of a tree like it, that begins with a whole number. It stays open, and is read anew from its beginning without
/// allocating: the kernel makes its text at each read.
/// </summary>
internal sealed class NumberFile : INumber
{
    private readonly SafeFileHandle _file;

    private NumberFile(SafeFileHandle file) => _file = file;

    /// <exception cref="UnreadableFileException">It is missing, not open to this user, or holds no number.</exception>
    public static NumberFile Open(string path) => Guard(path, there =>
    {
        var file = new NumberFile(File.OpenHandle(there, share: FileShare.ReadWrite | FileShare.Delete));
        if (file.Read() != null) return file;
        file.Dispose();
        throw new FormatException("it holds no number");
    });

    public long? Read()
    {
        Span<byte> text = stackalloc byte[32];
        try
        {
            var length = RandomAccess.Read(_file, text, 0);
            return Utf8Parser.TryParse(text[..length], out long value, out _) ? value : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            return null;
        }
    }

    /// <summary>Whatever <paramref name="read"/> makes of a file, with its name and the remedy where it makes nothing of it.</summary>
    /// <exception cref="UnreadableFileException">Likewise.</exception>
    public static T Guard<T>(string path, Func<string, T> read)
    {
        try
        {
            return read(path);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new UnreadableFileException(
                $"{path} is open to root only; let an administrator run 'chmod o+r' on it, or run as root", e);
        }
        catch (Exception e) when (e is IOException or FormatException or OverflowException)
        {
            throw new UnreadableFileException($"{path} cannot be read ({e.Message})", e);
        }
    }

    public void Dispose() => _file.Dispose();
}
