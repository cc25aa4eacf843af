using System.Buffers.Binary;
using Harness.Common;
using Microsoft.Win32.SafeHandles;

namespace Harness.Datasets.Files;

/// <summary>
/// A Parquet file's bytes and its footer, checked before anything is read by it: a table that is cut off, damaged, encrypted or of a form
/// that is not read is refused by name.
/// </summary>
internal sealed class ParquetFile : IDisposable
{
    private const int TailBytes = 8;
    private const int MostFooterBytes = 1 << 28;

    private readonly SafeFileHandle _file;

    public string Path { get; }
    public long Bytes { get; }
    public IReadOnlyList<ParquetNode> Columns { get; }

    /// <summary>Of all leaves, read or not.</summary>
    public IReadOnlyList<(string Path, int Defined, int Repeated)> Leaves { get; }

    /// <summary>As the footer has them.</summary>
    public IReadOnlyList<ThriftStruct> RowGroups { get; }

    /// <param name="isUsed">By the name of a column.</param>
    /// <exception cref="UserErrorException">The file is not read; why, and what to do.</exception>
    public ParquetFile(string path, Predicate<string> isUsed)
    {
        Path = path;
        _file = RegularFile.Open(path);
        try
        {
            Bytes = RandomAccess.GetLength(_file);
            var footer = ThriftStruct.Parse("FileMetaData", ReadFooter(), out _);
            var tree = new ParquetSchemaTree([.. footer.Structs(2)]);
            (Columns, Leaves, RowGroups) = (tree.Columns(isUsed), tree.Leaves, [.. footer.Structs(4)]);
        }
        catch (InvalidDataException e)
        {
            _file.Dispose();
            throw Refuse($"its footer is not read: {e.Message}; fetch it again", e);
        }
        catch
        {
            _file.Dispose();
            throw;
        }
    }

    public void Dispose() => _file.Dispose();

    public UserErrorException Refuse(string why, Exception? cause = null) => new($"{Path} cannot be read: {why}", cause);

    /// <summary>As many bytes as there are from a place on, up to those asked for.</summary>
    /// <returns>How many these are.</returns>
    public int Read(Span<byte> bytes, long from)
    {
        try
        {
            var read = 0;
            while (read < bytes.Length && RandomAccess.Read(_file, bytes[read..], from + read) is > 0 and var more) read += more;
            return read;
        }
        catch (IOException e)
        {
            throw new UserErrorException($"cannot read {Path}: {e.Message}", e);
        }
    }

    private byte[] ReadFooter()
    {
        Span<byte> tail = stackalloc byte[TailBytes];
        var isWhole = Bytes >= 4 + TailBytes && Read(tail, Bytes - TailBytes) == TailBytes;
        if (isWhole && tail.EndsWith("PARE"u8)) throw Refuse("its footer is encrypted; write it without encryption");
        if (!isWhole || !tail.EndsWith("PAR1"u8))
            throw Refuse("it does not end as a Parquet file does, so that it is cut off or damaged; fetch it again");
        var length = BinaryPrimitives.ReadUInt32LittleEndian(tail);
        if (length is 0 or > MostFooterBytes || length > Bytes - 4 - TailBytes)
            throw Refuse($"its footer would be of {length} bytes, and the file is of {Bytes}; fetch it again");
        var footer = new byte[length];
        return Read(footer, Bytes - TailBytes - length) == footer.Length ? footer
            : throw Refuse("it became shorter while it was read; fetch it again");
    }
}
