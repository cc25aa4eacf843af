using Harness.Common;

namespace Harness.Reporting;

/// <summary>
/// Progress for a log file: a line whenever ten seconds passed, or a tenth of the work was done and a second passed,
/// and one at the end of each stage; none of a stage that ends within its unit's patience.
/// </summary>
public sealed class LineProgress(TextWriter output, TimeProvider time) : IProgressReporter
{
    public void Note(string line)
    {
        output.WriteLine(line);
        output.Flush();
    }

    public IStageProgress Begin(string stage, StageUnit unit, double total) => new Stage(this, stage, new StageClock(unit, total, time));

    private sealed class Stage(LineProgress reporter, string stage, StageClock clock) : IStageProgress
    {
        private readonly Lock _lock = new();
        private TimeSpan _saidAt;
        private int _saidTenths;
        private StageProgress _said;

        private int Tenths => (int)(10 * clock.FractionDone);

        public void Report(StageProgress value)
        {
            clock.Latest = value;
            lock (_lock)
            {
                var since = clock.Elapsed - _saidAt;
                if (IsLong && (since.TotalSeconds >= 10 || (since.TotalSeconds >= 1 && Tenths > _saidTenths))) Say();
            }
        }

        public void Dispose()
        {
            lock (_lock)
                if (IsLong && clock.Latest != _said) Say();
        }

        private bool IsLong => clock.Elapsed >= clock.Unit.Patience;

        private void Say()
        {
            (_saidAt, _saidTenths, _said) = (clock.Elapsed, Tenths, clock.Latest);
            var left = clock.FractionDone < 1 && clock.Remaining is { } remaining ? $", about {Figures.Clock(remaining)} left" : "";
            reporter.Note(
                $"{stage}: {clock.Count}, {clock.Rate}, {Figures.Clock(clock.Elapsed)}{left}");
        }
    }
}
