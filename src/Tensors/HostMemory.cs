namespace Harness.Tensors;

/// <summary>The memory that this process may use on its host: the machine's, or its container's limit.</summary>
public static class HostMemory
{
    public static long Bytes => GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
}
