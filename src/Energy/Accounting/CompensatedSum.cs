namespace Harness.Energy.Accounting;

/// <summary>
/// Neumaier's compensated sum (Z. Angew. Math. Mech. 54, 1974): many small joules add up without losing their last digits.
/// </summary>
internal struct CompensatedSum
{
    private double _sum, _lost;

    public readonly double Value => _sum + _lost;

    public void Add(double value)
    {
        var sum = _sum + value;
        _lost += Math.Abs(_sum) >= Math.Abs(value) ? _sum - sum + value : value - sum + _sum;
        _sum = sum;
    }
}
