using Harness.Configuration;

namespace Harness.Diagnosing;

/// <summary>Where to look. The defaults are those of a run; tests look elsewhere.</summary>
internal sealed record Places
{
    /// <summary>Where run directories would be made.</summary>
    public string Output { get; init; } = new Configuration.OutputOptions().Directory;
    public string DemoModel { get; init; } = ModelOptions.Demo;

    /// <summary>Empty: beside the program, or where the linker finds it.</summary>
    public string LibTorch { get; init; } = "";
    public string NcclLibrary { get; init; } = "libnccl.so.2";

    /// <summary>Null for the driver's own.</summary>
    public string? NvmlLibrary { get; init; }
    public string RaplRoot { get; init; } = Energy.Meters.RaplMeter.DefaultRoot;
    public IReadOnlyList<string> MpiLibraries { get; init; } = Sharding.Mpi.MpiInstallation.Names;
}

/// <summary>Lists what this build and this machine can do. Never throws: what cannot be examined is a finding.</summary>
internal static class Doctor
{
    public static IReadOnlyList<Finding> Examine(Places places)
    {
        (string Subject, FindingState IfItThrows, Func<IEnumerable<Finding>> Look)[] examinations =
        [
            ("backend cpu", FindingState.Failed, Software.CpuBackend),
            ("libtorch", FindingState.Missing, () => Software.LibTorch(places.LibTorch)),
            ("backend auto", FindingState.Missing, () => Software.DefaultBackend(places.LibTorch)),
            ("tokenizer library", FindingState.Missing, Software.TokenizerLibrary),
            ("demo model", FindingState.Failed, () => Software.DemoModel(places.DemoModel)),
            ("output directory", FindingState.Failed, () => Storage.Examine(places.Output)),
            ("clock", FindingState.Failed, Clocks.Examine),
            ("launcher", FindingState.Missing, Messaging.Launcher),
            ("MPI", FindingState.Missing, () => Messaging.Mpi(places.MpiLibraries)),
            ("communicator mpinet", FindingState.Missing, () => Messaging.MpiNet(places.MpiLibraries)),
            ("NCCL", FindingState.Missing, () => Messaging.Nccl(places.NcclLibrary)),
            ("GPU", FindingState.Missing, () => Meters.Nvml(places.NvmlLibrary)),
            ("RAPL", FindingState.Missing, () => Meters.Rapl(places.RaplRoot)),
        ];
        return [.. examinations.SelectMany(e => Guarded(e.Subject, e.IfItThrows, e.Look))];
    }

    /// <summary>Whether <c>harness run</c> without options can work here.</summary>
    public static bool CanRun(IEnumerable<Finding> findings) => findings.All(finding => finding.State != FindingState.Failed);

    internal static IReadOnlyList<Finding> Guarded(string subject, FindingState ifItThrows, Func<IEnumerable<Finding>> look)
    {
        try
        {
            return [.. look()];
        }
        catch (Harness.Common.UserErrorException e)
        {
            return [Finding.FromMessage(subject, ifItThrows, e.Message)];
        }
        catch (Exception e)
        {
            return [new(subject, ifItThrows, $"could not be examined: {e.GetType().Name}: {e.Message.ReplaceLineEndings(" ")}",
                "please report it")];
        }
    }
}
