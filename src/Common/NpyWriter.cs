using System.Runtime.InteropServices;
using System.Text;

namespace Harness.Common;

/// <summary>
/// A float32 matrix as NumPy stores it (format version 1.0: magic, header padded to 64 bytes, rows in C order); complete or absent.
/// </summary>
public sealed class NpyWriter : IDisposable
{
    private readonly string _path, _temporary;
    private readonly FileStream _file;

    /// <exception cref="UserErrorException">The file cannot be made.</exception>
    public NpyWriter(string path, int rows, int columns)
    {
        (_path, _temporary) = (path, path + ".tmp");
        try { _file = File.Create(_temporary); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"cannot write {path}: {e.Message}", e);
        }
        var header = FormattableString.Invariant($"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
        var length = (10 + header.Length + 1 + 63) / 64 * 64 - 10;
        _file.Write([0x93, .. "NUMPY"u8, 1, 0, (byte)length, (byte)(length >> 8)]);
        _file.Write(Encoding.ASCII.GetBytes(header.PadRight(length - 1) + "\n"));
    }

    public void Append(ReadOnlySpan<float> row) => _file.Write(MemoryMarshal.AsBytes(row));

    public void Complete()
    {
        _file.Flush(flushToDisk: true);
        _file.Dispose();
        File.Move(_temporary, _path, overwrite: true);
    }

    public void Dispose()
    {
        _file.Dispose();
        File.Delete(_temporary);
    }
}
