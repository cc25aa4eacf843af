using System.Runtime.InteropServices;

namespace Harness.Tensors.Cpu;

/// <summary>
/// Anonymous zeroed memory straight from the operating system. Pages cost nothing until they are first written, so a
/// block may be far larger than what will be used of it.
/// </summary>
internal sealed unsafe partial class PageBlock : IDisposable
{
    private const int ReadWrite = 1 | 2, PrivateAnonymousNoReserve = 0x02 | 0x20 | 0x4000;
    private const int AdviseHugePages = 14, AdvisePopulateRead = 22;
    private const long HugePage = 2L << 20;

    private byte* _data;

    public PageBlock(long bytes, bool hugePages)
    {
        Bytes = Math.Max(bytes, 1);
        if (!OperatingSystem.IsLinux())
        {
            _data = (byte*)NativeMemory.AlignedAlloc((nuint)Bytes, 64);
            NativeMemory.Clear(_data, (nuint)Bytes);
            return;
        }
        var address = mmap(0, (nuint)Bytes, ReadWrite, PrivateAnonymousNoReserve, -1, 0);
        if (address == -1)
            throw new UserErrorException(
                $"{Bytes / 1e9:F1} GB of memory could not be reserved (error {Marshal.GetLastPInvokeError()}); use a smaller batch, a shorter maximum length or more ranks");
        _data = (byte*)address;
        if (hugePages && Bytes >= HugePage) _ = madvise(address, (nuint)Bytes, AdviseHugePages);
    }

    public byte* Data => _data;
    public long Bytes { get; }

    /// <summary>Brings a mapped range into memory now rather than at its first use; kernels before 5.14 cannot, and then nothing happens.</summary>
    public static void Populate(nint address, long bytes)
    {
        if (!OperatingSystem.IsLinux()) return;
        var page = Environment.SystemPageSize;
        var start = address / page * page;
        _ = madvise(start, (nuint)(address + bytes - start), AdvisePopulateRead);
    }

    public void Dispose()
    {
        if (_data == null) return;
        if (OperatingSystem.IsLinux()) _ = munmap((nint)_data, (nuint)Bytes);
        else NativeMemory.AlignedFree(_data);
        _data = null;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint mmap(nint address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc")]
    private static partial int munmap(nint address, nuint length);

    [LibraryImport("libc")]
    private static partial int madvise(nint address, nuint length, int advice);
}
