using Harness.Common;
using Harness.Sharding.Launch;
using Harness.Sharding.Waits;

namespace Harness.Sharding.Mpi;

/// <summary>
/// The ranks that a launcher started, one process each. Signal handlers must be registered before <see cref="Run"/>:
/// a signal that arrives while MPI starts otherwise kills the rank.
/// </summary>
public static unsafe class MpiWorld
{
    /// <summary>Seconds that an abort may take before the process ends by itself.</summary>
    private static readonly TimeSpan s_longestFarewell = TimeSpan.FromMinutes(1);
    private const int AbortSeconds = 5;

    /// <summary>
    /// Joins the world, runs <paramref name="body"/> and leaves it. An exception on any rank ends every rank: it is
    /// given to <paramref name="fail"/>, which reports it and returns the exit code, and the world is aborted before any <c>finally</c>
    /// runs, so that no clean-up waits for a peer; what must not be left undone is one of the <see cref="LastActs"/>. Of several ranks that
    /// fail alike, the lowest reports (<see cref="RankFailure"/>).
    /// </summary>
    /// <param name="launcher">Who started this process.</param>
    /// <param name="threads">Threads with which this rank computes; 0 where the backend takes its share of the cores.</param>
    /// <param name="library">libmpi, a path or a file name; null chooses by environment and launcher.</param>
    /// <param name="body">Called once with the communicator of all ranks, which it must not keep. Where it sets
    /// <see cref="Environment.ExitCode"/>, equal on every rank, the launcher is told that code even where it would lose it.</param>
    /// <param name="fail">Reports an exception; its result, made non-zero, is the job's exit code.</param>
    /// <exception cref="Harness.Common.UserErrorException">No usable library; MPI has not been started.</exception>
    public static void Run(Launcher launcher, int threads, string? library, Action<ICommunicator> body, Func<Exception, int> fail) =>
        Run(launcher, threads, () => MpiLibrary.Load(launcher, library), Join, body, fail);

    /// <summary>The same with another binding of the library between MPI and the communicator.</summary>
    /// <param name="launcher">Who started this process.</param>
    /// <param name="threads">As above.</param>
    /// <param name="load">Finds the library.</param>
    /// <param name="join">Starts MPI; gives the communicator of all ranks, and what completes its pending sends.</param>
    /// <param name="body">Called once with the communicator.</param>
    /// <param name="fail">Reports an exception.</param>
    internal static void Run(Launcher launcher, int threads, Func<MpiLibrary> load, Func<MpiLibrary, CoreShortage,
        (ICommunicator World, Action Drain)> join,
        Action<ICommunicator> body, Func<Exception, int> fail)
    {
        // Else UCX, which reads it when it is loaded, takes the signals by which .NET turns a null dereference into an exception.
        ProcessControl.SetNativeDefault("UCX_ERROR_SIGNALS", "");
        MpiLibrary mpi;
        try
        {
            mpi = load();
            LaunchChecks.LibraryFits(launcher, mpi.Abi.Family, mpi.Name, mpi.Version);
        }
        catch
        {
            RankFailure.LetRankZeroSpeak(launcher);
            throw;
        }

        var shortage = new CoreShortage();
        var (world, drain) = join(mpi, shortage);
        try
        {
            try
            {
                LaunchChecks.WorldSize(launcher, world.Size, mpi.Abi.Family, mpi.Name, mpi.Version);
            }
            catch
            {
                RankFailure.LetRankZeroSpeak(launcher);
                throw;
            }
            shortage.Outnumbered = CoreClaims.OutnumberCores(world, threads);
            body(world);
            Leave(launcher, mpi, drain, world, fail);
        }
        catch (Exception e) when (End(mpi, world.Rank, e, fail))
        {
        }
    }

    /// <summary>Does not return, whatever the library does.</summary>
    internal static void Abort(MpiLibrary mpi, int exitCode)
    {
        new Thread(() =>
        {
            Thread.Sleep(TimeSpan.FromSeconds(AbortSeconds));
            ProcessControl.ExitAtOnce(exitCode);
        })
        { IsBackground = true }.Start();
        mpi.Abort(mpi.Abi.World, exitCode);
        ProcessControl.ExitAtOnce(exitCode);
    }

    private static (ICommunicator World, Action Drain) Join(MpiLibrary mpi, CoreShortage shortage)
    {
        int provided;
        mpi.Check(mpi.InitThread(0, 0, MpiAbi.ThreadSerialized, &provided), "MPI_Init_thread");
        mpi.Check(mpi.CommSetErrorHandler(mpi.Abi.World, mpi.Abi.ErrorsReturn), "MPI_Comm_set_errhandler");
        var sends = new PendingSends(mpi, provided >= MpiAbi.ThreadSerialized, shortage);
        return (new MpiCommunicator(mpi, sends, shortage, mpi.Abi.World, patient: false), sends.Drain);
    }

    private static bool End(MpiLibrary mpi, int rank, Exception e, Func<Exception, int> fail)
    {
        LastActs.Perform();
        var code = RankFailure.Of(e, rank, fail);
        Abort(mpi, code == 0 ? 1 : code);
        return true;
    }

    /// <summary>All ranks have done their work: who is not here soon, or hangs in MPI_Finalize, would keep the job for ever.</summary>
    private static void Leave(Launcher launcher, MpiLibrary mpi, Action drain, ICommunicator world, Func<Exception, int> fail)
    {
        using var watchdog = world.Size == 1 ? null
            : RankWatchdog.EndingProcess(s_longestFarewell, world.Rank, line => fail(new UserErrorException(line)));
        var places = mpi.HangsInFinalize ? NodeTopology.NetworkPlaces(world) : 1;
        // Here a rank waits as it should for its cores; in MPI_Finalize it would keep one busy.
        world.Barrier();
        drain();
        // Hydra loses the exit codes of ranks after a signal: of those that end in the same moment, and of nodes with one rank.
        if (Environment.ExitCode is not 0 and var code && ProcessManager.Listens(launcher))
            RankFailure.EndTogether(launcher, world.Rank, code);
        if (places == 1)
        {
            mpi.Check(mpi.Finalize(), "MPI_Finalize");
            return;
        }
        // The ranks have met and go without MPI_Finalize, which needs a word with Hydra, and an end of the process
        // that runs no exit handler of the native libraries.
        ProcessManager.Farewell(launcher);
        AppDomain.CurrentDomain.ProcessExit += (_, _) => ProcessControl.ExitAtOnce(Environment.ExitCode);
    }
}
