using Harness.Common;
using Harness.Reporting;
using Harness.Sweeping;
using Spectre.Console;

namespace Harness.Tests.Reporting;

[TestFixture]
public sealed class ProgressTests
{
    private sealed class ManualTime : TimeProvider
    {
        private long _milliseconds;

        public override long TimestampFrequency => 1000;

        public override long GetTimestamp() => _milliseconds;

        public void Pass(double seconds) => _milliseconds += (long)(seconds * 1000);
    }

    [Test]
    public void SpeedAndTimeLeft()
    {
        var time = new ManualTime();
        var clock = new StageClock(StageUnit.Answers, 64, time);
        Assert.That((clock.PerSecond, clock.Remaining), Is.EqualTo(((double?)null, (TimeSpan?)null)));
        time.Pass(10);
        clock.Latest = new StageProgress(16.5, 4000);
        Assert.That(clock.PerSecond, Is.EqualTo(400));
        Assert.That((clock.Count, clock.Rate), Is.EqualTo(("16 of 64 prompts", "400.0 tokens/s")));
        // 47.5 prompts at 1.65 a second.
        Assert.That(clock.Remaining!.Value.TotalSeconds, Is.EqualTo(47.5 / 1.65).Within(1e-6));
    }

    [Test]
    public void ALogGetsALineATenthOrTenSecondsAndOneAtTheEnd()
    {
        var (time, log) = (new ManualTime(), new StringWriter());
        using (var stage = new LineProgress(log, time).Begin("measured", StageUnit.Answers, 100))
        {
            for (var i = 1; i <= 50; i++) // 0.2 s a prompt: a tenth every two seconds
            {
                time.Pass(0.2);
                stage.Report(new StageProgress(i, 10 * i));
            }
            for (var i = 1; i <= 30; i++) // then nothing is done for half a minute
            {
                time.Pass(1);
                stage.Report(new StageProgress(50, 500));
            }
            time.Pass(0.5);
            stage.Report(new StageProgress(100, 1000));
        }
        Assert.That(log.ToString().ReplaceLineEndings("\n"), Is.EqualTo("""
            measured: 10 of 100 prompts, 50.00 tokens/s, 0:00:02, about 0:00:18 left
            measured: 20 of 100 prompts, 50.00 tokens/s, 0:00:04, about 0:00:16 left
            measured: 30 of 100 prompts, 50.00 tokens/s, 0:00:06, about 0:00:14 left
            measured: 40 of 100 prompts, 50.00 tokens/s, 0:00:08, about 0:00:12 left
            measured: 50 of 100 prompts, 50.00 tokens/s, 0:00:10, about 0:00:10 left
            measured: 50 of 100 prompts, 25.00 tokens/s, 0:00:20, about 0:00:20 left
            measured: 50 of 100 prompts, 16.67 tokens/s, 0:00:30, about 0:00:30 left
            measured: 50 of 100 prompts, 12.50 tokens/s, 0:00:40, about 0:00:40 left
            measured: 100 of 100 prompts, 24.69 tokens/s, 0:00:40

            """.ReplaceLineEndings("\n")));
    }

