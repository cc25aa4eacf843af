using Harness.Sharding.Launch;

namespace Harness.Tests.Sharding;

public class RankWatchdogTests
{
    /// <summary>A clock that stands until it is moved; a timer fires when the clock has passed each period.</summary>
    private sealed class ManualTime : TimeProvider, ITimer
    {
        private readonly long _periodTicks = TimeSpan.FromSeconds(2).Ticks;
        private TimerCallback? _callback;
        private long _now;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;
        public override long GetTimestamp() => _now;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            Assert.That(period.Ticks, Is.EqualTo(_periodTicks), "a quarter of the limit");
            _callback = callback;
            return this;
        }

        public void Pass(double seconds)
        {
            for (var end = _now + TimeSpan.FromSeconds(seconds).Ticks; _now < end;)
            {
                _now = Math.Min(end, (_now / _periodTicks + 1) * _periodTicks);
                if (_now % _periodTicks == 0) _callback?.Invoke(null);
            }
        }

        public bool Change(TimeSpan dueTime, TimeSpan period) => throw new NotSupportedException();
        public void Dispose() => _callback = null;
        public ValueTask DisposeAsync() => throw new NotSupportedException();
    }

    [Test]
    public void ARankThatShowsNoSignOfLifeIsReportedOnce()
    {
        var messages = new List<string>();
        var time = new ManualTime();
        using var watchdog = new RankWatchdog(TimeSpan.FromSeconds(8), messages.Add, time);
        for (var step = 0; step < 20; step++)
        {
            time.Pass(7);
            watchdog.Alive();
        }
        Assert.That(messages, Is.Empty);
        time.Pass(8);
        Assert.That(messages, Is.Empty, "140 s + 8 s: at the limit, not beyond it");
        time.Pass(100);
        Assert.That(messages,
            Is.EqualTo(new[] { "no progress for 10.0 s; a peer has probably died, or the limit is shorter than a step" }));
    }

    [Test]
    public void ADisposedWatchdogIsSilent()
    {
        var time = new ManualTime();
        new RankWatchdog(TimeSpan.FromSeconds(8), _ => Assert.Fail("it spoke"), time).Dispose();
        time.Pass(100);
    }
}
