namespace Harness.Reporting;

/// <summary>Tells the person who waits how far a run is. Only rank 0 has one that speaks.</summary>
public interface IProgressReporter
{
    /// <summary>One line, at once: <c>loading 13 shards</c>.</summary>
    void Note(string line);

    /// <summary>Begins a stage of so many prompts; disposing ends it. Stages do not overlap.</summary>
    IStageProgress Begin(string stage, int prompts);
}

/// <summary>Takes reports from the thread that generates, and never makes it wait for a terminal.</summary>
public interface IStageProgress : IProgress<GenerationProgress>, IDisposable;

/// <param name="PromptsDone">Since the stage began; a fraction stands for prompts that are under way, so that a bar moves within a
/// batch.</param>
/// <param name="OutputTokens">Since the stage began.</param>
public readonly record struct GenerationProgress(double PromptsDone, long OutputTokens);