    [Test]
    public void AFastRunDoesNotFloodTheLog()
    {
        var (time, log) = (new ManualTime(), new StringWriter());
        using (var stage = new LineProgress(log, time).Begin("measured", StageUnit.Answers, 1000))
            for (var i = 1; i <= 1000; i++)
            {
                time.Pass(0.001);
                stage.Report(new StageProgress(i, i));
            }
        Assert.That(log.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries), Has.Length.EqualTo(1));
    }

    /// <summary>140 GB at 2 GB/s, of a stage that is quiet while it is short.</summary>
    [Test]
    public void LoadingIsCountedInBytes()
    {
        var (time, log) = (new ManualTime(), new StringWriter());
        using (var stage = new LineProgress(log, time).Begin("loading", StageUnit.Bytes, 140e9))
            for (var i = 1; i <= 70; i++)
            {
                time.Pass(1);
                stage.Report(StageProgress.Of(2e9 * i));
            }
        var lines = log.ToString().Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries);
        Assert.That(lines, Has.Length.EqualTo(10));
        Assert.That((lines[0], lines[^1]), Is.EqualTo((
            "loading: 14.0 of 140.0 GB, 2.000 GB/s, 0:00:07, about 0:01:03 left", "loading: 140.0 of 140.0 GB, 2.000 GB/s, 0:01:10")));
    }

    [TestCase(1.9, 0)]
    [TestCase(2.1, 1)]
    public void WhatEndsAtOnceSaysNothing(double seconds, int lines)
    {
        var (time, log) = (new ManualTime(), new StringWriter());
        using (var stage = new LineProgress(log, time).Begin("reading", StageUnit.Runs, 10_000))
        {
            time.Pass(seconds);
            stage.Report(StageProgress.Of(10_000));
        }
        Assert.That(log.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries), Has.Length.EqualTo(lines));
        var screen = new StringWriter();
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(screen), Ansi = AnsiSupport.Yes });
        using (var stage = new LiveProgress(console, time).Begin("reading", StageUnit.Runs, 3)) stage.Report(StageProgress.Of(3));
        Assert.That(screen.ToString(), Is.Empty);
    }

    /// <summary>Four cells that fit, of which one was there before: what is left is judged by those that were run.</summary>
    [Test]
    public void ASweepCountsItsCells()
    {
        var time = new ManualTime();
        var clock = new SweepClock(5, time);
        clock.Ended(Outcome.Skipped);
        Assert.That(clock.Line, Is.EqualTo("sweep: 1 of 5 cells done, 4 left"));
        time.Pass(60);
        clock.Ended(Outcome.Complete);
        clock.Ended(Outcome.Dropped);
        Assert.That(clock.Line, Is.EqualTo("sweep: 2 of 5 cells done, 3 left, about 0:03:00"));
        time.Pass(120);
        clock.Ended(Outcome.Failed);
        Assert.That(clock.Line, Is.EqualTo("sweep: 2 of 5 cells done, 1 failed, 2 left, about 0:03:00"));
        clock.Ended(Outcome.Taken);
        clock.Ended(Outcome.Complete);
        Assert.That(clock.Line, Is.Null);
    }

    [Test]
    public void ATerminalGetsABarWithPromptsSpeedAndTimeInEightyColumns()
    {
        var (time, screen) = (new ManualTime(), new StringWriter());
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(screen),
            Ansi = AnsiSupport.Yes,
            ColorSystem = ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.Yes,
        });
        console.Profile.Width = 80;
        using (var stage = new LiveProgress(console, time).Begin("measured 1/3", StageUnit.Answers, 64))
        {
            time.Pass(10);
            stage.Report(new StageProgress(32, 4000));
            while (!screen.ToString().Contains("32/64")) Thread.Sleep(20);
            stage.Report(new StageProgress(64, 8000));
        }
        var lines = System.Text.RegularExpressions.Regex.Replace(screen.ToString(), "\u001b\\[[0-9;?]*[A-Za-z]", "").Split('\n', '\r');
        Assert.That(lines, Has.Some.Matches("measured 1/3 .* 32/64 +400.0 tokens/s +0:00:10 left"));
        Assert.That(lines, Has.Some.Matches("measured 1/3 .* 64/64 +800.0 tokens/s +0:00:10"));
        Assert.That(lines.Max(l => l.TrimEnd().Length), Is.LessThanOrEqualTo(80));
    }

    [Test]
    public void WhatFailsInAStageIsTheStagesOwn()
    {
        var console = AnsiConsole.Create(
            new AnsiConsoleSettings { Out = new AnsiConsoleOutput(new StringWriter()), Interactive = InteractionSupport.Yes });
        Assert.That(
            () =>
            {
                using var stage = new LiveProgress(console, TimeProvider.System).Begin("s", StageUnit.Answers, 3);
                throw new InvalidOperationException("of the run");
            },
            Throws.InvalidOperationException.With.Message.EqualTo("of the run"));
    }

    [TestCase(0.0123456, "0.01235")]
    [TestCase(1234567.8, "1,234,568")]
    [TestCase(12.0, "12.00")]
    [TestCase(-0.5, "-0.5000")]
    [TestCase(0.0, "0")]
    [TestCase(null, "–")]
    public void FiguresHaveFourDigits(double? value, string expected) => Assert.That(Figures.Significant(value), Is.EqualTo(expected));
}
