using System.CommandLine;
using Harness.Common;
using Harness.Configuration;
using Harness.Planning;
using Harness.Reporting;
using Harness.Running;
using Harness.Sharding.Launch;
using Harness.Sweeping;

namespace Harness.Verbs;

/// <summary><c>harness sweep</c>: every combination of a configuration's lists, here or as Slurm arrays.</summary>
internal sealed class SweepVerb
{
    /// <summary>A plan's --link is a rate; the transport keeps its long name.</summary>
    private static readonly Switch[] s_switches =
        [.. Switch.All.Where(known => known.Settings[0] != Settings.Of(options => options.Sharding.Link))];

    private readonly Command _command =
        new("sweep", "Run every combination of the lists in a configuration, one run each; complete ones are skipped, unfinished ones go "
        + "on, those that cannot fit are dropped.");
    private readonly ConfigurationSwitches _configuration;
    private readonly DeviceSwitches _devices;
    private readonly Option<string?> _gpusPerNode, _launcher, _emit, _emitDirectory;
    private readonly Option<bool> _dryRun, _next;

    private SweepVerb()
    {
        _dryRun = new("--dry-run")
        {
            Description =
            "show the cells with what fits, predicted GPU-hours and how far each has come, and stop"
        };
        _next = new("--next")
        {
            Description =
            "print the --name under which each unfinished cell goes on or begins, and stop: for job scripts"
        };
        _launcher = Text("--launcher", "COMMAND",
            "starts the ranks of a cell, such as \"mpiexec -n {ranks}\"; {ranks}, {nodes}, {tp}, {pp} and {dp} are replaced; default: "
            + "ranks are threads");
        _gpusPerNode = Text("--gpus-per-node", "N", "ranks that a node takes, from which the nodes of a cell follow");
        _emit = Text("--emit", "slurm", "write a Slurm job array for each node shape instead of running here");
        _emitDirectory = Text("--emit-dir", "DIR", "where --emit writes; default: slurm in the output directory");
        foreach (var option in (Option[])[_dryRun, _next, _launcher, _gpusPerNode, _emit, _emitDirectory]) _command.Options.Add(option);
        _devices = new(_command);
        _configuration = new(_command, s_switches);
        _command.SetAction(Execute);
    }

    public static Command Create() => new SweepVerb()._command;

    private static Option<string?> Text(string name, string value, string description) =>
        new(name) { HelpName = value, Description = description };

    private int Execute(ParseResult parsed)
    {
        if (parsed.GetValue(_emit) is { } kind and not "slurm") throw Quantity.Wrong(kind, _emit.Name, "slurm");
        if (((bool[])[parsed.GetValue(_emit) != null, parsed.GetValue(_dryRun), parsed.GetValue(_next)]).Count(given => given) > 1)
            throw new UserErrorException(
                $"{_emit.Name}, {_dryRun.Name} and {_next.Name} each do something else than run; give one of them");
        if (Launcher.Detect() is { Size: > 1 } above)
            throw new UserErrorException($"{above.Size} sweeps were started by {above.Label}; start one, and let it start the ranks: "
                + $"harness sweep --launcher \"mpiexec -n {{ranks}}\"");
        var launcher = new LaunchCommand(parsed.GetValue(_launcher) ?? "");
        int? perNode = parsed.GetValue(_gpusPerNode) is { } text ? Quantity.Whole(text, _gpusPerNode.Name) : null;
        if (perNode == null && (launcher.NeedsNodes || parsed.GetValue(_emit) != null))
            throw new UserErrorException($"{_gpusPerNode.Name} is missing; the nodes of a cell follow from how many ranks one takes");
        var (file, commandLine) = _configuration.Given(parsed);
        var grid = new SweepGrid(file, commandLine);
        var planner = new CellPlanner(_devices.Resolve(parsed), perNode);
        var plans = grid.Cells.Select(cell => Plan(planner, cell)).ToList();
        // A table, names or scripts are what was asked for; of a sweep that runs its files are.
        var output = parsed.GetValue(_emit) != null || parsed.GetValue(_dryRun) || parsed.GetValue(_next)
            ? parsed.InvocationConfiguration.Output : Console.Out;

        if (parsed.GetValue(_next)) return WriteNext(output, plans);
        foreach (var missing in planner.Missing) output.WriteLine($"# not on this machine: {missing}");
        // A name that another study has taken is found before anything runs.
        var directories = plans.Select(plan => plan.Fits ? CellDirectories.Look(plan.Cell) : null).ToList();
        if (parsed.GetValue(_emit) != null) return Emit(parsed, grid, plans, file);
        if (!parsed.GetValue(_dryRun)) return Run(plans, launcher, output);
        SweepTables.WritePlan(output, plans, directories);
        return ExitCode.Success;
    }

    private static CellPlan Plan(CellPlanner planner, SweepCell cell)
    {
        try
        {
            return planner.Plan(cell);
        }
        catch (UserErrorException e)
        {
            throw new UserErrorException($"cell {cell.Name}: {e.Message}", e);
        }
    }

    private static int Run(IReadOnlyList<CellPlan> plans, LaunchCommand launcher, TextWriter output)
    {
        using var stop = new StopSignal();
        var outcomes = new Sweep(plans, launcher, stop, output, TimeProvider.System).Run();
        SweepTables.WriteOutcomes(output, outcomes);
        if (stop.Reason is { } reason) output.WriteLine($"stopped by {reason}; the same command goes on");
        return Sweep.ExitCodeOf(outcomes);
    }

    private static int WriteNext(TextWriter output, IReadOnlyList<CellPlan> plans)
    {
        foreach (var plan in plans.Where(plan => plan.Fits))
            if (CellDirectories.Look(plan.Cell) is { State: not CellState.Done } cell) output.WriteLine(cell.NextRunName());
        return ExitCode.Success;
    }

    private int Emit(ParseResult parsed, SweepGrid grid, IReadOnlyList<CellPlan> plans, string? file)
    {
        var directory = parsed.GetValue(_emitDirectory) ?? Path.Combine(grid.OutputDirectory, "slurm");
        var study = Path.GetFileNameWithoutExtension(file) is { Length: > 0 } name ? PlainName.Of(name) : "sweep";
        var output = parsed.InvocationConfiguration.Output;
        var scripts = SlurmJobs.Write(directory, study, plans, grid.OutputDirectory);
        foreach (var plan in plans.Where(plan => !plan.Fits)) output.WriteLine($"# dropped {plan.Cell.Name}: {plan.Row.Reason}");
        foreach (var (script, cells) in scripts) output.WriteLine($"sbatch {script}    # {Figures.Count(cells, "cell")}");
        return ExitCode.Success;
    }
}
