using System.Diagnostics;
using Harness.Common;

namespace Harness.Diagnosing;

/// <summary>The clock that every window and latency is measured with.</summary>
internal static class Clocks
{
    private const int Readings = 100_000;
    private const double CoarsestSeconds = 1e-4;
    private const string SourceFile = "/sys/devices/system/clocksource/clocksource0/current_clocksource";

    /// <exception cref="UserErrorException">It runs backwards, or is too coarse for the time of a token.</exception>
    public static IEnumerable<Finding> Examine()
    {
        var last = Stopwatch.GetTimestamp();
        var step = long.MaxValue;
        for (var i = 0; i < Readings; i++)
        {
            var now = Stopwatch.GetTimestamp();
            if (now < last)
                throw new UserErrorException("the monotonic clock went backwards; choose another clocksource in the kernel (tsc, hpet)");
            if (now > last) step = Math.Min(step, now - last);
            last = now;
        }
        var seconds = (double)step / Stopwatch.Frequency;
        if (step == long.MaxValue || seconds > CoarsestSeconds)
            throw new UserErrorException(
                FormattableString.Invariant(
                $"the monotonic clock moves in steps of {seconds:G3} s; choose another clocksource in the kernel (tsc, hpet)"));
        var source = File.Exists(SourceFile) ? $", kernel source {File.ReadAllText(SourceFile).Trim()}" : "";
        yield return Finding.Ok("clock",
            FormattableString.Invariant(
            $"monotonic over {Readings:N0} readings, smallest step {seconds * 1e9:N0} ns, ticks of {1e9 / Stopwatch.Frequency:G3} ns{source}"));
    }
}
