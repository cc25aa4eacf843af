using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using Harness.Common;
using Harness.Runs;
using Harness.Runs.Pieces;

namespace Harness.Reports.Collecting;

/// <summary>A numbered step of a job, as Slurm's accounting has it.</summary>
/// <param name="Joules">Null where the cluster counts none: its plug-in is of type none, or the step was too short.</param>
internal sealed record SlurmStep(string Job, string Step, int Nodes, double? Joules);

/// <summary>
/// Asks <c>sacct</c> for the joules of job steps. A job's own row is no figure: it adds up steps that ran at the same time, the batch
/// step beside those of srun, and so counts nodes twice.
/// </summary>
/// <param name="program">Of the machine's PATH, or a path.</param>
public sealed class SlurmAccounting(string program = "sacct")
{
    private const int JobsAtOnce = 200;

    private const string Remedy = "collect without --slurm, or where the accounting answers";

    /// <summary>An accounting that does not answer ends no sooner by itself.</summary>
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(2);

    /// <summary>Slurm's NO_VAL and INFINITE of 32 and 64 bits.</summary>
    private static readonly double[] s_noValues = [4294967294, 4294967295, 18446744073709551614, 18446744073709551615];

    /// <summary>The columns of every row, in their order; what cannot be told of a run is null, and why is in a line.</summary>
    /// <exception cref="UserErrorException">The accounting cannot be asked.</exception>
    internal IReadOnlyList<SlurmColumns> Of(IReadOnlyList<CollectedRow> rows, Action<string> say)
    {
        var starts = rows.Select(PiecesOf).ToList();
        var jobs = starts.SelectMany(pieces => pieces.Select(start => start.Job)).OfType<string>().Distinct().Order(StringComparer.Ordinal);
        var steps = jobs.Chunk(JobsAtOnce).SelectMany(Ask).ToLookup(step => step.Job);
        List<IReadOnlySet<SlurmStep>> own = [.. rows.Zip(starts, (row, pieces) => pieces.All(start => start.Job == null)
            ? new HashSet<SlurmStep>() : StepsOf(pieces, steps, why => say($"{row.Directory}: no joules of Slurm: {why}")))];
        var runs = own.SelectMany(used => used).CountBy(step => step).ToDictionary();
        return [.. rows.Zip(own, (row, used) =>
        {
            if (used.FirstOrDefault(step => runs[step] > 1) is { } shared)
            {
                say($"{row.Directory}: no joules of Slurm: step {shared.Job}.{shared.Step} had {runs[shared]} runs, one after the other");
                return new();
            }
            var joules = used.Count > 0 && used.All(step => step.Joules != null) ? used.Sum(step => step.Joules) : null;
            var ours = double.TryParse(row.Columns.GetValueOrDefault("total_energy_j"), NumberStyles.Float, CultureInfo.InvariantCulture,
                out var total) && total > 0 ? total : (double?)null;
            return new SlurmColumns { EnergyJoules = joules, Ratio = joules / ours };
        })];
    }

    /// <summary>The starts whose joules are in the run's.</summary>
    private static IReadOnlyList<StartRecord> PiecesOf(CollectedRow row)
    {
        var run = new RunReader(row.Directory);
        return run.HasManifest
            ? [.. StartRecord.Of(run.ReadManifest(), RunFile.Manifest.In(row.Directory)).Where(start => start.Batches != 0)] : [];
    }

    /// <summary>The step of each start; none where one of them cannot be told.</summary>
    private static HashSet<SlurmStep> StepsOf(IReadOnlyList<StartRecord> pieces, ILookup<string, SlurmStep> steps, Action<string> objection)
    {
        var used = new HashSet<SlurmStep>();
        foreach (var start in pieces)
        {
            var nodes = start.Hosts.Distinct().Count();
            var those = start.Job is not { } job ? []
                : steps[job].Where(step => step.Nodes == nodes && (start.Step ?? step.Step) == step.Step).ToList();
            if (those is [var one] && used.Add(one)) continue;
            objection(start.Job == null ? $"start {start.Start} was in no job"
                : those.Count == 0 ? $"job {start.Job} has no step of its {Figures.Count(nodes, "node")}"
                : those.Count > 1 ? $"which of the steps {string.Join(", ", those.Select(step => step.Step))} of job {start.Job} it was "
                    + "is not told"
                : $"job {start.Job} was requeued, and its accounting has one of the starts");
            return [];
        }
        return used;
    }

    private IEnumerable<SlurmStep> Ask(string[] jobs)
    {
        var answer = Run(["--noheader", "--parsable2", "--format=JobIDRaw,NNodes,ConsumedEnergyRaw", $"--jobs={string.Join(',', jobs)}"]);
        foreach (var line in answer.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.TrimEnd('\r').Split('|') is not [var id, var nodes, var joules] || id.Split('.') is not [var job, var step]) continue;
            if (!int.TryParse(step, NumberStyles.None, CultureInfo.InvariantCulture, out _)) continue;     // batch and extern: of the job
            yield return new(job, step, int.TryParse(nodes, NumberStyles.None, CultureInfo.InvariantCulture, out var count) ? count : 0,
                double.TryParse(joules, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value > 0
                    && !s_noValues.Contains(value) ? value : null);
        }
    }

    private string Run(IReadOnlyList<string> arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments)
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            process.StandardInput.Close();
            var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
            if (!Task.WaitAll([output, error], s_limit))
            {
                process.Kill(entireProcessTree: true);
                throw new UserErrorException($"{program} did not answer within {s_limit.TotalMinutes:F0} minutes; {Remedy}");
            }
            process.WaitForExit();
            if (process.ExitCode == 0) return output.Result;
            var said = error.Result.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).FirstOrDefault();
            throw new UserErrorException($"{program} failed with exit code {process.ExitCode}: {said ?? "it said nothing"}; {Remedy}");
        }
        catch (Exception e) when (e is Win32Exception or IOException or InvalidOperationException)
        {
            throw new UserErrorException($"{program} cannot be started: {e.Message}; {Remedy}", e);
        }
    }
}
