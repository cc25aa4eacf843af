namespace Harness.TorchSharp;

/// <summary>The libtorch that this process has loaded.</summary>
/// <param name="Description">Version, kind and folder, and what is unusual about it.</param>
/// <param name="Devices">Names of the CUDA devices that it computes on; none where it computes on the host.</param>
/// <param name="Obstacle">Why there is no device; null where there is one.</param>
public sealed record LibTorchFacts(string Description, IReadOnlyList<string> Devices, string? Obstacle);
