namespace Harness.Tensors;

/// <summary>What a rank asks of its backend.</summary>
/// <param name="Threads">Worker threads on the host; 0 leaves the choice to the backend.</param>
/// <param name="LocalRank">This rank's number on its node; a backend takes device LocalRank modulo the visible ones.</param>
/// <param name="LocalRanks">Ranks on this node, who share its cores.</param>
/// <param name="Activations">Element type in which activations travel through the model, where the backend offers a choice.</param>
/// <param name="Cache">Element type of keys and values; null for the backend's own. One that has no other refuses it.</param>
public sealed record BackendOptions(int Threads, int LocalRank, int LocalRanks, DType Activations, DType? Cache = null);

/// <summary>How a backend is made.</summary>
public interface ITensorBackendFactory
{
    /// <summary>The word after <c>--backend</c>.</summary>
    string Name { get; }
    ITensorBackend Create(BackendOptions options);
}
