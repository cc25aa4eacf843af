using System.Reflection;

namespace Harness;

/// <summary>What this executable is, and what lies beside it.</summary>
internal static class Build
{
    /// <summary>Version and, after a plus sign, the commit that it was built from.</summary>
    public static string Version { get; } =
        typeof(Build).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";

    /// <summary>The commit's hash; empty where the sources were not a git checkout.</summary>
    public static string Commit => Version.Split('+') is [_, var commit] ? commit : "";

    public static string DemoModel => Path.Combine(AppContext.BaseDirectory, "Demo", "model");
}
