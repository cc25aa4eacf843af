using System.Text;
using Harness.Common;
using Harness.Configuration;
using Harness.Models.Llama.Checkpoints;
using Harness.Planning;
using Harness.Reporting;
using Harness.Runs.Records;
using Harness.Seams;
using Harness.Sharding;
using Harness.Sharding.Launch;
using Harness.Tensors;

namespace Harness.Running;

/// <summary>
/// One rank's place in the grid and its part of the model. Opening checks everything that can be checked without weights.
/// </summary>
internal sealed class RankModel : IDisposable
{
    private readonly RunOptions _options;
    private readonly ShardPlan _shards;
    private readonly int[] _localRanks;

    public ICommunicator World { get; }
    public GridGroups Groups { get; }
    public NodeTopology Topology { get; }
    public ICheckpoint Checkpoint { get; }
    public RankPlan Plan { get; }
    public DType Storage { get; }

    /// <summary>Of keys and values.</summary>
    public DType CacheType { get; }
    public BackendChoice BackendChoice { get; }

    /// <summary>The files of weights that were read whole before the run; null where that was not asked for.</summary>
    public IReadOnlyList<VerifiedFile>? Verified { get; }
    public bool IsRoot => World.Rank == 0;

    /// <summary>Its part on its device; null until it is loaded.</summary>
    public LoadedModel? Loaded { get; private set; }

    /// <summary>Every rank of the world opens together; ranks that see different things end here, with one message.</summary>
    public RankModel(ResolvedConfiguration configuration, ICommunicator world, IProgressReporter progress)
    {
        _options = configuration.Options;
        World = world;
        var sharding = _options.Sharding;
        LaunchChecks.SameEverywhere(world, new Dictionary<string, byte[]>
        {
            ["program"] = Encoding.UTF8.GetBytes(Build.Version),
            ["configuration"] = Encoding.UTF8.GetBytes(
                string.Join('\n', configuration.Entries().Select(entry => $"{entry.Key}={entry.Value}"))),
        });
        Groups = new GridGroups(new ProcessGrid(sharding.Tensor, sharding.Pipeline, sharding.Data), world);
        Topology = NodeTopology.Of(world);
        _localRanks = LocalRanks(Topology.Hosts);
        BackendChoice = Backends.Choose(_options.Runtime, _options.Model.Dtype, world);
        Checkpoint = LaunchChecks.OnEveryRank(world, () => Models.Llama.Checkpoints.Checkpoint.Open(_options.Model.EffectivePath));
        LaunchChecks.SameEverywhere(world, new Dictionary<string,
            byte[]>
        { ["checkpoint"] = Encoding.UTF8.GetBytes(Checkpoint.Fingerprint) });
        Verified = _options.Model.VerifyWeights ? VerifiedWeights.Check(world, Topology, Checkpoint, progress) : null;
        Storage = _options.Model.Dtype ?? Checkpoint.DType;
        CacheType = LaunchChecks.OnEveryRank(world, () => Backends.CacheType(BackendChoice, _options.Model.KvDtype, Storage));
        _shards = new ShardPlan(Checkpoint.Config.Shape, sharding.Tensor, sharding.Pipeline, Storage);
        Plan = _shards.For(Groups.Position.TensorRank, Groups.Position.Stage);
        // Headers alone: a tensor that is missing or misshapen is found before anything is loaded or written.
        LaunchChecks.OnEveryRank(world, () => Plan.Tensors().Select(Checkpoint.Read).ToArray());
    }

    /// <summary>A row of <c>ranks.csv</c> that says where a rank is, and nothing else yet.</summary>
    public RankRecord RowOf(string runId, int rank)
    {
        var (hosts, position) = (Topology.Hosts, Groups.Grid[rank]);
        return new()
        {
            RunId = runId,
            Window = "",
            Rank = rank,
            Host = hosts[rank],
            LocalRank = _localRanks[rank],
            TensorRank = position.TensorRank,
            Stage = position.Stage,
            Replica = position.Replica,
        };
    }

    /// <summary>Each rank's number among those of its host.</summary>
    private static int[] LocalRanks(IReadOnlyList<string> hosts)
    {
        var seen = new Dictionary<string, int>();
        return [.. hosts.Select(host => seen[host] = seen.TryGetValue(host, out var last) ? last + 1 : 0)];
    }

    /// <summary>What this rank will need for so many sequences at a time of so many tokens, prompt and output.</summary>
    public RankMemory MemoryFor(int sequences, int longest) => new(MemoryPlan.Of(_shards, Groups.Position.TensorRank, Groups.Position.Stage,
        PlannedWork.Of(_options, sequences, longest, Storage, CacheType)), World.Rank);

    /// <summary>Loads this rank's slices onto its device, where there is room for them.</summary>
    /// <returns>Null where a rank was told to stop before it had loaded its own; alike on every rank.</returns>
    public LoadedModel? Load(RankMemory memory, JointStages stages, IProgressReporter progress) =>
        Loaded = LoadedModel.Load(_options, this, memory, stages, progress);

    public void Dispose()
    {
        Loaded?.Dispose();
        Checkpoint.Dispose();
        Groups.Dispose();
    }
}

/// <summary>What a rank has from the time it has found its place until the end, whatever it runs.</summary>
/// <param name="Model">Its place in the grid and its part of the model, loaded or not yet.</param>
/// <param name="Stages">The stages that it goes through with the others; they hear of a stop.</param>
internal sealed record RankContext(
    RunOptions Options, RankModel Model, RankClock Clock, RankEnergy Energy, JointStages Stages, RankLog Log, IProgressReporter Progress)
{
    public ICommunicator World => Model.World;
    public int Replica => Model.Groups.Position.Replica;
}
