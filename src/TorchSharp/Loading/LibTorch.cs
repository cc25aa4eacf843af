using System.Globalization;
using System.Runtime.InteropServices;
using Harness.Common;
using TorchSharp;

namespace Harness.TorchSharp.Loading;

/// <summary>
/// The libtorch of this process and TorchSharp's native part on top of it. Both are loaded here, before TorchSharp looks for them: it
/// searches package caches, copies what it finds there, and prints a trace where it finds nothing.
/// </summary>
internal sealed unsafe partial class LibTorch
{
    /// <summary>The version whose headers TorchSharp's native part was compiled with.</summary>
    public const string MadeFor = "2.10";

    private const string HostPart = "libtorch_cpu.so", CudaPart = "libtorch_cuda.so", Whole = "libtorch.so", Shim = "libLibTorchSharp.so";

    /// <summary>
    /// The version that GCC 13 notes in whatever includes &lt;iostream&gt;: from there on libstdc++ makes the standard streams by itself.
    /// The shim calls nothing of it, and libtorch, which is loaded first, makes them in the old way.
    /// </summary>
    private const string StreamsOfGcc13 = "GLIBCXX_3.4.32";

    private static readonly Lock s_loading = new();
    private static LibTorch? s_loaded;

    private readonly string _asked;

    private LibTorch(string asked, string folder, bool weakened)
    {
        (_asked, Folder, Weakened) = (asked, folder, weakened);
        Version = VersionOf(Path.Combine(folder, HostPart));
        HasCuda = LoadedLibraries.Find(CudaPart) != null;
        Cuda = HasCuda ? RuntimeVersion() : null;
    }

    /// <summary>Of the package, such as 0.107.0.</summary>
    public static string TorchSharpVersion { get; } = typeof(torch).Assembly.GetName().Version!.ToString(3);

    /// <summary>Where libtorch_cpu.so was loaded from.</summary>
    public string Folder { get; }

    /// <summary>Such as 2.10.0; null where the library does not say.</summary>
    public string? Version { get; }

    /// <summary>False for a build for CPUs.</summary>
    public bool HasCuda { get; }

    /// <summary>Of the CUDA runtime that libtorch has loaded; null where it has none or does not say.</summary>
    public CudaVersion? Cuda { get; }

    /// <summary>CUDA devices that it computes on; 0 where it computes on the host.</summary>
    public int Devices => HasCuda && torch.cuda.is_available() ? torch.cuda.device_count() : 0;

    /// <summary>Whether <see cref="StreamsOfGcc13"/> was missing and the shim was loaded without.</summary>
    public bool Weakened { get; }

    /// <summary>Version and kind, such as: libtorch 2.10.0 for CUDA 12.8.</summary>
    public string Name => $"libtorch {Version ?? "of an unknown version"} for {(HasCuda ? $"CUDA {Cuda}".TrimEnd() : "CPUs")}";

    /// <summary>The same with its folder and what is unusual about it.</summary>
    public string Description => $"{Name} in {Folder}"
        + (Version?.StartsWith(MadeFor + ".", StringComparison.Ordinal) == true ? ""
        : $", not the {MadeFor} that TorchSharp {TorchSharpVersion} was made for")
        + (Weakened ? $", without {StreamsOfGcc13}, which this machine's libstdc++ lacks and TorchSharp's native part names without using"
        : "");

    /// <summary>Loads libtorch and TorchSharp's native part, once for a process.</summary>
    /// <param name="folder">The lib folder of a libtorch or of an installed PyTorch; empty for one beside the program or on the linker's
    /// path.</param>
    /// <exception cref="UserErrorException">There is none, it does not load, or another one is loaded already; one line with the
    /// remedy.</exception>
    public static LibTorch Load(string folder)
    {
        lock (s_loading)
        {
            if (s_loaded is { } loaded)
                return loaded._asked == folder ? loaded
                    : throw new UserErrorException(
                        $"--libtorch '{folder}': this process has loaded {loaded.Description}; start another process for another one");
            if (!OperatingSystem.IsLinux())
                throw new UserErrorException($"libtorch is loaded on Linux alone, and this is {RuntimeInformation.OSDescription}; use "
                    + "--backend cpu");
            var (found, weakened) = Open(folder);
            LetTorchSharpBegin();
            return s_loaded = new(folder, found, weakened);
        }
    }

    private static (string Folder, bool Weakened) Open(string asked)
    {
        var folder = Find(asked);
        // The CUDA part by itself first: of libtorch.so's needs the linker names only one that is missing.
        if (folder != null && File.Exists(Path.Combine(folder, CudaPart)))
            MustLoad(Path.Combine(folder, CudaPart), $"libtorch in {folder}");
        if (folder != null) MustLoad(Path.Combine(folder, Whole), $"libtorch in {folder}");
        else if (DynamicLinker.Load(Whole, out var error) == 0)
            throw error.StartsWith(Whole + ":", StringComparison.Ordinal)
                ? new UserErrorException("no libtorch: none is beside the program or on LD_LIBRARY_PATH; " + Remedy)
                : LoadFailure.Of("libtorch on LD_LIBRARY_PATH", error);
        var loaded = Path.GetDirectoryName(LoadedLibraries.Find(HostPart))
            ?? throw new UserErrorException($"{folder ?? Whole} has no {HostPart}; {Remedy}");
        return (loaded, OpenShim(VersionOf(Path.Combine(loaded, HostPart)) is { } version ? $"libtorch {version} in {loaded}"
            : $"libtorch in {loaded}"));
    }

