using Harness.Common;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Harness.Reporting;

/// <summary>
/// A bar on a terminal. It is drawn twice a second by a thread of its own, so that the generating thread keeps to itself and
/// stays the one that speaks MPI.
/// </summary>
public sealed class LiveProgress(IAnsiConsole console, TimeProvider time) : IProgressReporter
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(500);

    public void Note(string line) => console.WriteLine(VisibleText.Of(line));

    public IStageProgress Begin(string stage, int prompts) => new Stage(console, stage, new StageClock(prompts, time));

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

        public void Report(GenerationProgress value) => _clock.Latest = value;

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
            var progress = console.Progress().AutoRefresh(true).Columns(
                new TaskDescriptionColumn(),
                new ProgressBarColumn { Width = 24 },
                new Figure(() => $"{_clock.WholePromptsDone}/{_clock.Prompts}"),
                new Figure(() => $"{Figures.Significant(_clock.TokensPerSecond)} tokens/s"),
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
