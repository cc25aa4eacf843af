namespace Harness.Models.Llama.Generation;

public enum StepKind { Prefill, Decode, Mixed }

/// <summary>What one sequence had done in one step: tokens of its prompt, or its latest token.</summary>
public readonly record struct StepShare(int SequenceId, int Tokens, bool IsPrefill);

/// <summary>
/// One pass of one micro-batch through the whole model, from its start on the first stage until its tokens are known; Stopwatch ticks.
/// </summary>
/// <param name="Shares">Decoding sequences first.</param>
public sealed record Step(int MicroBatch, long StartTicks, long EndTicks, StepShare[] Shares)
{
    public StepKind Kind => KindOf(Shares);

    /// <summary>Prefill where all shares are, decode where none is.</summary>
    public static StepKind KindOf(StepShare[] shares) =>
        Array.TrueForAll(shares, share => share.IsPrefill) ? StepKind.Prefill : Array.Exists(shares, share => share.IsPrefill)
            ? StepKind.Mixed : StepKind.Decode;
}
