using Harness.Tensors;

namespace Harness.PlugIns.TorchSharp;

/// <summary>libtorch through TorchSharp, <c>--backend torch</c>.</summary>
public sealed class TorchBackendFactory : ITensorBackendFactory
{
    public string Name => TorchBackend.Word;

    /// <exception cref="UserErrorException">libtorch cannot be loaded, or the number of threads is negative.</exception>
    public ITensorBackend Create(BackendOptions options)
    {
        try
        {
            return new TorchBackend(options);
        }
        catch (Exception e) when (e is DllNotFoundException or TypeInitializationException or NotSupportedException or EntryPointNotFoundException)
        {
            throw new UserErrorException($"backend 'torch': libtorch did not load ({e.Message.ReplaceLineEndings(" ").Trim()}); publish with the native libraries beside the program: -p:WithTorch=cuda (or cpu)", e);
        }
    }
}
