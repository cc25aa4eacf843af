namespace Harness.Sharding;

/// <summary>One rank's communicators within the grid. All ranks make it together and dispose of it together.</summary>
public sealed class GridGroups : IDisposable
{
    /// <exception cref="Harness.Common.UserErrorException">The world has another size than the grid.</exception>
    public GridGroups(ProcessGrid grid, ICommunicator world)
    {
        grid.Fit(world.Size);
        (Grid, World, Position) = (grid, world, grid[world.Rank]);
        var (tensorRank, stage, replica) = Position;
        Tensor = world.Split(replica * grid.Pipeline + stage, tensorRank);
        Pipeline = world.Split(replica * grid.Tensor + tensorRank, stage);
        Replica = world.Split(replica, world.Rank);
    }

    public ProcessGrid Grid { get; }
    public GridPosition Position { get; }

    /// <summary>Every rank; owned by the caller.</summary>
    public ICommunicator World { get; }

    /// <summary>The ranks of this stage and replica, ordered by tensor rank: they share every layer.</summary>
    public ICommunicator Tensor { get; }

    /// <summary>The ranks of this tensor rank and replica, ordered by stage: activations pass along it.</summary>
    public ICommunicator Pipeline { get; }

    /// <summary>All ranks of this replica, ordered as in the world: together they hold one model.</summary>
    public ICommunicator Replica { get; }

    public void Dispose()
    {
        Replica.Dispose();
        Pipeline.Dispose();
        Tensor.Dispose();
    }
}
