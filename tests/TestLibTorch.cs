using System.Reflection;
using Harness.Common;
using Harness.Configuration;
using Harness.Seams;
using Harness.Tensors;

namespace Harness.Tests;

/// <summary>The libtorch for CPUs that was restored for these tests.</summary>
internal static class TestLibTorch
{
    private static readonly Lazy<(string? Folder, string? Obstacle)> s_found = new(Find);

    /// <summary>Its lib folder, once it has loaded in this process; ignores the test where it cannot be had or does not load.</summary>
    public static string Folder
    {
        get
        {
            if (s_found.Value.Obstacle is { } obstacle) Assert.Ignore($"torch not tested: {obstacle}");
            return s_found.Value.Folder!;
        }
    }

    public static ITensorBackendFactory Backend =>
        Backends.Choose(new() { Backend = BackendKind.Torch, LibTorch = Folder }, weights: null).Factory;

    /// <summary>The factory of a backend by its word.</summary>
    public static ITensorBackendFactory Factory(string backend) =>
        backend == Backends.Torch ? Backend
            : Backends.Choose(new RuntimeOptions { Backend = EnumWord.Find<BackendKind>(backend)!.Value }, weights: null).Factory;

    private static (string?, string?) Find()
    {
        var package = typeof(TestLibTorch).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .FirstOrDefault(data => data.Key == "LibTorch")?.Value;
        if (string.IsNullOrEmpty(package)) return (null, "this build of the tests is without libtorch (-p:LibTorch=none)");
        var folder = Path.Combine(package, "runtimes", "linux-x64", "native");
        try
        {
            Harness.TorchSharp.Torch.Examine(folder);
            return (folder, null);
        }
        catch (UserErrorException e)
        {
            return (null, e.Message);
        }
    }
}
