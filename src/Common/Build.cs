using System.Reflection;

namespace Harness.Common;

/// <summary>Which build of the project this is.</summary>
public static class Build
{
    /// <summary>Version and, after a plus sign, the commit that it was built from.</summary>
    public static string Version { get; } =
        typeof(Build).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";

    /// <summary>The commit's hash; empty where the sources were not a git checkout.</summary>
    public static string Commit => Version.Split('+') is [_, var commit] ? commit : "";
}
