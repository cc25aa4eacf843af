using System.Globalization;

namespace Harness.TorchSharp.Loading;

/// <summary>A CUDA version as its libraries give it: 1,000 for each major version, 10 for each minor one (12080 is 12.8).</summary>
internal readonly record struct CudaVersion(int Number)
{
    public int Major => Number / 1000;

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Major}.{Number % 1000 / 10}");
}
