using Harness.TorchSharp.Loading;

namespace Harness.Tests.TorchSharp;

/// <summary>The libtorch of these tests, for those that look behind the seam.</summary>
internal static class TorchLibrary
{
    public static LibTorch Loaded => LibTorch.Load(TestLibTorch.Folder);
}
