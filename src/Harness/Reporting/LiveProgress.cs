using Harness.Common;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Harness.Reporting;

/// <summary>
/// A bar on a terminal. It is drawn twice a second by a thread of its own, so that the working thread keeps to itself and
/// stays the one that speaks MPI. There is none of a stage that ends within its unit's patience.
/// </summary>
public sealed class LiveProgress(IAnsiConsole console, TimeProvider time) : IProgressReporter
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(500);

    public void Note(string line) => console.WriteLine(VisibleText.Of(line));

    public IStageProgress Begin(string stage, StageUnit unit, double total) =>
        new Stage(console, stage, new StageClock(unit, total, time));

    private sealed class Stage : IStageProgress
    {
        private readonly StageClock _clock;
        private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly Task _drawing;

        public Stage(IAnsiConsole console, string stage, StageClock clock)
        {
            _clock = clock;
            _drawing = Task.Run(() => Draw(console, stage));
        }

        public void Report(StageProgress value) => _clock.Latest = value;

        public void Dispose()
        {
            _ended.TrySetResult();
            try
            {
                _drawing.Wait();
            }
            catch (AggregateException)
            {
                // A terminal that went away is no reason to lose a run.
            }
        }

        private async Task Draw(IAnsiConsole console, string stage)
        {
            if (_clock.Unit.Patience > TimeSpan.Zero
                && await Task.WhenAny(_ended.Task, Task.Delay(_clock.Unit.Patience)) == _ended.Task) return;
            var progress = console.Progress().AutoRefresh(true).Columns(
                new TaskDescriptionColumn(),
                new ProgressBarColumn { Width = 24 },
                new Figure(() => _clock.ShortCount),
                new Figure(() => _clock.Rate),
                new Figure(TimeLeft));
            progress.RefreshRate = s_interval;
            await progress.StartAsync(async context =>
            {
                var bar = context.AddTask(Markup.Escape(stage), maxValue: 1);
                while (!_ended.Task.IsCompleted)
                {
                    bar.Value = _clock.FractionDone;
                    await Task.WhenAny(_ended.Task, Task.Delay(s_interval));
                }
                bar.Value = _clock.FractionDone;
            });
        }

        private string TimeLeft() =>
            _clock.FractionDone >= 1 ? Figures.Clock(_clock.Elapsed)
            : _clock.Remaining is { } left ? $"{Figures.Clock(left)} left"
            : "";
    }

    private sealed class Figure(Func<string> text) : ProgressColumn
    {
        protected override bool NoWrap => true;

        public override IRenderable Render(RenderOptions options, ProgressTask task, TimeSpan deltaTime) =>
            new Text(text()).RightJustified();
    }
}
