using Harness.Tensors;

namespace Harness.Sharding.Links;

/// <summary>The group of one: sums and gathers are already there, and there is nobody to send to.</summary>
public sealed class SoloLink : ITensorLink
{
    public int Rank => 0;
    public int Size => 1;
    public LinkStatistics Statistics => default;

    public void AllReduce(Tensor x) { }

    public Tensor AllGatherColumns(Tensor x, ReadOnlySpan<int> columns)
    {
        if (columns.Length != 1 || columns[0] != x.Columns)
            throw new ArgumentException($"one rank with {x.Columns} columns, not [{string.Join(", ", columns.ToArray())}]",
                nameof(columns));
        return x;
    }

    public void Send(Tensor x, int destination) => throw new InvalidOperationException("a group of one rank has nobody to send to");

    public Tensor Receive(int rows, int columns, int source) =>
        throw new InvalidOperationException("a group of one rank has nobody to receive from");
}
