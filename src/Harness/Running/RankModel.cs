using System.Text;
using Harness.Common;
using Harness.Configuration;
using Harness.Models.Llama;
using Harness.Models.Llama.Checkpoints;
using Harness.Models.Llama.Generation;
using Harness.Planning;
using Harness.Runs.Records;
using Harness.Seams;
using Harness.Sharding;
using Harness.Sharding.Launch;
using Harness.Sharding.Links;
using Harness.Tensors;

namespace Harness.Running;

/// <summary>One rank's place in the grid and its part of the model. Opening checks everything that can be checked without weights.</summary>
internal sealed class RankModel : IDisposable
{
    private readonly RunOptions _options;
    private readonly ShardPlan _shards;
    private ITensorLinkFactory? _links;

    public ICommunicator World { get; }
    public GridGroups Groups { get; }
    public NodeTopology Topology { get; }
    public ICheckpoint Checkpoint { get; }
    public RankPlan Plan { get; }
    public DType Storage { get; }
    public BackendChoice BackendChoice { get; }
    public ITensorBackend Backend { get; private set; } = null!;
    public LlamaStage Stage { get; private set; } = null!;
    public ReplicaGroup Replica { get; private set; } = null!;
    public bool IsRoot => World.Rank == 0;

    /// <summary>Why tensors pass through host memory although the backend could do without; null where they do not, or where that was asked for.</summary>
    public string? LinkObstacle { get; private set; }

    /// <summary>What has crossed this rank's links; nothing before they are made.</summary>
    public LinkStatistics LinkStatistics => Replica == null ? default : Replica.TensorLink.Statistics + Replica.Pipeline.Statistics + Replica.Tokens.Statistics;

    /// <summary>Every rank of the world opens together; ranks that see different things end here, with one message.</summary>
    public RankModel(ResolvedConfiguration configuration, ICommunicator world)
    {
        _options = configuration.Options;
        World = world;
        var sharding = _options.Sharding;
        LaunchChecks.SameEverywhere(world, new Dictionary<string, byte[]>
        {
            ["program"] = Encoding.UTF8.GetBytes(Build.Version),
            ["configuration"] = Encoding.UTF8.GetBytes(string.Join('\n', configuration.Entries().Select(entry => $"{entry.Key}={entry.Value}"))),
        });
        Groups = new GridGroups(new ProcessGrid(sharding.Tensor, sharding.Pipeline, sharding.Data), world);
        Topology = NodeTopology.Of(world);
        BackendChoice = Backends.Choose(_options.Runtime, world);
        Checkpoint = LaunchChecks.OnEveryRank(world, () => Models.Llama.Checkpoints.Checkpoint.Open(_options.Model.EffectivePath));
        LaunchChecks.SameEverywhere(world, new Dictionary<string, byte[]> { ["checkpoint"] = Encoding.UTF8.GetBytes(Checkpoint.Fingerprint) });
        Storage = _options.Model.Dtype == "auto" ? Checkpoint.DType : DTypes.Parse(_options.Model.Dtype);
        _shards = new ShardPlan(Checkpoint.Config.Shape, sharding.Tensor, sharding.Pipeline);
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
            LocalRank = hosts.Take(rank).Count(host => host == hosts[rank]),
            TensorRank = position.TensorRank,
            Stage = position.Stage,
            Replica = position.Replica,
        };
    }

    /// <summary>What this rank will need for so many sequences at a time of so many tokens, prompt and output.</summary>
    public RankMemory MemoryFor(int sequences, int longest) => new(MemoryPlan.Of(_shards, Groups.Position.TensorRank, Groups.Position.Stage,
        PlannedWork.Of(_options, sequences, longest, Storage, BackendChoice.IsCpu ? DType.F32 : Storage)), World.Rank);

    /// <summary>Loads this rank's slices onto its device, where there is room for them.</summary>
    public void Load(RankMemory memory)
    {
        var wire = DTypes.Parse(_options.Sharding.CommDtype);
        var shape = Checkpoint.Config.Shape;
        Backend = LaunchChecks.OnEveryRank(World, () =>
            BackendChoice.Factory.Create(new(_options.Runtime.Threads, Topology.LocalRank, Topology.LocalSize, Storage)));
        LaunchChecks.OnEveryRank(World, () =>
        {
            memory.MustFit(Backend);
            return true;
        });
        (_links, LinkObstacle) = TensorLinks.Choose(_options.Sharding.Link, World, Backend);
        Replica = new()
        {
            Replica = Groups.Replica,
            TensorRanks = Groups.Tensor,
            TensorLink = Link(Groups.Tensor, wire),
            Pipeline = Link(Groups.Pipeline, wire),
            VocabularyWidths = [.. Enumerable.Range(0, Groups.Grid.Tensor).Select(rank => Slice.Even(shape.Vocabulary, Groups.Grid.Tensor, rank).Count)],
        };
        Stage = LaunchChecks.OnEveryRank(World, () => memory.Place(() => new LlamaStage(Backend, Checkpoint, Plan, Storage, Replica.TensorLink, Replica.Pipeline)));
    }

    public void Dispose()
    {
        (Replica?.TensorLink as IDisposable)?.Dispose();
        (Replica?.Pipeline as IDisposable)?.Dispose();
        Backend?.Dispose();
        Checkpoint.Dispose();
        Groups.Dispose();
    }

    private ITensorLink Link(ICommunicator ranks, DType wire) =>
        ranks.Size == 1 ? new SoloLink() : _links?.Create(ranks, Backend) ?? new HostLink(ranks, Backend, wire);
}
