using System.Runtime.InteropServices;

namespace Harness.Common;

/// <summary>dlopen as it is: .NET's own loader binds lazily, hides symbols from later libraries and wraps what the linker says.</summary>
public static unsafe class DynamicLinker
{
    private const int Now = 2;          // RTLD_NOW: a symbol that is missing is found here, not in the middle of a run
    private const int Global = 0x100;   // RTLD_GLOBAL on Linux

    /// <summary>Symbols stay the library's own and that of those that name it. 0 on failure.</summary>
    /// <param name="name">A path, or a file name for the linker to find.</param>
    /// <param name="error">The linker's words; empty on success.</param>
    public static nint Load(string name, out string error) => Open(name, Now, out error);

    /// <summary>Later libraries see the symbols, as Open MPI's and UCX's own plug-ins expect. 0 on failure.</summary>
    /// <inheritdoc cref="Load"/>
    public static nint LoadGlobally(string name, out string error) => Open(name, Now | Global, out error);

    private static nint Open(string name, int mode, out string error)
    {
        // Through the main program: glibc moved dlopen from libdl.so.2 to libc.so.6 in 2.34.
        var program = NativeLibrary.GetMainProgramHandle();
        var open = (delegate* unmanaged<byte*, int, nint>)NativeLibrary.GetExport(program, "dlopen");
        var reason = (delegate* unmanaged<byte*>)NativeLibrary.GetExport(program, "dlerror");
        var path = (byte*)Marshal.StringToCoTaskMemUTF8(name);
        try
        {
            var handle = open(path, mode);
            error = handle == 0 ? Marshal.PtrToStringUTF8((nint)reason()) ?? "" : "";
            return handle;
        }
        finally
        {
            Marshal.FreeCoTaskMem((nint)path);
        }
    }
}
