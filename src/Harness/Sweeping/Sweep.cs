using Harness.Common;
using Harness.Reporting;
using Harness.Running;

namespace Harness.Sweeping;

/// <summary>Runs the cells of a grid here, one after another; those that another process has are looked at once more at the end.</summary>
internal sealed class Sweep(IReadOnlyList<CellPlan> plans, LaunchCommand launcher, StopSignal stop, TextWriter output, TimeProvider time)
{
    private const string FilesDirectory = ".cells";

    /// <returns>One outcome a cell, in the grid's order.</returns>
    public IReadOnlyList<CellOutcome> Run()
    {
        var outcomes = new CellOutcome[plans.Count];
        var clock = new SweepClock(plans.Count(plan => plan.Fits), time);
        for (var i = 0; i < plans.Count; i++)
        {
            outcomes[i] = Visit(plans[i], i);
            clock.Ended(outcomes[i].Outcome);
            if (i + 1 < plans.Count && !stop.Requested && clock.Line is { } line) Write(line);
        }
        for (var i = 0; i < plans.Count; i++)
            if (outcomes[i].Outcome == Outcome.Taken && !stop.Requested) outcomes[i] = Visit(plans[i], i);
        return outcomes;
    }

    /// <summary>0 where a rerun would find nothing to do.</summary>
    public static int ExitCodeOf(IReadOnlyList<CellOutcome> outcomes)
    {
        bool Any(params Outcome[] kinds) => outcomes.Any(outcome => kinds.Contains(outcome.Outcome));
        if (Any(Outcome.Stopped)) return ExitCode.Interrupted;
        if (Any(Outcome.Failed, Outcome.Invalid)) return ExitCode.Failure;
        return Any(Outcome.Taken) ? ExitCode.Taken : ExitCode.Success;
    }

    private CellOutcome Visit(CellPlan plan, int index)
    {
        var cell = plan.Cell;
        var label = FormattableString.Invariant($"sweep: cell {index + 1} of {plans.Count}, {cell.Name}");
        if (!plan.Fits) return Say(label, new(cell, Outcome.Dropped, Why: plan.Row.Reason));
        try
        {
            var before = CellDirectories.Look(cell);
            if (before.State == CellState.Done) return Say(label, new(cell, Outcome.Skipped, before.Best));
            return stop.Requested ? new(cell, Outcome.Stopped, before.Best, "not begun") : Attempt(plan, before, label);
        }
        catch (UserErrorException e)
        {
            return Say(label, new(cell, Outcome.Failed, Why: e.Message));
        }
    }

    private CellOutcome Attempt(CellPlan plan, CellDirectories before, string label)
    {
        var cell = plan.Cell;
        var name = before.NextRunName();
        var file = CellFile.Write(Path.Combine(cell.Options.Output.Directory, FilesDirectory), cell);
        Write($"{label}: {(before.State == CellState.Unfinished ? "goes on" : "begins")} as {name}{cell.Suffix}");
        var code = ChildProcess.Run(launcher.For(plan), ["run", "--config", file, "--name", name, "--Output:IfTaken=refuse"], stop);
        return Say(label, Judge(cell, code));
    }

    /// <summary>By what lies on the storage: launchers lose exit codes.</summary>
    private CellOutcome Judge(SweepCell cell, int code)
    {
        var after = CellDirectories.Look(cell);
        if (after.State == CellState.Done) return new(cell, code == ExitCode.Success ? Outcome.Complete : Outcome.Skipped, after.Best);
        if (code == ExitCode.Taken) return new(cell, Outcome.Taken, after.Best, "another process has it, or began it otherwise; --fresh "
            + "begins anew");
        if (stop.Requested && code != ExitCode.Failure) return new(cell, Outcome.Stopped, after.Best, "finished batches are kept");
        if (code == ExitCode.Success && after.State == CellState.Invalid) return new(cell, Outcome.Invalid, after.Best, after.Best!.Why);
        return new(cell, Outcome.Failed, after.Best, End(code));
    }

    private static string End(int code) => code switch
    {
        ExitCode.Success => "it left no complete run",
        > 128 and < 160 => FormattableString.Invariant($"ended by signal {code - 128}{(code == 137 ? " (out of memory, or killed)" : "")}"),
        _ => FormattableString.Invariant($"exit code {code}; it said why above"),
    };

    private CellOutcome Say(string label, CellOutcome outcome)
    {
        var said = outcome.Outcome == Outcome.Skipped ? "is complete already" : outcome.Outcome.ToString().ToLowerInvariant();
        Write($"{label}: {said}{(outcome.Why == null ? "" : $": {outcome.Why}")}");
        return outcome;
    }

    private void Write(string line)
    {
        output.WriteLine(line);
        output.Flush();
    }
}
