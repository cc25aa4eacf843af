using Harness.Configuration;
using Harness.Reporting;
using Harness.Seams;
using Harness.Sharding;
using Harness.Sharding.Launch;
using Harness.Sharding.World;

namespace Harness.Running;

/// <summary>Brings the ranks together: one, threads of this process, or the processes that a launcher started.</summary>
internal static class Ranks
{
    /// <summary>Runs the job on every rank of this process.</summary>
    /// <param name="sharding">How many ranks, and how they meet.</param>
    /// <param name="threads">Of each rank; 0 for its share of the cores.</param>
    /// <param name="job">What a rank does.</param>
    /// <returns>The exit code, which every rank returns alike.</returns>
    public static int Run(ShardingOptions sharding, int threads, Func<ICommunicator, int> job)
    {
        var grid = new ProcessGrid(sharding.Tensor, sharding.Pipeline, sharding.Data);
        var launcher = Launcher.Detect();
        var kind = Worlds.Choose(sharding.Communicator, grid.Size, launcher);
        Say(Launcher.Announced(), launcher, kind);
        var code = ExitCode.Success;
        void Job(ICommunicator world) => Environment.ExitCode = code = job(world);
        if (OtherWorlds.Find(kind) is { } other) other.Run(launcher, threads, library: null, Job, Failure.Report);
        else Worlds.Run(kind, grid.Size, threads, launcher, library: null, Job, Failure.Report);
        return code;
    }

    /// <summary>Of ranks that the environment speaks of and that this process does not wait for.</summary>
    private static void Say(Launcher announced, Launcher launcher, CommunicatorKind communicator)
    {
        if (announced.Size is not > 1 || communicator is not (CommunicatorKind.Solo or CommunicatorKind.Threads)) return;
        var what = launcher.Kind == LauncherKind.None ? "did not start this process: it runs by itself"
            : "started this process too: each of them does the whole job by itself";
        Console.Error.WriteLine(FormattableString.Invariant(
            $"the environment speaks of {announced.Size} ranks of {announced.Label}, which {what}"));
    }
}
