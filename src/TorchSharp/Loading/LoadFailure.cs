using System.Text.RegularExpressions;
using Harness.Common;

namespace Harness.TorchSharp.Loading;

/// <summary>What the dynamic linker says, as a line with its cause and its remedy.</summary>
internal static partial class LoadFailure
{
    private const string Container = "run in a container of a newer distribution (Debian 13, Ubuntu 24.04, RHEL 10)";

    /// <param name="what">What was to be loaded, such as: libtorch 2.10 in /opt/torch/lib.</param>
    /// <param name="linker">From dlerror.</param>
    public static UserErrorException Of(string what, string linker)
    {
        var words = linker.ReplaceLineEndings(" ").Trim();
        if (Version().Match(words) is { Success: true } version)
            return new($"{what} needs {version.Groups["version"]}, which {version.Groups["library"]} does not have; "
                + (version.Groups["version"].Value switch
                {
                    var name when name.StartsWith("GLIBC_", StringComparison.Ordinal) => Container,
                    _ => $"put the lib64 folder of a newer GCC on LD_LIBRARY_PATH (module load gcc/13), or {Container}",
                }));
        if (Symbol().Match(words) is { Success: true } symbol)
            return new($"{what} lacks the symbol {symbol.Groups["symbol"]}, which TorchSharp {LibTorch.TorchSharpVersion} needs; take the "
                + $"version that it was made for, libtorch {LibTorch.MadeFor} (-p:LibTorch=cuda or cpu, or a PyTorch {LibTorch.MadeFor})");
        if (Missing().Match(words) is { Success: true } missing)
            return new($"{what} needs {missing.Groups["library"]}, which is not found; " + (missing.Groups["library"].Value switch
            {
                var cuda when CudaPart().Match(cuda) is { Success: true } =>
                    "load the module of that CUDA version, or put the folder that has it on LD_LIBRARY_PATH (PyTorch's wheels keep it in "
                    + "site-packages/nvidia)",
                _ => "install it, or put its folder on LD_LIBRARY_PATH",
            }));
        return new($"{what} does not load: {words}; see 'ldd' of that file for what it misses");
    }

    /// <summary>
    /// The version of a library that the file needs and this machine's does not have; empty where that is not what the linker says.
    /// </summary>
    public static string VersionOf(string linker) => Version().Match(linker).Groups["version"].Value;

    [GeneratedRegex(@"(?<library>\S+): version `(?<version>[^']+)' not found")]
    private static partial Regex Version();

    [GeneratedRegex("undefined symbol: (?<symbol>[^ ,]+)")]
    private static partial Regex Symbol();

    [GeneratedRegex("(?<library>[^ :]+): cannot open shared object file")]
    private static partial Regex Missing();

    [GeneratedRegex("^lib(cu|nv|nccl)")]
    private static partial Regex CudaPart();
}
