namespace Harness.Sweeping;

/// <summary>Nodes of a job and ranks on each of them, the same on all.</summary>
internal readonly record struct NodeShape(int Nodes, int RanksPerNode)
{
    /// <summary>The fewest nodes over which the ranks spread evenly.</summary>
    public static NodeShape Of(int ranks, int mostPerNode)
    {
        var nodes = (ranks - 1) / mostPerNode + 1;
        while (ranks % nodes != 0) nodes++;
        return new(nodes, ranks / nodes);
    }

    public override string ToString() => $"{Nodes}x{RanksPerNode}";
}
