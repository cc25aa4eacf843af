using System.Globalization;
using Harness.Common;

namespace Harness.Bench;

/// <summary>What grows with the number of ranks on rank 0, and how fast: seconds, memory and bytes of files.</summary>
internal static class RanksBench
{
    public static void Run(Options options)
    {
        var (prompts, samples) = (options.Integer("prompts", 4096), options.Integer("samples", 600));
        var sizes = options.Integers("ranks", "32,256,1024");
        Console.WriteLine($"{prompts} prompts, {samples} readings of each rank's GPU");
        Console.WriteLine("ranks  stage                    seconds  allocated MB   growth of both");
        var before = new List<(string Stage, int Ranks, double? Seconds, double Megabytes)>();
        foreach (var ranks in sizes)
        {
            var rows = Measure(ranks, prompts, samples);
            for (var i = 0; i < rows.Count; i++)
            {
                var (stage, seconds, megabytes) = rows[i];
                var growth = before.Count == 0 ? "" : string.Create(CultureInfo.InvariantCulture,
                    $"{Exponent(before[i].Seconds, seconds),4}  {Exponent(before[i].Megabytes, megabytes)}");
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"{ranks,5}  {stage,-22} {(seconds is { } time ? time.ToString("0.000", CultureInfo.InvariantCulture) : ""),9} "
                    + $"{megabytes,13:0.0}   {growth}"));

                string Exponent(double? then, double? now) => then is { } a && now is { } b
                    ? (Math.Log(b / a) / Math.Log((double)ranks / before[i].Ranks)).ToString("0.00", CultureInfo.InvariantCulture) : "";
            }
            before = [.. rows.Select(row => (row.Stage, ranks, row.Seconds, row.Megabytes))];
        }
        Console.WriteLine("growth: the exponent k of ranks^k since the line before; 1 is with the records");
    }

    /// <summary>Each stage, all of them, what stays in memory, and the files.</summary>
    private static List<(string Stage, double? Seconds, double Megabytes)> Measure(int ranks, int prompts, int samples)
    {
        var directory = Directory.CreateTempSubdirectory("harness-bench-").FullName;
        try
        {
            var scripted = new ScriptedRanks(ranks, prompts, samples, directory);
            var summary = scripted.Run();
            var off = summary.Energy.Total / scripted.ScriptedJoules - 1;
            if (!(Math.Abs(off ?? double.NaN) < 1e-3))
                throw new UserErrorException($"{summary.Energy.Total} J were found where {scripted.ScriptedJoules} J were scripted");
            var costs = scripted.Costs;
            return
            [
                .. costs.Select(cost => (cost.Stage, (double?)cost.Seconds, cost.AllocatedBytes / 1e6)),
                ("all of them", costs.Sum(cost => cost.Seconds), costs.Sum(cost => cost.AllocatedBytes) / 1e6),
                ("in memory at the end", null, scripted.RetainedBytes / 1e6),
                ("files", null, scripted.FileBytes / 1e6),
            ];
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }
}
