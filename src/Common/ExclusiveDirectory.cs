using System.Runtime.InteropServices;

namespace Harness.Common;

/// <summary>
/// Makes a directory that must not have been there. <see cref="Directory.CreateDirectory(string)"/> is content with one that is,
/// and so cannot decide which of two runs a name belongs to; the system call can, on shared storage too.
/// </summary>
public static partial class ExclusiveDirectory
{
    private const int FileExists = 17; // EEXIST on Linux, macOS and the BSDs

    private const int AlreadyExists = 183; // ERROR_ALREADY_EXISTS on Windows

    /// <returns>Whether this call made it; false where something of that name exists.</returns>
    /// <exception cref="IOException">It cannot be made.</exception>
    public static bool TryCreate(string path)
    {
        var made = OperatingSystem.IsWindows() ? CreateDirectoryW(path, 0) : MakeDirectory(path, 0b111_111_111) == 0;
        if (made) return true;
        var error = Marshal.GetLastPInvokeError();
        if (error is FileExists or AlreadyExists) return false;
        throw new IOException(Marshal.GetPInvokeErrorMessage(error), error);
    }

    /// <param name="mode">Permissions, of which the process's umask takes away.</param>
    [LibraryImport("libc", EntryPoint = "mkdir", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int MakeDirectory(string path, uint mode);

    [LibraryImport("kernel32", SetLastError = true, StringMarshalling = StringMarshalling.Utf16)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static partial bool CreateDirectoryW(string path, nint securityAttributes);
}
