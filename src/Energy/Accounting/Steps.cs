namespace Harness.Energy.Accounting;

public enum StepPhase { Prefill, Decode }

/// <summary>What one prompt had done in one step: <paramref name="Tokens"/> of its prompt (prefill) or the tokens it generated (decode, 1).</summary>
/// <param name="Prompt">Null for one whose answer was never finished: its joules are nobody's.</param>
public readonly record struct StepEntry(int? Prompt, int Tokens, StepPhase Phase);

/// <summary>
/// One forward pass of a micro-batch, with everything that took part in it. Prefill chunks and decoding sequences may
/// share a step (continuous batching).
/// </summary>
/// <param name="StartSeconds">On the run's clock.</param>
/// <param name="Group">The devices that did it: the data-parallel replica, or any finer division the caller keeps.</param>
public sealed record Step(double StartSeconds, double EndSeconds, int Group, int MicroBatch, IReadOnlyList<StepEntry> Entries);
