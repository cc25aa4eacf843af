namespace Harness.Reporting;

/// <summary>How far a stage is, how fast it went, and how long it will take. Reported by one thread, read by another.</summary>
internal sealed class StageClock(int prompts, TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly long _began = time.GetTimestamp();
    private GenerationProgress _latest;

    public int Prompts => prompts;

    public TimeSpan Elapsed => time.GetElapsedTime(_began);

    public GenerationProgress Latest
    {
        get
        {
            lock (_lock) return _latest;
        }
        set
        {
            lock (_lock) _latest = value;
        }
    }

    public int WholePromptsDone => (int)Latest.PromptsDone;

    public double FractionDone => prompts > 0 ? Math.Clamp(Latest.PromptsDone / prompts, 0, 1) : 1;

    /// <summary>Output tokens per second since the stage began; null in its first moment.</summary>
    public double? TokensPerSecond => Elapsed.TotalSeconds is > 0 and var s ? Latest.OutputTokens / s : null;

    /// <summary>If the rest goes as fast as what is done; null while nothing is.</summary>
    public TimeSpan? Remaining => FractionDone > 0 ? Elapsed * ((1 - FractionDone) / FractionDone) : null;
}
