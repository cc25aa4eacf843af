using System.Runtime.InteropServices;
using System.Text;
using Harness.Common;

namespace Harness.Reporting;

/// <summary>
/// Standard output and error of this process. What is said to people (<see cref="Console.Out"/>, <see cref="Console.Error"/> from
/// <see cref="Begin"/> on) never fails: lines that a full, closed or hung-up stream does not take are dropped. What somebody asked for
/// (<see cref="Product"/>: a table, a plan) fails with one line where it cannot be written as a whole. On both, text from outside has no
/// effect; into a file or a pipe a product goes as it is.
/// </summary>
internal static partial class StandardStreams
{
    private static readonly UTF8Encoding s_encoding = new(encoderShouldEmitUTF8Identifier: false);

    private static TextWriter? s_product, s_output, s_error, s_rawOutput, s_rawError;

    /// <summary>Standard output for what a verb was asked for.</summary>
    public static TextWriter Product => s_product ?? Console.Out;

    /// <summary>To be called once, before anything is written.</summary>
    public static void Begin()
    {
        var (output, error) = (Open(1, Console.OpenStandardOutput), Open(2, Console.OpenStandardError));
        (s_rawOutput, s_rawError) = (Text(new PatientStream(output)), Text(new PatientStream(error)));
        Console.SetOut(new VisibleWriter(s_rawOutput));
        Console.SetError(new VisibleWriter(s_rawError));
        (s_output, s_error) = (Console.Out, Console.Error);
        var product = Text(new ProductStream(output));
        s_product = Console.IsOutputRedirected ? product : TextWriter.Synchronized(new VisibleWriter(product));
    }

    /// <summary>Where what is written to a writer goes to a terminal, a writer to it that takes escape codes; null elsewhere.</summary>
    public static TextWriter? TerminalBehind(TextWriter writer)
    {
        if (s_output != null && (ReferenceEquals(writer, s_output) || ReferenceEquals(writer, s_product)))
            return Console.IsOutputRedirected ? null : s_rawOutput;
        return s_error != null && ReferenceEquals(writer, s_error) && !Console.IsErrorRedirected ? s_rawError : null;
    }

    private static TextWriter Text(Stream stream) => TextWriter.Synchronized(new StreamWriter(stream, s_encoding) { AutoFlush = true });

    /// <returns>Null for a stream that was closed when the process began.</returns>
    private static Stream? Open(int descriptor, Func<Stream> open)
    {
        if (WasClosed(descriptor)) return null;
        try { return open(); }
        catch (IOException) { return null; }
    }

    /// <summary>
    /// Whether a descriptor was closed when the process began. Its number is free then, and is taken by the null device, so that no
    /// result file gets it and the words of native libraries; or the runtime has opened something under it, which is closed on execution
    /// as no inherited stream is.
    /// </summary>
    private static bool WasClosed(int descriptor)
    {
        const int getFlags = 1 /* F_GETFD */, closeOnExecution = 1 /* FD_CLOEXEC */, write = 1 /* O_WRONLY */;
        if (OperatingSystem.IsWindows()) return false;
        var flags = Control(descriptor, getFlags);
        if (flags >= 0) return (flags & closeOnExecution) != 0;
        var device = OpenFile("/dev/null", write);
        if (device >= 0 && device != descriptor)
        {
            _ = Duplicate(device, descriptor);
            _ = Close(device);
        }
        return true;
    }

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int Control(int descriptor, int command);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenFile(string path, int flags);

    [LibraryImport("libc", EntryPoint = "dup2", SetLastError = true)]
    private static partial int Duplicate(int descriptor, int other);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int descriptor);
}

/// <summary>A stream that may only be written to.</summary>
internal abstract class OutputStream : Stream
{
    public override bool CanRead => false;
    public override bool CanSeek => false;
    public override bool CanWrite => true;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));
    public abstract override void Write(ReadOnlySpan<byte> buffer);
}

/// <summary>Drops what cannot be written.</summary>
/// <param name="inner">Null for a stream that is closed.</param>
internal sealed class PatientStream(Stream? inner) : OutputStream
{
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        try { inner?.Write(buffer); }
        catch (IOException) { }
    }

    public override void Flush()
    {
        try { inner?.Flush(); }
        catch (IOException) { }
    }
}

/// <summary>
/// Says in one line that what was asked for could not be written. A reader that has had enough (<c>| head</c>) is no failure: the
/// runtime's own stream ends there without a word.
/// </summary>
/// <param name="inner">Null for a stream that is closed.</param>
internal sealed class ProductStream(Stream? inner) : OutputStream
{
    /// <exception cref="UserErrorException">Standard output is closed, full, or gone.</exception>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        if (inner == null)
            throw new UserErrorException("standard output is closed, so that what was asked for has nowhere to go; "
                + "leave it open, or name a file where the verb has --out");
        try { inner.Write(buffer); }
        catch (IOException e) { throw Failed(e); }
    }

    public override void Flush()
    {
        try { inner?.Flush(); }
        catch (IOException e) { throw Failed(e); }
    }

    private static UserErrorException Failed(IOException e) =>
        new($"cannot write to standard output: {e.Message.TrimEnd('.')}; what is there is not whole", e);
}
