using System.Text.Json;
using Harness.Sharding;

namespace Harness.Running;

/// <summary>A prompt that needs not be done again.</summary>
/// <param name="Pass">Of the repeat over the prompts, from 0.</param>
/// <param name="Number">Its place in the workload.</param>
internal readonly record struct FinishedPrompt(int Repeat, int Pass, int Number);

/// <summary>An answer in a conversation that may go on.</summary>
internal readonly record struct FinishedAnswer(int Repeat, int Pass, int Number, string Text);

/// <summary>What every rank must know of the run that begins or goes on.</summary>
/// <param name="Directory">The run's.</param>
/// <param name="StartDirectory">This start's own, for what it may be continued from.</param>
/// <param name="FinishedRepeats">Measured repeats that are whole.</param>
/// <param name="Finished">Prompts that were finished of the repeat that is not whole.</param>
/// <param name="NextBatch">A number that no report of that repeat has, nor any above it.</param>
/// <param name="Answers">Of <paramref name="Finished"/>, where conversations have several turns.</param>
/// <param name="TakenBy">Set where this start has no run to do: who has it.</param>
internal sealed record RunStart(string Directory, string StartDirectory, string RunId, int FinishedRepeats,
    IReadOnlyList<FinishedPrompt> Finished, int NextBatch, IReadOnlyList<FinishedAnswer> Answers, string? TakenBy = null)
{
    public static RunStart Taken(string by) => new("", "", "", 0, [], 0, [], by);

    /// <summary>Rank 0's, on every rank.</summary>
    public static RunStart Share(ICommunicator world, RunStart? mine) =>
        JsonSerializer.Deserialize<RunStart>(world.Share(mine == null ? null : JsonSerializer.Serialize(mine)))!;
}
