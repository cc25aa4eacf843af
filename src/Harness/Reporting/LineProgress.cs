using Harness.Common;

namespace Harness.Reporting;

/// <summary>
/// Progress for a log file: a line whenever ten seconds passed, or a tenth of the prompts was done and a second passed,
/// and one at the end of each stage.
/// </summary>
public sealed class LineProgress(TextWriter output, TimeProvider time) : IProgressReporter
{
    public void Note(string line)
    {
        output.WriteLine(line);
        output.Flush();
    }

    public IStageProgress Begin(string stage, int prompts) => new Stage(this, stage, new StageClock(prompts, time));

    private sealed class Stage(LineProgress reporter, string stage, StageClock clock) : IStageProgress
    {
        private TimeSpan _saidAt;
        private int _saidTenths;
        private GenerationProgress _said;

        private int Tenths => (int)(10 * clock.FractionDone);

        public void Report(GenerationProgress value)
        {
            clock.Latest = value;
            var since = clock.Elapsed - _saidAt;
            if (since.TotalSeconds >= 10 || (since.TotalSeconds >= 1 && Tenths > _saidTenths)) Say();
        }

        public void Dispose()
        {
            if (clock.Latest != _said) Say();
        }

        private void Say()
        {
            (_saidAt, _saidTenths, _said) = (clock.Elapsed, Tenths, clock.Latest);
            var left = clock.FractionDone < 1 && clock.Remaining is { } remaining ? $", about {Figures.Clock(remaining)} left" : "";
            reporter.Note(
                $"{stage}: {clock.WholePromptsDone} of {clock.Prompts} prompts, {Figures.Significant(clock.TokensPerSecond)} tokens/s, "
                    + $"{Figures.Clock(clock.Elapsed)}{left}");
        }
    }
}
