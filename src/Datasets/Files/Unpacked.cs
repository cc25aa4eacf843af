using System.IO.Compression;
using Harness.Common;

namespace Harness.Datasets.Files;

/// <summary>
/// A file's bytes, unpacked while they are read where gzip or zstd has packed them: told by the first bytes, whatever the file is called.
/// An archive may have several members or frames, one behind the other, as <c>cat</c> and <c>pigz</c> make them.
/// </summary>
internal static class Unpacked
{
    private const int BufferBytes = 1 << 16;

    /// <exception cref="UserErrorException">There is no such file, or it may not be read.</exception>
    public static Stream Open(string path)
    {
        RegularFile.Require(path);
        FileStream file;
        try
        {
            file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"cannot read the dataset file {path}: {e.Message}", e);
        }
        Span<byte> head = stackalloc byte[4];
        var kind = Packing.None;
        try
        {
            kind = PackingOf(head[..file.ReadAtLeast(head, head.Length, throwOnEndOfStream: false)]);
            file.Position = 0;
        }
        catch (IOException e)
        {
            file.Dispose();
            throw new UserErrorException($"cannot read {path}: {e.Message}", e);
        }
        return kind switch
        {
            Packing.Gzip => new UnpackedStream(path, new WholeGzipStream(file)),
            Packing.Zstd => new UnpackedStream(path, new ZstdStream(file)),
            _ => file,
        };
    }

    private enum Packing { None, Gzip, Zstd }

    /// <summary>Frames of zstd that hold no data (0x184D2A50 to 5F) may stand in front of others.</summary>
    private static Packing PackingOf(ReadOnlySpan<byte> head) => head switch
    {
        [0x1F, 0x8B, ..] => Packing.Gzip,
        [0x28, 0xB5, 0x2F, 0xFD] or [>= 0x50 and <= 0x5F, 0x2A, 0x4D, 0x18] => Packing.Zstd,
        _ => Packing.None,
    };

    /// <summary>Bytes that are read from front to back.</summary>
    internal abstract class ReadOnce : Stream
    {
        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public abstract override int Read(Span<byte> buffer);

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }

    /// <summary>Says which file it is that cannot be unpacked.</summary>
    private sealed class UnpackedStream(string path, Stream inner) : ReadOnce
    {
        public override int Read(Span<byte> buffer)
        {
            try
            {
                return inner.Read(buffer);
            }
            catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
            {
                throw new UserErrorException($"{path} cannot be unpacked: {e.Message}; fetch it again", e);
            }
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing) inner.Dispose();
            base.Dispose(disposing);
        }
    }

    /// <summary>
    /// A gzip archive to its very end. The framework's own reader takes an archive that is cut off for one that ends there, and what
    /// stands behind the last member for nothing. So a member of ours is read behind the file's last byte: what does not come out at the
    /// end is not whole, and the checksum of every member before it was right.
    /// </summary>
    private sealed class WholeGzipStream : ReadOnce
    {
        private static readonly byte[] s_mark = "end of the file\u001a"u8.ToArray();
        private static readonly byte[] s_packedMark = Pack(s_mark);

        private readonly Stream _inner;
        private readonly byte[] _buffer = new byte[BufferBytes];
        private int _start, _end;
        private bool _atEnd;

        public WholeGzipStream(Stream file) => _inner = new GZipStream(new WithMark(file), CompressionMode.Decompress);

        public override int Read(Span<byte> buffer)
        {
            while (!_atEnd && _end - _start <= s_mark.Length) Fill();
            var count = Math.Min(buffer.Length, _end - _start - s_mark.Length);
            _buffer.AsSpan(_start, count).CopyTo(buffer);
            _start += count;
            return count;
        }

        /// <summary>Always keeps the last bytes back, which are the mark's if the file ends here.</summary>
        private void Fill()
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
            int read;
            try
            {
                read = _inner.Read(_buffer.AsSpan(_end));
            }
            catch (InvalidDataException e)
            {
                throw new InvalidDataException("it is damaged or cut off (gzip)", e);       // theirs is of zip archives
            }
            _end += read;
            if (read > 0) return;
            _atEnd = true;
            if (!_buffer.AsSpan(0, _end).EndsWith(s_mark))
                throw new InvalidDataException("it is cut off, or something else stands behind its end (gzip)");
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing) _inner.Dispose();
            base.Dispose(disposing);
        }

        private static byte[] Pack(byte[] bytes)
        {
            using var packed = new MemoryStream();
            using (var gzip = new GZipStream(packed, CompressionLevel.Optimal, leaveOpen: true)) gzip.Write(bytes);
            return packed.ToArray();
        }

        private sealed class WithMark(Stream file) : ReadOnce
        {
            private int _given;

            public override int Read(Span<byte> buffer)
            {
                if (_given == 0 && file.Read(buffer) is > 0 and var read) return read;
                var count = Math.Min(buffer.Length, s_packedMark.Length - _given);
                s_packedMark.AsSpan(_given, count).CopyTo(buffer);
                _given += count;
                return count;
            }

            protected override void Dispose(bool disposing)
            {
                if (disposing) file.Dispose();
                base.Dispose(disposing);
            }
        }
    }

    /// <summary>Apart, so that what reads no zstd loads none of its library.</summary>
    private sealed class ZstdStream(Stream file) : ReadOnce
    {
        private readonly ZstdSharp.DecompressionStream _inner = new(file, BufferBytes, leaveOpen: false);

        public override int Read(Span<byte> buffer)
        {
            try
            {
                return _inner.Read(buffer);
            }
            catch (ZstdSharp.ZstdException e)
            {
                throw new InvalidDataException($"it is damaged, or something else stands behind its end (zstd: {e.Message})", e);
            }
            catch (EndOfStreamException e)
            {
                throw new InvalidDataException("it is cut off (zstd)", e);
            }
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing) _inner.Dispose();
            base.Dispose(disposing);
        }
    }
}
