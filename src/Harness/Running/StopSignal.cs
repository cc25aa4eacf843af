using System.Runtime.InteropServices;

namespace Harness.Running;

/// <summary>
/// Ctrl-C, SIGTERM (scancel, a batch system's limit), SIGUSR1 (sbatch --signal) and SIGHUP (the terminal has gone; where it is ignored,
/// as under nohup, it stays ignored) ask the run to end in order: the pass under way is finished, the batch under way is given up,
/// finished batches are kept; a load ends between two tensors, and whoever waits for time to pass waits no longer. A second Ctrl-C ends
/// the process at once. Made before MPI starts: a signal without a handler kills a rank.
/// </summary>
internal sealed class StopSignal : IDisposable
{
    private const PosixSignal UserSignal1 = (PosixSignal)10;     // SIGUSR1 on Linux

    private readonly PosixSignalRegistration[] _registrations;
    private volatile string? _reason;

    public StopSignal() => _registrations =
    [
        On(PosixSignal.SIGINT, "Ctrl-C"), On(PosixSignal.SIGTERM, "SIGTERM"),
        On(UserSignal1, "SIGUSR1"), On(PosixSignal.SIGHUP, "SIGHUP"),
    ];

    public bool Requested => _reason != null;

    /// <summary>The signal that came first.</summary>
    public string? Reason => _reason;

    public void Dispose()
    {
        foreach (var registration in _registrations) registration.Dispose();
    }

    private PosixSignalRegistration On(PosixSignal signal, string name) => PosixSignalRegistration.Create(signal, context =>
    {
        context.Cancel = !(Requested && signal == PosixSignal.SIGINT);
        _reason ??= name;
    });
}
