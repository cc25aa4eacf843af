using Harness.Common;
using Harness.Tensors;

namespace Harness.Sharding;

/// <summary>A rank's place: its share of every layer, its share of the layers, its share of the prompts.</summary>
public readonly record struct GridPosition(int TensorRank, int Stage, int Replica);

/// <summary>
/// The ranks as data-parallel replicas × pipeline stages × tensor-parallel ranks. The tensor rank runs fastest, then
/// the stage, then the replica, so that a tensor group, which talks most, lies inside a node.
/// </summary>
public sealed record ProcessGrid
{
    /// <exception cref="UserErrorException">A degree below 1, or too many ranks to count.</exception>
    public ProcessGrid(int tensor, int pipeline, int data)
    {
        foreach (var (name, degree) in new[] { ("--tp", tensor), ("--pp", pipeline), ("--dp", data) })
            if (degree < 1) throw new UserErrorException($"{name} {degree} is not a degree of parallelism; use 1 or more");
        if ((double)tensor * pipeline * data > int.MaxValue)
            throw new UserErrorException($"--tp {tensor} × --pp {pipeline} × --dp {data} are more ranks than there can be; use smaller "
                + "degrees");
        (Tensor, Pipeline, Data) = (tensor, pipeline, data);
    }

    public int Tensor { get; }
    public int Pipeline { get; }
    public int Data { get; }
    public int Size => Tensor * Pipeline * Data;

    public GridPosition this[int rank] => new(rank % Tensor, rank / Tensor % Pipeline, rank / Tensor / Pipeline);

    public int RankOf(GridPosition position) => (position.Replica * Pipeline + position.Stage) * Tensor + position.TensorRank;

    /// <exception cref="UserErrorException">The world has another size than the grid.</exception>
    public void Fit(int worldSize)
    {
        if (worldSize != Size)
            throw new UserErrorException($"{worldSize} rank{(worldSize == 1 ? " is" : "s are")} running, but --tp {Tensor} × --pp "
                + $"{Pipeline} × --dp {Data} needs {Size}; "
                + $"start {Size} (mpiexec -n {Size}, or srun --ntasks={Size}) or choose degrees whose product is {worldSize}");
    }
}
