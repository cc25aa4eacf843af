using System.Globalization;
using System.Runtime.InteropServices;
using Harness.Accounting;
using Harness.Configuration;
using Harness.Energy.Records;
using Harness.Energy.Statistics;
using Harness.Records;
using Harness.Reporting;

namespace Harness.Running;

/// <summary>The run directory of one power setting, as rank 0 fills it.</summary>
internal sealed class RunFiles : IDisposable
{
    private readonly RunOptions _options;
    private readonly Manifest _manifest;

    public RunDirectory Directory { get; }
    public ResultBook Book { get; }

    /// <summary>Makes the directory and says in the manifest what is about to run.</summary>
    public RunFiles(ResolvedConfiguration configuration, RankModel model, PromptSet prompts, PowerCell cell)
    {
        _options = configuration.Options;
        var name = ModelName(_options.Model);
        var directoryName = _options.Output.Name.Length > 0 ? _options.Output.Name + cell.Suffix : null;
        Directory = RunDirectory.Create(_options.Output.Directory, directoryName, name + cell.Suffix, DateTimeOffset.UtcNow);
        Book = new(Directory.RunId, prompts, Directory);
        _manifest = new(Describe(model, prompts, name, cell))
        {
            ["configuration"] = configuration.Entries().ToDictionary(entry => entry.Key, entry => new { value = entry.Value, source = entry.Source }),
            ["software"] = new { harness = Build.Version, dotnet = RuntimeInformation.FrameworkDescription, operating_system = RuntimeInformation.OSDescription },
            ["hardware"] = new { hosts = model.Topology.Hosts, cores_rank_0 = Environment.ProcessorCount, architecture = RuntimeInformation.ProcessArchitecture.ToString() },
            ["checkpoint"] = new { name = model.Checkpoint.Name, fingerprint = model.Checkpoint.Fingerprint },
        };
        Directory.WriteManifest(_manifest);
    }

    /// <summary>Nothing was measured at this power setting: a row without figures says so.</summary>
    public void Skip(string why)
    {
        _manifest["skipped"] = why;
        _manifest.Run = _manifest.Run with { Status = RunStatus.Skipped };
        Directory.WriteManifest(_manifest);
        Directory.WriteSummary(_manifest.Run);
    }

    /// <summary>Every file that is not written yet, the summary last; and the table for the person who waits.</summary>
    public void Finish(EnergyEvidence evidence, IReadOnlyList<RankRecord> ranks, RankModel model)
    {
        var energy = new RunEnergy(evidence);
        var steps = Book.Steps(replica => evidence.Ranks.First(place => place.Rank == replica * model.Groups.Replica.Size).Clock).ToList();
        var (rows, attributions) = PromptEnergies.Fill(energy, Book.Rows, steps);

        Directory.WriteText(RunDirectory.PowerFile, text => PowerRecords.Write(text, evidence.Series));
        Directory.WriteText(RunDirectory.WindowsFile, text => WindowRecords.Write(text, energy.Windows));
        Directory.WriteJsonLines(RunDirectory.StepsFile, steps);
        Directory.WriteJson(RunDirectory.EnergyFile, new { evidence, repeats = Figures(energy), energy_per_output_token = Interval(energy, rows) });
        Directory.WriteRanks(ranks.Select(row => row with { EnergyJoules = energy.JoulesOfRank(row.Rank, row.Window), Device = energy.DevicesOfRank(row.Rank) }));
        Directory.CompleteResults(rows);

        _manifest.Run = _manifest.Run with
        {
            Status = evidence.RanToEnd ? RunStatus.Complete : RunStatus.Interrupted,
            Gpu = energy.GpuName ?? model.Backend.Device,
            NumGpus = energy.Gpus,
            PaperEnergyJoules = energy.PaperJoules(),
        };
        Directory.WriteManifest(_manifest);
        var summary = Summary.Compute(_manifest.Run, rows, energy.DurationSeconds, energy.Totals(attributions));
        Directory.WriteSummary(summary);
        var console = ResultConsole.On(Console.Out);
        SampleAnswers.Write(console, Book.FirstResponses);
        SummaryTable.Write(console, summary, Directory.Path);
    }

    public void Dispose() => Directory.Dispose();

    private static IEnumerable<object> Figures(RunEnergy energy) => energy.Repeats.Select(repeat => new
    {
        repeat = repeat.Window.Repeat,
        duration_s = repeat.Window.DurationSeconds,
        energy_j = repeat.Joules,
        net_energy_j = repeat.NetJoules,
        average_power_w = repeat.AverageWatts,
        invalid_reasons = energy.Reasons(repeat),
    });

    /// <summary>Joules per output token over the repeats, with its 95 % interval; null for fewer than two repeats or without energy.</summary>
    private static ConfidenceInterval? Interval(RunEnergy energy, List<PromptRecord> rows)
    {
        var tokens = rows.GroupBy(row => row.Repeat).ToDictionary(group => group.Key, group => group.Sum(row => row.OutputTokens));
        var values = energy.Repeats.Select(repeat => repeat.Joules / tokens.GetValueOrDefault(repeat.Window.Repeat!.Value)).OfType<double>().ToList();
        return values.Count == energy.Repeats.Count ? ConfidenceInterval.Of(values) : null;
    }

    /// <summary>What the user typed, without the path in front: llama-7b of /models/llama-7b/, or demo.</summary>
    private static string ModelName(ModelOptions model) =>
        model.Path.Length == 0 ? "demo" : Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(model.Path)));

    private SummaryRecord Describe(RankModel model, PromptSet prompts, string name, PowerCell cell) => new()
    {
        RunId = Directory.RunId,
        Status = RunStatus.Incomplete,
        TimestampUtc = DateTimeOffset.UtcNow.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture),
        Commit = Build.Commit.Length > 0 ? Build.Commit : null,
        Model = name,
        ParametersBillions = model.Checkpoint.Config.Shape.Parameters / 1e9,
        Dtype = Tensors.DTypes.Label(model.Storage),
        Backend = _options.Runtime.Backend,
        Nodes = model.Topology.Nodes,
        Ranks = model.World.Size,
        TensorParallel = _options.Sharding.Tensor,
        PipelineParallel = _options.Sharding.Pipeline,
        MicroBatches = _options.Sharding.EffectiveMicroBatches,
        BatchSize = _options.Batch.Size,
        Schedule = _options.Batch.Schedule,
        MaxNewTokens = _options.Generation.MaxNewTokens,
        Dataset = prompts.Prompts[0].Dataset,
        Task = _options.Dataset.Task.Length > 0 ? _options.Dataset.Task : null,
        NumPrompts = prompts.Prompts.Count,
        PowerLimitWatts = cell.LimitWatts,
        SmClockMhz = cell.SmClockMhz,
    };
}
