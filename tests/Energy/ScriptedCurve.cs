using System.Globalization;

namespace Harness.Tests.Energy;

/// <summary>
/// Power as a known function of time, with its integral in closed form: what every measured window is held against. The
/// fake NVML library computes the same curves in C; <see cref="Script"/> is how they are written there.
/// </summary>
public sealed record ScriptedCurve(string Name, double[] Parameters, Func<double, double> Watts, Func<double, double> Joules)
{
    private static readonly double[] s_slowHertz = [0.13, 0.31, 0.71];
    private static readonly double[] s_fastHertz = [3.3, 5.9, 8.7, 13.1, 17.9, 23.3, 29.9, 37.7];

    public string Script => string.Join(' ', Parameters.Select(p => p.ToString(CultureInfo.InvariantCulture)).Prepend(Name));

    public double Between(double start, double end) => Joules(end) - Joules(start);

    public override string ToString() => Script;

    public static ScriptedCurve Constant(double watts) => new("constant", [watts], _ => watts, t => watts * t);

    /// <summary>A square wave: low for a dwell, high for a dwell.</summary>
    public static ScriptedCurve Steps(double low, double high, double dwell) => new("steps", [low, high, dwell],
        t => ((long)Math.Floor(t / dwell) & 1) == 0 ? low : high,
        t =>
        {
            var rest = t % (2 * dwell);
            var highTime = Math.Floor(t / (2 * dwell)) * dwell + Math.Max(0, rest - dwell);
            return low * t + (high - low) * highTime;
        });

    /// <summary>Up for some seconds, down for as many.</summary>
    public static ScriptedCurve Ramp(double from, double to, double seconds) => new("ramp", [from, to, seconds],
        t => from + (to - from) * (1 - Math.Abs(t / seconds % 2 - 1)),
        t =>
        {
            var x = t / seconds % 2;
            var triangle = Math.Floor(t / seconds / 2) + (x < 1 ? x * x / 2 : 1 - (2 - x) * (2 - x) / 2);
            return from * t + (to - from) * seconds * triangle;
        });

    /// <summary>A mean with a slow wander of this amplitude and fast tones of this standard deviation on it.</summary>
    public static ScriptedCurve Noise(double mean, double slow, double fast) => new("noise", [mean, slow, fast],
        t => mean + s_slowHertz.Select((f, i) => slow / 3 * Math.Sin(2 * Math.PI * f * t + i)).Sum()
            + s_fastHertz.Select((f, i) => fast / 2 * Math.Sin(2 * Math.PI * f * t + i)).Sum(),
        t => mean * t + s_slowHertz.Select((f, i) => Wave(slow / 3, f, i, t)).Sum() + s_fastHertz.Select((f, i) => Wave(fast / 2, f, i, t))
            .Sum());

    /// <summary>Idle, but busy from start to stop.</summary>
    public static ScriptedCurve Load(double idle, double busy, double start, double stop) => new("load", [idle, busy, start, stop],
        t => t >= start && t < stop ? busy : idle,
        t => idle * t + (busy - idle) * Math.Clamp(t - start, 0, stop - start));

    private static double Wave(double amplitude, double hertz, double phase, double t)
    {
        var omega = 2 * Math.PI * hertz;
        return amplitude / omega * (Math.Cos(phase) - Math.Cos(omega * t + phase));
    }
}
