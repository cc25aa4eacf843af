using System.Reflection;
using Harness.Tensors;

namespace Harness.PlugIns;

/// <summary>
/// Optional assemblies beside the executable, found by name. Each holds exactly one public implementation of the seam
/// that it serves; what was not built is named with the property that builds it.
/// </summary>
internal static class PlugIn
{
    /// <param name="assembly">Name without extension, such as Harness.PlugIns.TorchSharp.</param>
    /// <param name="asked">What the user asked for, such as: backend 'torch'.</param>
    /// <param name="property">What builds it, such as: -p:WithTorch=cuda.</param>
    public static T Load<T>(string assembly, string asked, string property) where T : class
    {
        var file = Path.Combine(AppContext.BaseDirectory, assembly + ".dll");
        if (!File.Exists(file))
            throw new UserErrorException($"{asked} is not in this build; build with dotnet publish src/Harness -c Release {property}");
        try
        {
            var type = Assembly.LoadFrom(file).GetExportedTypes().Single(t => t.IsAssignableTo(typeof(T)) && t is { IsAbstract: false, IsClass: true });
            return (T)Activator.CreateInstance(type)!;
        }
        catch (Exception e) when (e is BadImageFormatException or FileLoadException or InvalidOperationException or TypeLoadException or ReflectionTypeLoadException)
        {
            throw new UserErrorException($"{asked}: {file} does not fit this program ({e.Message.ReplaceLineEndings(" ")}); build both together with {property}", e);
        }
    }
}
