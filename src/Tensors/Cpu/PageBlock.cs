using System.Runtime.InteropServices;
using Harness.Common;

namespace Harness.Tensors.Cpu;

/// <summary>
/// Anonymous zeroed memory straight from the operating system. Pages cost nothing until they are first written, so a
/// block may be far larger than what will be used of it.
/// </summary>
internal sealed unsafe partial class PageBlock : IDisposable
{
    private const int ReadWrite = 1 | 2, PrivateAnonymousNoReserve = 0x02 | 0x20 | 0x4000;
    private const int AdviseHugePages = 14;
    private const long HugePage = 2L << 20;

    private readonly long _mapped;
    private byte* _mapping;

    /// <param name="hugePages">For what is used soon and whole: fewer faults and longer streams for the processor to follow.</param>
    /// <exception cref="UserErrorException">The system refuses.</exception>
    public PageBlock(long bytes, bool hugePages)
    {
        Bytes = Math.Max(bytes, 1);
        if (!OperatingSystem.IsLinux())
        {
            _mapping = (byte*)NativeMemory.AlignedAlloc((nuint)Bytes, 64);
            NativeMemory.Clear(_mapping, (nuint)Bytes);
            Data = _mapping;
            return;
        }
        hugePages &= Bytes >= HugePage;
        _mapped = hugePages ? Bytes + HugePage : Bytes;
        var address = mmap(0, (nuint)_mapped, ReadWrite, PrivateAnonymousNoReserve, -1, 0);
        if (address == -1)
            throw new DeviceMemoryException(
                FormattableString.Invariant(
                $"{Bytes / 1e9:F1} GB of memory could not be reserved (error {Marshal.GetLastPInvokeError()})"));
        Data = _mapping = (byte*)address;
        if (!hugePages) return;
        Data = (byte*)((address + HugePage - 1) / HugePage * HugePage);
        _ = madvise((nint)Data, (nuint)Bytes, AdviseHugePages);
    }

    public byte* Data { get; private set; }
    public long Bytes { get; }

    public void Dispose()
    {
        if (_mapping == null) return;
        if (OperatingSystem.IsLinux()) _ = munmap((nint)_mapping, (nuint)_mapped);
        else NativeMemory.AlignedFree(_mapping);
        Data = _mapping = null;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint mmap(nint address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc")]
    private static partial int munmap(nint address, nuint length);

    [LibraryImport("libc")]
    private static partial int madvise(nint address, nuint length, int advice);
}
