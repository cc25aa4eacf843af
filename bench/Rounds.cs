using System.Diagnostics;

namespace Harness.Bench;

/// <summary>
/// Candidates timed one after another in each of many rounds. Ratios are taken within a round, where the machine's
/// mood is the same, and the median over the rounds is reported. Beside the wall clock stands the processor time of
/// all threads, which does not count the time that other programs took.
/// </summary>
internal sealed class Rounds
{
    private readonly List<(string Name, Action Body, Action? Before, List<Sample> Samples)> _candidates = [];

    private readonly record struct Sample(double WallSeconds, double CpuSeconds);

    /// <summary>Returns the number by which the candidate is asked for.</summary>
    /// <param name="before">Not timed, in each round: where others go before it for so long that its memory has lain idle.</param>
    public int Add(string name, Action body, Action? before = null)
    {
        _candidates.Add((name, body, before, []));
        return _candidates.Count - 1;
    }

    public string Name(int candidate) => _candidates[candidate].Name;

    public void Run(int rounds)
    {
        foreach (var candidate in _candidates) candidate.Body();
        for (var round = 0; round < rounds; round++)
            foreach (var (_, body, before, samples) in _candidates)
            {
                before?.Invoke();
                var (wall, cpu) = (Stopwatch.GetTimestamp(), ProcessorTime());
                body();
                samples.Add(new Sample(Stopwatch.GetElapsedTime(wall).TotalSeconds, ProcessorTime() - cpu));
            }
    }

    /// <summary>Median over the rounds of the quickest limit's time over the candidate's, each limit's time scaled by its factor.</summary>
    public (double Wall, double Cpu) Ratio(int candidate, params (int Limit, double Factor)[] limits)
    {
        return (MedianOver(s => s.WallSeconds), MedianOver(s => s.CpuSeconds));

        double MedianOver(Func<Sample, double> time) => Median(_candidates[candidate].Samples.Select((sample, round) =>
            limits.Min(l => time(_candidates[l.Limit].Samples[round]) * l.Factor) / time(sample)));
    }

    public double MedianWallSeconds(int candidate) => Median(_candidates[candidate].Samples.Select(s => s.WallSeconds));

    public double LeastWallSeconds(int candidate) => _candidates[candidate].Samples.Min(s => s.WallSeconds);

    private static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    private static double ProcessorTime() => Environment.CpuUsage.TotalTime.TotalSeconds;
}
