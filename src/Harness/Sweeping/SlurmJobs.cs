using System.Globalization;
using System.Text;
using Harness.Common;
using Harness.Configuration;

namespace Harness.Sweeping;

/// <summary>
/// One Slurm job array for each node shape, of the cells that fit, and a configuration file for each cell. The list of cells
/// stands in the script: Slurm keeps a copy of that when it is submitted, so that writing the jobs again changes no job
/// that waits. A task whose cell is done ends at once.
/// </summary>
internal static class SlurmJobs
{
    /// <summary>Slurm's own limit (MaxArraySize) unless a site has raised it.</summary>
    private const int LargestArray = 1000;

    /// <param name="plans">With the shapes of their jobs.</param>
    /// <exception cref="UserErrorException">A cell leaves its backend to the node.</exception>
    /// <returns>The scripts, in the order in which the cells need them, with the number of cells of each.</returns>
    public static IReadOnlyList<(string Script, int Cells)> Write(string directory, string study, IReadOnlyList<CellPlan> plans,
        string outputDirectory)
    {
        var scripts = new List<(string, int)>();
        var files = Path.Combine(directory, "cells");
        if (plans.FirstOrDefault(plan => plan.Fits && plan.Cell.Options.Runtime.Backend == BackendKind.Auto) is { } undecided)

            throw new UserErrorException($"cell {undecided.Cell.Name}: {Settings.Of(options => options.Runtime.Backend).Named} is 'auto', "
                + "which the node decides; a job must ask Slurm for GPUs or not before it has one: give cpu or torch");
        foreach (var shape in plans.Where(plan => plan.Fits)
            .GroupBy(plan => (Shape: plan.Shape!.Value, Gpus: plan.Cell.Options.Runtime.Backend != BackendKind.Cpu)))
            foreach (var (part, cells) in shape.Chunk(LargestArray).Index())
            {
                foreach (var plan in cells) CellFile.Write(files, plan.Cell);
                var name = $"{study}-{shape.Key.Shape}{(shape.Key.Gpus ? "" : "-cpu")}{(part > 0 ? string.Create(CultureInfo.InvariantCulture, $"-{part + 1}") : "")}";
                var path = Path.Combine(directory, name + ".sbatch");
                var script = Script(name, shape.Key.Shape, shape.Key.Gpus, [.. cells.Select(plan => plan.Cell.Name)],
                    Path.GetFullPath(files), Path.GetFullPath(outputDirectory));
                AtomicFile.Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(script)));
                scripts.Add((path, cells.Length));
            }
        return scripts;
    }

    private static string Script(string name, NodeShape shape, bool gpus, string[] cells, string files, string output) =>
        string.Create(CultureInfo.InvariantCulture,
        $$"""
        #!/bin/bash
        # {{cells.Length}} cells of a grid, each on {{shape.Nodes}} × {{shape.RanksPerNode}} ranks, one a task; written by `harness sweep --emit slurm`.
        # Options of sbatch win over these lines: sbatch --time=12:00:00 --partition=long --array=1-{{cells.Length}}%4 {{name}}.sbatch
        # Submit it again until every cell is complete: a task continues its cell, and ends at once where it is done.
        #SBATCH --job-name={{name}}
        #SBATCH --output=%x-%A_%a.log --open-mode=append
        #SBATCH --time=04:00:00
        #SBATCH --signal=B:USR1@120        # two minutes before the limit the run ends in order: exit code 3, finished batches kept
        #SBATCH --requeue
        #SBATCH --exclusive --mem=0        # a node's joules are this job's only if the node is
        #SBATCH --array=1-{{cells.Length}}
        #SBATCH --nodes={{shape.Nodes}} --ntasks-per-node={{shape.RanksPerNode}}{{(gpus ? $" --gpus-per-node={shape.RanksPerNode}" : "")}}
        FILES={{Quoted(files)}}
        OUT=${OUT:-{{Quoted(output)}}}
        LAUNCH=${LAUNCH:-srun}             # or mpiexec
        MPI=${MPI:-openmpi}                # or mpich (Intel MPI and MVAPICH too)
        lib=${HARNESS_JOBS:-$SLURM_SUBMIT_DIR}/lib.sh; [ -r "$lib" ] || lib=$SLURM_SUBMIT_DIR/jobs/lib.sh     # Slurm runs a copy of this script
        [ -r "$lib" ] || { echo "lib.sh is neither in ${HARNESS_JOBS:-$SLURM_SUBMIT_DIR} nor in $SLURM_SUBMIT_DIR/jobs; set HARNESS_JOBS to the directory jobs/ of the repository" >&2; exit 2; }
        . "$lib"

        run_cell "$LAUNCH" "$MPI" "$FILES" {{string.Join(' ', cells.Select(cell => $"\\\n    {cell}"))}}

        """).ReplaceLineEndings("\n");

    private static string Quoted(string path) => $"'{path.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
