namespace Harness.Sweeping;

/// <summary>Nodes of a job and ranks on each of them, the same on all.</summary>
internal readonly record struct NodeShape(int Nodes, int RanksPerNode)
{
    /// <summary>The fewest nodes over which the ranks spread evenly.</summary>
    /// <param name="mostPerNode">Null where a node has room for all.</param>
    public static NodeShape Of(int ranks, int? mostPerNode)
    {
        var nodes = (ranks + (mostPerNode ?? ranks) - 1) / (mostPerNode ?? ranks);
        while (ranks % nodes != 0) nodes++;
        return new(nodes, ranks / nodes);
    }

    public override string ToString() => $"{Nodes}x{RanksPerNode}";
}
