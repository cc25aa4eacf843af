using Harness.Configuration;
using Harness.Reporting;
using Harness.Sharding;

namespace Harness.Running;

/// <summary>What a rank has from the time it has found its place until the end, whatever it runs.</summary>
/// <param name="Model">Its place in the grid and its part of the model, loaded or not yet.</param>
/// <param name="Stages">The stages that it goes through with the others; they hear of a stop.</param>
internal sealed record RankContext(
    RunOptions Options, RankModel Model, RankClock Clock, RankEnergy Energy, JointStages Stages, RankLog Log, IProgressReporter Progress)
{
    public ICommunicator World => Model.World;
    public int Replica => Model.Groups.Position.Replica;
}
