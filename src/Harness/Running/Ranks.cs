using Harness.Configuration;
using Harness.Seams;
using Harness.Sharding;
using Harness.Sharding.Launch;
using Harness.Verbs;

namespace Harness.Running;

/// <summary>Brings the ranks together: one, threads of this process, or the processes that a launcher started.</summary>
internal static class Ranks
{
    /// <summary>Runs the job on every rank of this process.</summary>
    /// <returns>The exit code, which every rank returns alike.</returns>
    public static int Run(ShardingOptions sharding, Func<ICommunicator, int> job)
    {
        var grid = new ProcessGrid(sharding.Tensor, sharding.Pipeline, sharding.Data);
        var launcher = Launcher.Detect();
        var name = Worlds.Choose(sharding.Communicator, grid.Size, launcher);
        var code = ExitCode.Success;
        void Job(ICommunicator world) => code = job(world);
        if (OtherWorlds.Find(name) is { } other) other.Run(launcher, library: null, Job, Terminal.Report);
        else Worlds.Run(name, grid.Size, launcher, library: null, Job, Terminal.Report);
        return code;
    }
}
