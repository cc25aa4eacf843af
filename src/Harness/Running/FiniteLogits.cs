using System.Globalization;
using Harness.Common;
using Harness.Models.Llama.Generation;
using Harness.Sharding;
using Harness.Sharding.Launch;
using Harness.Tensors;

namespace Harness.Running;

/// <summary>
/// Work in which tokens are chosen. Where a model's logits are not finite the whole run ends with one line, on every rank the same, that
/// says where the first such value arose; what had finished before is kept.
/// </summary>
internal sealed class FiniteLogits(RankContext rank, Workload workload)
{
    /// <summary>As <see cref="JointStages.Run"/>.</summary>
    /// <param name="ended">What is still to be done on each rank however the work ended, before the line is spoken.</param>
    /// <exception cref="UserErrorException">On every rank: on one of them no token could be chosen.</exception>
    public bool Run(Func<JointStage, bool> work, Action? atEachBeat = null, Action? ended = null)
    {
        NonFiniteLogitsException? broken = null;
        var isWhole = rank.Stages.Run(stage =>
        {
            try
            {
                return work(stage);
            }
            catch (NonFiniteLogitsException e)
            {
                broken = e;
                return false;
            }
        }, atEachBeat);
        ended?.Invoke();
        var lines = rank.World.AllTexts(broken == null ? "" : Line(broken));
        if (Array.Find(lines, one => one.Length > 0) is { } line)
            LaunchChecks.OnEveryRank<bool>(rank.World, () => throw new UserErrorException(line));
        return isWhole;
    }

    private string Line(NonFiniteLogitsException broken)
    {
        var item = workload.Items[broken.Sequence];
        var what = string.Create(CultureInfo.InvariantCulture,
            $"prompt {item.PromptIndex}: the logits of token {broken.OutputTokens + 1} of its answer are not finite");
        return $"{what}; {Origin(broken.Place)}; compare the checkpoint with its source (--verify-weights), or, where activations overflow "
            + "float16, use --dtype bf16 or f32";
    }

    private string Origin(NonFinitePlace? place)
    {
        if (place == null) return "a second pass over the same tokens was finite, so that the memory or the device is not to be trusted";
        var grid = rank.Model.Groups.Grid;
        var world = rank.Replica * grid.Tensor * grid.Pipeline + place.Rank;
        var layers = rank.Model.Checkpoint.Config.Shape.Layers;
        var part = place.Part switch
        {
            PassPart.Attention => "the attention of ",
            PassPart.AttentionSum => "the sum over tensor ranks of the attention of ",
            PassPart.FeedForward => "the feed-forward of ",
            PassPart.FeedForwardSum => "the sum over tensor ranks of the feed-forward of ",
            _ => "",
        };
        var where = place.Layer < 0 ? "the embedding" : place.Layer == layers ? "the final norm or head"
            : string.Create(CultureInfo.InvariantCulture, $"{part}layer {place.Layer} (of 0 to {layers - 1})");
        return string.Create(CultureInfo.InvariantCulture, $"the first {NonFiniteLogitException.Word(place.Value)} arose in {where}, "
            + $"on rank {world} on {rank.Model.Topology.Hosts[world]}");
    }
}
