namespace Harness.Common;

/// <summary>Says nothing: every rank but the first.</summary>
public sealed class NoProgress : IProgressReporter, IStageProgress
{
    public void Note(string line)
    {
    }

    public IStageProgress Begin(string stage, StageUnit unit, double total) => this;

    public void Report(StageProgress value)
    {
    }

    public void Dispose()
    {
    }
}
