namespace Harness.Reporting;

/// <summary>Says nothing: every rank but the first.</summary>
public sealed class NoProgress : IProgressReporter, IStageProgress
{
    public void Note(string line)
    {
    }

    public IStageProgress Begin(string stage, int prompts) => this;

    public void Report(GenerationProgress value)
    {
    }

    public void Dispose()
    {
    }
}
