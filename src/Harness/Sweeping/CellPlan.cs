using Harness.Planning;

namespace Harness.Sweeping;

/// <summary>What <c>plan</c> says of a cell.</summary>
/// <param name="Row">Of one copy of the model.</param>
/// <param name="Ranks">Of all copies.</param>
/// <param name="Shape">Null where a node's GPUs are not known, or the model cannot be split so.</param>
/// <param name="GpuHours">Of all its GPUs; null where it does not fit or cannot be predicted.</param>
internal sealed record CellPlan(SweepCell Cell, PlanRow Row, int Ranks, NodeShape? Shape, double? GpuHours)
{
    public bool Fits => Row.Fits;
}
