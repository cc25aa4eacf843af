namespace Harness.Models.Llama.Generation;

/// <summary>Where in a forward pass a value can first be one that is not finite, in the order of the computation.</summary>
public enum PassPart
{
    /// <summary>This rank's part of the attention's output, before the sum over tensor ranks.</summary>
    Attention,

    /// <summary>That sum.</summary>
    AttentionSum,

    /// <summary>This rank's part of the feed-forward's output.</summary>
    FeedForward,

    /// <summary>The sum of those.</summary>
    FeedForwardSum,

    /// <summary>The residual stream behind the layer.</summary>
    Residual,
}

/// <summary>The first value of a pass that is not finite.</summary>
/// <param name="Layer">From 0, as checkpoints number them; -1 for the embedding, the number of layers for the final norm and head.</param>
/// <param name="Rank">In the replica; of several the lowest.</param>
public sealed record NonFinitePlace(int Layer, PassPart Part, int Rank, float Value)
{
    private const int Parts = 8;

    /// <summary>Ascending in the order of the computation.</summary>
    internal int Order => (Layer + 1) * Parts + (int)Part;

    internal static NonFinitePlace At(int order, int rank, float value) => new(order / Parts - 1, (PassPart)(order % Parts), rank, value);
}
