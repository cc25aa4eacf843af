using Harness.Tensors;

namespace Harness.Planning;

/// <summary>What is known of the devices that a plan is for.</summary>
/// <param name="MemoryBytes">Of one; null where it is no question.</param>
/// <param name="Reserve">Part of the memory that is kept free.</param>
/// <param name="Cache">The KV cache's type; null for what the backend makes it.</param>
/// <param name="Rates">Null where nothing is to be predicted.</param>
internal sealed record Devices(long? MemoryBytes, double Reserve, DType? Cache, DeviceRates? Rates);
