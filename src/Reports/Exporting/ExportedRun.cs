using Harness.Common;
using Harness.Energy;
using Harness.Energy.Accounting;
using Harness.Runs;
using Harness.Runs.Accounting;
using Harness.Runs.Records;

namespace Harness.Reports.Exporting;

/// <summary>A finished run as exporters see it; its larger files are read when they are asked for.</summary>
public sealed class ExportedRun(string directory)
{
    private readonly RunReader _reader = new(directory);
    private IReadOnlyList<DomainEnergy>? _devices;

    public string Directory => directory;

    public bool IsFinished => _reader.IsComplete;

    public SummaryRecord Summary => field ??= _reader.Summary();

    /// <summary>Why a run that says it is complete is not; null where nothing speaks against it.</summary>
    public string? Gap => Completeness.Objection(Summary, _reader);

    /// <summary>Energy that is to be believed, and the whole of it.</summary>
    public bool IsValid => Summary is { Valid: true, Status: RunStatus.Complete };

    /// <summary>Why energy is not to be believed.</summary>
    public string Objection => Summary.Status != RunStatus.Complete ? Summary.Status : Summary.InvalidReasons ?? "not checked";

    /// <summary>Rows and responses of the prompts that were completed, in order.</summary>
    /// <exception cref="UserErrorException">A file is damaged, or the two are not of the same prompts.</exception>
    public IReadOnlyList<(PromptRecord Row, ResponseRecord Response)> Completed()
    {
        List<PromptRecord> rows = [.. _reader.Prompts()];
        List<ResponseRecord> responses = [.. _reader.Responses()];
        if (!rows.Select(row => (row.Repeat, row.PromptIndex))
            .SequenceEqual(responses.Select(response => (response.Repeat, response.PromptIndex))))
            throw new UserErrorException($"{RunFile.Responses.In(directory)} has {responses.Count} responses, which "
                + "are not "
                + $"those of the {rows.Count} rows of {RunFile.Prompts.Name}; run 'harness verify {directory}'");
        return [.. rows.Zip(responses).Where(pair => !FinishReason.IsFailure(pair.First.FinishReason))];
    }

    /// <summary>
    /// Joules of a scope in all measured windows; null where nothing of it was read, or a part lacks its joules.
    /// </summary>
    public double? Joules(EnergyScope scope) => Summary.Energy.Scopes.Of(scope).Joules ?? (TellsScopes ? null
        : RunAccount.Sum(MeasuredDevices().Where(device => device.Scope == scope).Select(device => device.Joules)));

    /// <summary>Joules of each GPU alone in all measured windows, in the order in which they were seen first.</summary>
    public IReadOnlyList<double?> JoulesOfEachGpu() =>
        [.. MeasuredDevices().Where(device => device.Kind == DomainKind.Gpu).GroupBy(device => device.Key)
            .Select(device => RunAccount.Sum(device.Select(window => window.GpuPowerJoules ?? window.Joules)))];

    /// <summary>Whether the summary has what stood beside the run's energy; earlier versions left it in windows.jsonl alone.</summary>
    private bool TellsScopes => Enum.GetValues<EnergyScope>().Any(scope => Summary.Energy.Scopes.Of(scope).Joules != null);

    /// <summary>A setting as resolved; empty where the manifest has none.</summary>
    public string Setting(string key) => Manifest.Setting(_reader.ReadManifest(), key) ?? "";

    /// <summary>Requests in flight at a time.</summary>
    public int? Concurrency =>
        Summary.Concurrency ?? Summary.BatchSize * (Summary.Ranks / (Summary.TensorParallel * Summary.PipelineParallel));

    private IReadOnlyList<DomainEnergy> MeasuredDevices() => _devices ??=
    [
        .. RunLayout.PiecesIn(directory).SelectMany(_reader.Windows)
            .Where(window => window.Window.Kind == WindowKind.Measured).SelectMany(window => window.Devices),
    ];
}
