namespace Harness.Models.Llama.Generation;

public enum StepKind { Prefill, Decode }

/// <summary>Tokens of one sequence in one step.</summary>
public readonly record struct StepShare(int SequenceId, int Tokens);

/// <summary>One pass of one micro-batch through the whole model, from its start on the first stage until its tokens are known; Stopwatch ticks.</summary>
public sealed record Step(StepKind Kind, int MicroBatch, long StartTicks, long EndTicks, StepShare[] Shares);