    private static string Remedy =>
        "name the lib folder of an installed PyTorch with --libtorch (python3 -c \"import torch; print(torch.__path__[0] + '/lib')\"), or "
            + "build with -p:LibTorch=cuda or cpu";

    /// <summary>The folder that holds libtorch_cpu.so; null where it is left to the linker.</summary>
    private static string? Find(string asked)
    {
        string[] places = asked.Length > 0 ? [asked, Path.Combine(asked, "lib"), Path.Combine(asked, "torch", "lib")] : Beside;
        return places.FirstOrDefault(place => File.Exists(Path.Combine(place, HostPart))) is { } folder ? Path.GetFullPath(folder)
            : asked.Length == 0 ? null : throw new UserErrorException($"--libtorch '{asked}' has no {HostPart}; {Remedy}");
    }

    /// <summary>Where builds put native libraries: of one platform, and of several.</summary>
    private static string[] Beside => [AppContext.BaseDirectory, Path.Combine(AppContext.BaseDirectory, "runtimes", "linux-x64", "native")];

    private static void MustLoad(string path, string what)
    {
        if (DynamicLinker.Load(path, out var error) == 0) throw LoadFailure.Of(what, error);
    }

    /// <returns>Whether a version that it names had to be made weak.</returns>
    private static bool OpenShim(string libtorch)
    {
        var path = Beside.Select(place => Path.Combine(place, Shim)).FirstOrDefault(File.Exists) ?? throw new UserErrorException(
            $"{Shim}, TorchSharp's native part, is not beside the program: TorchSharp {TorchSharpVersion} has one for linux-x64 and none "
                + $"for {RuntimeInformation.RuntimeIdentifier}; use --backend cpu");
        if (DynamicLinker.Load(path, out var error) != 0) return false;
        var version = LoadFailure.VersionOf(error);
        if (version == StreamsOfGcc13 && OpenWeakened(path, version, out error)) return true;
        throw LoadFailure.Of(LoadFailure.VersionOf(error).Length > 0 ? $"TorchSharp {TorchSharpVersion}" : libtorch, error);
    }

    /// <summary>
    /// Loads a copy in memory that differs in one bit, by which the linker goes on without the version. TorchSharp's later calls find it by
    /// its name.
    /// </summary>
    private static bool OpenWeakened(string path, string version, out string error)
    {
        var bytes = File.ReadAllBytes(path);
        error = $"{path}: version `{version}' not found";
        if (!SharedObject.Weaken(bytes, version)) return false;
        var file = CreateMemoryFile(Shim, 0);
        if (file < 0) return false;
        var name = string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{file}");
        File.WriteAllBytes(name, bytes);
        return DynamicLinker.Load(name, out error) != 0;
    }

    /// <summary>TorchSharp finds both loaded, and prints nothing; if it does not, its trace is not for the user.</summary>
    private static void LetTorchSharpBegin()
    {
        var terminal = Console.Out;
        try
        {
            Console.SetOut(TextWriter.Null);
            torch.InitializeDeviceType(DeviceType.CPU);
        }
        catch (Exception e) when (e is DllNotFoundException or TypeInitializationException or NotSupportedException
            or EntryPointNotFoundException)
        {
            throw new UserErrorException($"TorchSharp {TorchSharpVersion} does not start on the libtorch that was loaded "
                + $"({e.GetBaseException().Message.Split('\n')[0].Trim()}); {Remedy}", e);
        }
        finally
        {
            Console.SetOut(terminal);
        }
    }

    /// <summary>
    /// Since 2.9 libtorch says its version through its stable C interface: a byte each for major, minor and patch, from the top.
    /// </summary>
    private static string? VersionOf(string hostPart)
    {
        var handle = DynamicLinker.Load(hostPart, out _);
        if (handle == 0 || !NativeLibrary.TryGetExport(handle, "aoti_torch_abi_version", out var version)) return null;
        var number = ((delegate* unmanaged<ulong>)version)();
        return string.Create(CultureInfo.InvariantCulture, $"{number >> 56}.{number >> 48 & 0xff}.{number >> 40 & 0xff}");
    }

    /// <summary>Of the CUDA runtime that libtorch has brought with it or found.</summary>
    private static CudaVersion? RuntimeVersion()
    {
        if (LoadedLibraries.Find("libcudart.so") is not { } path || DynamicLinker.Load(path, out _) is not (not 0 and var handle))
            return null;
        int version;
        return NativeLibrary.TryGetExport(handle, "cudaRuntimeGetVersion", out var get)
            && ((delegate* unmanaged<int*, int>)get)(&version) == 0
            ? new CudaVersion(version) : null;
    }

    [LibraryImport("libc", EntryPoint = "memfd_create", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int CreateMemoryFile(string name, uint flags);
}
