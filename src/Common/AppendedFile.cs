namespace Harness.Common;

/// <summary>
/// A file of rows that grows while a run goes on, under its partial name (<c>prompts.partial.csv</c>), and takes its own name
/// when it is complete. Each batch of rows is handed to the operating system whole, so that it outlives a killed process;
/// one that does not fit on the disk is taken back, so that the file ends with a whole row.
/// </summary>
public sealed class AppendedFile<T> : IDisposable
{
    private readonly string _path;
    private readonly FileStream _stream;
    private readonly Action<Stream, IEnumerable<T>> _write;
    private readonly MemoryStream _batch = new();

    public AppendedFile(string path, Action<Stream> header, Action<Stream, IEnumerable<T>> write)
    {
        (_path, _write) = (path, write);
        FileStream? stream = null;
        StorageFailure.Guard(PartialPath(path), () =>
            stream = new FileStream(PartialPath(path), FileMode.CreateNew, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete,
                bufferSize: 0));
        _stream = stream!;
        Append(header);
    }

    public static string PartialPath(string path) => Path.ChangeExtension(path, ".partial" + Path.GetExtension(path));

    public void Append(IReadOnlyList<T> rows) => Append(stream => _write(stream, rows));

    /// <summary>Waits until the storage holds what was appended: outside energy windows, since it may take a while.</summary>
    public void Sync() => StorageFailure.Guard(_stream.Name, () => _stream.Flush(flushToDisk: true));

    /// <summary>Gives the file its own name.</summary>
    public void Complete()
    {
        Sync();
        Dispose();
        StorageFailure.Guard(_path, () => File.Move(_stream.Name, _path));
    }

    /// <summary>Writes the file anew from rows that now say more than when they were appended, and drops the partial one.</summary>
    public void CompleteWith(IEnumerable<T> rows, Action<Stream> header)
    {
        AtomicFile.Write(_path, stream =>
        {
            header(stream);
            _write(stream, rows);
        });
        Dispose();
        StorageFailure.Guard(_stream.Name, () => File.Delete(_stream.Name));
    }

    public void Dispose() => _stream.Dispose();

    private void Append(Action<Stream> content)
    {
        _batch.SetLength(0);
        content(_batch);
        var whole = _stream.Position;
        StorageFailure.Guard(_stream.Name, () =>
        {
            StorageFailure.MustBeThere(_stream.Name);
            try
            {
                _stream.Write(_batch.GetBuffer(), 0, (int)_batch.Length);
            }
            catch (IOException)
            {
                TakeBack(whole);
                throw;
            }
        });
    }

    private void TakeBack(long whole)
    {
        try
        {
            _stream.SetLength(whole);
        }
        catch (IOException)
        {
            // The failure to write is the one to report; readers skip a row that is not whole.
        }
    }
}
