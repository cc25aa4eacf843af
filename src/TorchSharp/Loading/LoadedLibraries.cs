namespace Harness.TorchSharp.Loading;

/// <summary>Which files the linker has mapped into this process.</summary>
internal static class LoadedLibraries
{
    /// <summary>The path of the library whose file name begins so; null where none is loaded.</summary>
    public static string? Find(string fileName) => Of(File.ReadLines("/proc/self/maps"), fileName);

    /// <param name="maps">Lines of /proc/self/maps: address, rights, offset, device, inode, path.</param>
    /// <param name="fileName">Up to the version, such as libcudart.so.</param>
    internal static string? Of(IEnumerable<string> maps, string fileName) =>
        maps.Select(line => line.IndexOf('/', StringComparison.Ordinal) is >= 0 and var at ? line[at..] : "")
            .FirstOrDefault(path => Path.GetFileName(path).StartsWith(fileName, StringComparison.Ordinal));
}
