namespace Harness.Models.Llama.Generation;

/// <summary>
/// A prompt's logits are not finite. Thrown on every rank of its replica, at the same pass and with the same content; what had finished
/// before stays with the schedule.
/// </summary>
/// <param name="sequence">Its number in the workload.</param>
/// <param name="outputTokens">How many tokens of the answer were known.</param>
/// <param name="place">Null where the search found none.</param>
public sealed class NonFiniteLogitsException(int sequence, int outputTokens, NonFinitePlace? place)
    : Exception($"the logits of sequence {sequence} are not finite")
{
    public int Sequence => sequence;
    public int OutputTokens => outputTokens;
    public NonFinitePlace? Place => place;
}
