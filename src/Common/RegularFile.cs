using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Harness.Common;

/// <summary>
/// Files that inputs are read from. A named pipe in the place of one would be waited for without end, a device gives what is no input, and
/// of a directory the system says no more than that it may not be read: each is refused by name, before anything is opened.
/// </summary>
public static partial class RegularFile
{
    private const int CurrentDirectory = -100;      // AT_FDCWD
    private const uint TypeWanted = 1;              // STATX_TYPE
    private const int ModeOffset = 28, StatBytes = 256;     // of struct statx, alike on every architecture: linux/stat.h

    /// <exception cref="UserErrorException">
    /// There is something else under this name; of a name that is not there nothing is said.
    /// </exception>
    public static void Require(string path)
    {
        if (Directory.Exists(path)) throw Refuse(path, "a directory");
        if (!OperatingSystem.IsLinux()) return;
        Span<byte> stat = stackalloc byte[StatBytes];
        // A C library without statx is older than what the runtime asks for; a kernel that refuses it says nothing of the file.
        if (StatX(CurrentDirectory, path, 0, TypeWanted, ref MemoryMarshal.GetReference(stat)) != 0) return;
        var type = BitConverter.IsLittleEndian ? BinaryPrimitives.ReadUInt16LittleEndian(stat[ModeOffset..])
            : BinaryPrimitives.ReadUInt16BigEndian(stat[ModeOffset..]);
        switch (type & 0xF000)
        {
            case 0x1000: throw Refuse(path, "a named pipe");
            case 0x2000: throw Refuse(path, "a character device");
            case 0x6000: throw Refuse(path, "a block device");
            case 0xC000: throw Refuse(path, "a socket");
        }
    }

    /// <summary>For reading at any place, whoever else reads or writes it.</summary>
    /// <exception cref="UserErrorException">It is no file, is not there, or may not be read.</exception>
    public static SafeFileHandle Open(string path)
    {
        Require(path);
        try
        {
            return File.OpenHandle(path, share: FileShare.ReadWrite | FileShare.Delete);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"cannot read {path}: {e.Message}", e);
        }
    }

    private static UserErrorException Refuse(string path, string what) =>
        new($"{path} is {what}, where a file is expected; name a file, or copy into one what comes from there");

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int StatX(int directory, string path, int flags, uint mask, ref byte stat);
}
