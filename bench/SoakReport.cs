using System.Globalization;
using Harness.Common;
using Harness.Energy.Accounting;
using Harness.Runs;

namespace Harness.Bench;

/// <summary>
/// What tests/soak.sh saw of a run that went on and on, as a table: each quantity of each rank in the second quarter of the time and in the
/// last, by medians. Flat is what changed by 2 % at most, besides what rank 0 must keep of every row and reading.
/// </summary>
internal static class SoakReport
{
    private const double Flat = 0.02, SamplerCores = 0.002, TicksPerSecond = 100;

    /// <summary>
    /// Of rank 0: a packed row and where it is from; a reading, which every rank keeps of its own devices, and a stretch of its time.
    /// </summary>
    private const double BytesPerRow = 80 + 8, BytesPerReading = 160, BytesPerStretch = 64;

    /// <summary>The runtime's thread pool may have one more, for a while.</summary>
    private const double PoolThreads = 1;

    private readonly record struct Sample(double Seconds, int Rank, double Kilobytes, double Files, double Threads, double Ticks);

    /// <returns>Whether all was flat and nothing missing.</returns>
    public static bool Print(string run, string samplesFile, int prompts)
    {
        var samples = File.ReadLines(samplesFile).Select(Parse).ToList();
        var reader = new RunReader(run);
        var rows = reader.Prompts().ToList();
        var readings = reader.Samples().GroupBy(series => series.Rank)
            .ToDictionary(rank => rank.Key, rank => rank.Sum(one => one.Readings.Count));
        var stretches = (reader.Phases() ?? []).ToDictionary(rank => rank.Rank, rank => rank.Stretches.Count);
        var span = samples.Count == 0 ? 0 : samples.Max(sample => sample.Seconds);
        var good = true;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{run}: {span:0} s, {rows.Count} rows"));
        Console.WriteLine("rank  quantity                 quarter 2   quarter 4   an hour more   known    ");
        foreach (var rank in samples.GroupBy(sample => sample.Rank).OrderBy(rank => rank.Key))
        {
            var (before, after) = (Quarter(rank, span, 2), Quarter(rank, span, 4));
            if (before.Count < 3 || after.Count < 3) throw new UserErrorException($"{samplesFile} has too few samples; soak for longer");
            var share = (Median(after, sample => sample.Seconds) - Median(before, sample => sample.Seconds)) / span;
            var known = share / 1024 * ((rank.Key == 0 ? rows.Count * BytesPerRow : 0)
                + readings.GetValueOrDefault(rank.Key) * BytesPerReading + stretches.GetValueOrDefault(rank.Key) * BytesPerStretch);
            Row("resident, kB", sample => sample.Kilobytes, Flat * Median(before, sample => sample.Kilobytes) + known, known);
            Row("open files", sample => sample.Files, 0, 0);
            Row("threads", sample => sample.Threads, PoolThreads, 0);
            var (then, now) = (Share(before), Share(after));
            Line("sampler, cores", then, now, Math.Max(Flat * then, SamplerCores), 0);

            void Row(string name, Func<Sample, double> of, double most, double knownPart) =>
                Line(name, Median(before, of), Median(after, of), most, knownPart);

            void Line(string name, double first, double last, double most, double knownPart)
            {
                var flat = last - first <= most;
                good &= flat;
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"{rank.Key,4}  {name,-22} {first,11:0.####} {last,11:0.####} {(last - first) / (share * span) * 3600,14:0.####} ")
                    + string.Create(CultureInfo.InvariantCulture, $"{knownPart,7:0.#}   {(flat ? "flat" : "GROWS")}"));
            }
        }
        var byRepeat = rows.GroupBy(row => row.Repeat).OrderBy(repeat => repeat.Key).ToList();
        foreach (var repeat in byRepeat)
        {
            var different = repeat.Select(row => row.PromptIndex).Distinct().Count();
            if (different == repeat.Count() && (different == prompts || (repeat == byRepeat[^1] && different < prompts))) continue;
            good = false;
            Console.WriteLine($"repeat {repeat.Key} has {repeat.Count()} rows of {different} prompts, not {prompts}: LOST");
        }
        Console.WriteLine($"{byRepeat.Count} repeats, {rows.Count} rows");
        string[] clocks = [InvalidReason.ClockOffset, InvalidReason.ClockSuspended];
        if (rows.Select(row => row.InvalidReasons ?? "").Distinct()
            .FirstOrDefault(reasons => clocks.Any(reasons.Contains)) is not { } drifted)
            return good;
        Console.WriteLine($"clocks: {drifted}");
        return false;
    }

    /// <summary>Processor time of the sampler's thread over a quarter, in cores.</summary>
    private static double Share(List<Sample> quarter) =>
        (quarter[^1].Ticks - quarter[0].Ticks) / TicksPerSecond / (quarter[^1].Seconds - quarter[0].Seconds);

    private static List<Sample> Quarter(IEnumerable<Sample> samples, double span, int quarter) =>
        [.. samples.Where(sample => sample.Seconds > span * (quarter - 1) / 4 && sample.Seconds <= span * quarter / 4)];

    private static double Median(List<Sample> samples, Func<Sample, double> of)
    {
        var sorted = samples.Select(of).Order().ToList();
        return sorted[sorted.Count / 2];
    }

    private static Sample Parse(string line)
    {
        double[] words = [.. line.Split(' ').Select(word => double.Parse(word, CultureInfo.InvariantCulture))];
        return new(words[0], (int)words[1], words[2], words[3], words[4], words[5]);
    }
}
