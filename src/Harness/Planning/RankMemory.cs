using Harness.Common;
using Harness.Tensors;

namespace Harness.Planning;

/// <summary>
/// One rank's place in memory: refused before anything is loaded where it cannot fit, explained by the plan where it does not after all.
/// </summary>
internal sealed class RankMemory(MemoryPlan plan, int rank)
{
    private const string Remedy =
        "use more ranks (--tp, --pp), a smaller --batch or --max-length, or a 16-bit --dtype; harness plan shows what fits";

    /// <exception cref="UserErrorException">The plan needs more than the backend's device has.</exception>
    public void MustFit(ITensorBackend backend)
    {
        if (backend.MemoryBytes is { } there && plan.Bytes > there)
            throw new UserErrorException($"rank {rank} needs {plan}, but {backend.Device} has {Quantity.Text(there)} for it; {Remedy}");
    }

    /// <exception cref="UserErrorException">The memory does not suffice; the message has the backend's words and the plan's
    /// numbers.</exception>
    public T Place<T>(Func<T> load)
    {
        try { return load(); }
        catch (Exception e) when (e is DeviceMemoryException or OutOfMemoryException)
        {
            throw new UserErrorException($"{e.Message.TrimEnd('.')}; by the plan rank {rank} needs {plan}; {Remedy}", e);
        }
    }
}
