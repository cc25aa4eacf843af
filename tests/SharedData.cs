namespace Harness.Tests;

/// <summary>
/// Real data sets, models and tokenizers that lie beside the repository in <c>shared/</c> and are never part of it.
/// A test that needs them is reported as not run, with its reason, where they are absent.
/// </summary>
public static class SharedData
{
    public static string RepositoryRoot { get; } = FindUpwards(AppContext.BaseDirectory, "Harness.sln")
        ?? throw new InvalidOperationException("the tests run from a build inside the repository");

    public static string Path(params string[] parts)
    {
        var path = System.IO.Path.Combine([RepositoryRoot, "..", "shared", .. parts]);
        if (!File.Exists(path) && !Directory.Exists(path))
            Assert.Ignore($"shared/{string.Join('/', parts)} is not beside the repository: not run");
        return System.IO.Path.GetFullPath(path);
    }

    private static string? FindUpwards(string start, string file)
    {
        for (var d = new DirectoryInfo(start); d != null; d = d.Parent)
            if (File.Exists(System.IO.Path.Combine(d.FullName, file))) return d.FullName;
        return null;
    }
}
