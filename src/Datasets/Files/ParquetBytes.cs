namespace Harness.Datasets.Files;

/// <summary>
/// A Parquet file as Parquet.Net reads it, to the end of what was checked and no further: at the end of a stream it would take 255 for
/// every further byte.
/// </summary>
internal sealed class ParquetBytes(ParquetFile file) : Stream
{
    /// <summary>Reading on from here fails.</summary>
    public long End { get; set; } = file.Bytes;

    public override bool CanRead => true;
    public override bool CanSeek => true;
    public override bool CanWrite => false;
    public override long Length => file.Bytes;
    public override long Position { get; set; }

    public override int Read(Span<byte> buffer)
    {
        if (buffer.IsEmpty) return 0;
        var read = Position < End ? file.Read(buffer[..(int)Math.Min(buffer.Length, End - Position)], Position) : 0;
        if (read == 0) throw new EndOfStreamException("it is cut off");
        Position += read;
        return read;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        ValueTask.FromResult(Read(buffer.Span));

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        Task.FromResult(Read(buffer, offset, count));

    public override long Seek(long offset, SeekOrigin origin) => Position = offset + origin switch
    {
        SeekOrigin.Begin => 0,
        SeekOrigin.Current => Position,
        _ => file.Bytes,
    };

    public override void Flush()
    {
    }

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
