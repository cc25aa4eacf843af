using System.Runtime.ExceptionServices;
using Harness.Common;
using Harness.Configuration;
using Harness.Models.Llama;
using Harness.Models.Llama.Checkpoints;
using Harness.Models.Llama.Configuration;
using Harness.Models.Llama.Generation;
using Harness.Planning;
using Harness.Seams;
using Harness.Sharding;
using Harness.Sharding.Launch;
using Harness.Sharding.Links;
using Harness.Tensors;

namespace Harness.Running;

/// <summary>One rank's part of the model on its device, and its links to the ranks that hold the rest.</summary>
/// <param name="linkObstacle">Why tensors pass through host memory although the backend could do without; null where they do not, or where
/// that was asked for.</param>
internal sealed class LoadedModel(ITensorBackend backend, LlamaStage stage, ReplicaGroup replica, string? linkObstacle) : IDisposable
{
    public ITensorBackend Backend => backend;
    public LlamaStage Stage => stage;
    public ReplicaGroup Replica => replica;

    /// <inheritdoc cref="LoadedModel"/>
    public string? LinkObstacle => linkObstacle;

    /// <summary>What has crossed this rank's links.</summary>
    public LinkStatistics LinkStatistics => replica.LinkStatistics;

    /// <summary>Every rank of the world loads together; what fails on one is thrown on all.</summary>
    /// <returns>Null where a rank was told to stop before it had loaded its own; alike on every rank.</returns>
    public static LoadedModel? Load(RunOptions options, RankModel model, RankMemory memory, JointStages stages, IProgressReporter progress)
    {
        var world = model.World;
        ITensorBackend? backend = null;
        ReplicaGroup? replica = null;
        LlamaStage? stage = null;
        string? obstacle = null;
        try
        {
            backend = LaunchChecks.OnEveryRank(world, () =>
                model.BackendChoice.Factory.Create(
                    new(options.Runtime.Threads, model.Topology.LocalRank, model.Topology.LocalSize, model.Storage,
                        options.Model.KvDtype)));
            LaunchChecks.OnEveryRank(world, () =>
            {
                memory.MustFit(backend);
                return true;
            });
            (var links, obstacle) = TensorLinks.Choose(options.Sharding.Link, world, backend);
            replica = Connect(options.Sharding, model, backend, links);
            if (LoadStage(model, memory, stages, progress, backend, replica) is not { } loaded) return null;
            stage = loaded;
            return new(backend, stage, replica, obstacle);
        }
        finally
        {
            if (stage == null) Close(backend, replica);
        }
    }

    public void Dispose() => Close(backend, replica);

    private static LlamaStage? LoadStage(
        RankModel model, RankMemory memory, JointStages stages, IProgressReporter progress, ITensorBackend backend, ReplicaGroup replica)
    {
        LlamaStage? loaded = null;
        ExceptionDispatchInfo? failure = null;
        var bytes = model.Plan.Tensors().Sum(slice => BytesOf(slice, model.Checkpoint));
        using var bar = progress.Begin("loading", StageUnit.Bytes, bytes);
        var toTheEnd = stages.Run(joint =>
        {
            try
            {
                var checkpoint = new StoppableCheckpoint(model.Checkpoint, joint, bar, bytes);
                loaded = memory.Place(() =>
                    new LlamaStage(backend, checkpoint, model.Plan, model.Storage, replica.TensorLink, replica.Pipeline));
                checkpoint.MustBeAsOpened();
            }
            catch (OperationCanceledException) { }
            // The others hear of it at once, and why when all have ended.
            catch (Exception e) { failure = ExceptionDispatchInfo.Capture(e); }
            return loaded != null;
        });
        LaunchChecks.OnEveryRank(model.World, () =>
        {
            failure?.Throw();
            return true;
        });
        return toTheEnd ? loaded : null;
    }

    private static ReplicaGroup Connect(ShardingOptions sharding, RankModel model, ITensorBackend backend, ITensorLinkFactory? links)
    {
        var groups = model.Groups;
        var wire = sharding.CommDtype;
        var vocabulary = model.Checkpoint.Config.Shape.Vocabulary;
        return new()
        {
            Replica = groups.Replica,
            TensorRanks = groups.Tensor,
            TensorLink = Link(groups.Tensor),
            Pipeline = Link(groups.Pipeline),
            VocabularyWidths =
                [.. Enumerable.Range(0, groups.Grid.Tensor).Select(rank => Slice.Even(vocabulary, groups.Grid.Tensor, rank).Count)],
        };

        ITensorLink Link(ICommunicator ranks) =>
            ranks.Size == 1 ? new SoloLink() : links?.Create(ranks, backend) ?? new HostLink(ranks, backend, wire);
    }

    /// <summary>As they lie in the files.</summary>
    private static long BytesOf(TensorSlice slice, ICheckpoint checkpoint) => slice.Elements * checkpoint.DType.Bytes();

    private static void Close(ITensorBackend? backend, ReplicaGroup? replica)
    {
        (replica?.TensorLink as IDisposable)?.Dispose();
        (replica?.Pipeline as IDisposable)?.Dispose();
        backend?.Dispose();
    }

    /// <summary>
    /// A checkpoint whose loading gives signs of life, shows how far it is, and ends between two tensors where the run is told to stop.
    /// </summary>
    private sealed class StoppableCheckpoint(ICheckpoint checkpoint, JointStage stage, IStageProgress bar, long total) : ICheckpoint
    {
        private long _asked;

        public string Name => checkpoint.Name;
        public LlamaConfig Config => checkpoint.Config;
        public DType DType => checkpoint.DType;
        public string Fingerprint => checkpoint.Fingerprint;
        public IReadOnlyList<string> Files => checkpoint.Files;
        public IReadOnlyList<string> Notes => checkpoint.Notes;

        /// <exception cref="OperationCanceledException">The run is told to stop.</exception>
        public WeightSlice Read(TensorSlice slice)
        {
            stage.Alive();
            if (stage.IsToStop) throw new OperationCanceledException();
            // What was asked for before is loaded when the next is asked for; at the end all are looked at once more, and not loaded.
            var bytes = BytesOf(slice, checkpoint);
            bar.Report(StageProgress.Of(Math.Min(Interlocked.Add(ref _asked, bytes) - bytes, total)));
            return checkpoint.Read(slice);
        }

        public void MustBeAsOpened()
        {
            bar.Report(StageProgress.Of(total));
            checkpoint.MustBeAsOpened();
        }

        /// <summary>The checkpoint itself stays open.</summary>
        public void Dispose()
        {
        }
    }
}
