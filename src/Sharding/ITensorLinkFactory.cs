using Harness.Tensors;

namespace Harness.Sharding;

/// <summary>A transport of tensors between ranks that does not pass through host memory.</summary>
public interface ITensorLinkFactory
{
    /// <summary>The word after <c>--link</c>.</summary>
    string Name { get; }

    /// <summary>
    /// Why this rank cannot use it with that backend on this machine: one line that says what is missing and what helps. Null where
    /// it can. Asked on every rank before a link is made, since all of a group must use the same one.
    /// </summary>
    string? Obstacle(ITensorBackend backend);

    /// <summary>Every rank of <paramref name="ranks"/> calls; it brings them together, and must outlive the link.</summary>
    ITensorLink Create(ICommunicator ranks, ITensorBackend backend);
}
