namespace Harness.Tests.PlugIns;

/// <summary>Which optional assemblies this build of the tests has beside it.</summary>
internal static class PlugInBuilds
{
    public static bool Has(string assembly) => File.Exists(Path.Combine(AppContext.BaseDirectory, assembly + ".dll"));

    /// <summary>Reports the test as not run where the assembly is absent.</summary>
    public static void Require(string assembly, string property)
    {
        if (!Has(assembly)) Assert.Ignore($"{assembly} is not in this build ({property}): not run; see tests/plugins-managed.sh");
    }

    /// <summary>Reports the test as not run where the assembly is present.</summary>
    public static void RequireAbsent(string assembly)
    {
        if (Has(assembly)) Assert.Ignore($"{assembly} is in this build: what its absence says was not tried");
    }
}
