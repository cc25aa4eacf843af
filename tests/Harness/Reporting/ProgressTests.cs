using Harness.Common;
using Harness.Reporting;
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
        var clock = new StageClock(64, time);
        Assert.That((clock.TokensPerSecond, clock.Remaining), Is.EqualTo(((double?)null, (TimeSpan?)null)));
        time.Pass(10);
        clock.Latest = new GenerationProgress(16.5, 4000);
        Assert.That(clock.TokensPerSecond, Is.EqualTo(400));
        Assert.That(clock.WholePromptsDone, Is.EqualTo(16));
        // 47.5 prompts at 1.65 a second.
        Assert.That(clock.Remaining!.Value.TotalSeconds, Is.EqualTo(47.5 / 1.65).Within(1e-6));
    }

    [Test]
    public void ALogGetsALineATenthOrTenSecondsAndOneAtTheEnd()
    {
        var (time, log) = (new ManualTime(), new StringWriter());
        using (var stage = new LineProgress(log, time).Begin("measured", 100))
        {
            for (var i = 1; i <= 50; i++) // 0.2 s a prompt: a tenth every two seconds
            {
                time.Pass(0.2);
                stage.Report(new GenerationProgress(i, 10 * i));
            }
            for (var i = 1; i <= 30; i++) // then nothing is done for half a minute
            {
                time.Pass(1);
                stage.Report(new GenerationProgress(50, 500));
            }
            time.Pass(0.5);
            stage.Report(new GenerationProgress(100, 1000));
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
        using (var stage = new LineProgress(log, time).Begin("measured", 1000))
            for (var i = 1; i <= 1000; i++)
            {
                time.Pass(0.001);
                stage.Report(new GenerationProgress(i, i));
            }
        Assert.That(log.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries), Has.Length.EqualTo(1));
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
        using (var stage = new LiveProgress(console, time).Begin("measured 1/3", 64))
        {
            time.Pass(10);
            stage.Report(new GenerationProgress(32, 4000));
            while (!screen.ToString().Contains("32/64")) Thread.Sleep(20);
            stage.Report(new GenerationProgress(64, 8000));
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
                using var stage = new LiveProgress(console, TimeProvider.System).Begin("s", 3);
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
