namespace Harness.Runs.Records;

/// <summary>
/// The 95 % interval of a proportion by Wilson (1927), which holds for few trials and for proportions near 0 and 1, where the
/// usual mean ± 1.96 s does not.
/// </summary>
public static class WilsonInterval
{
    private const double Z = 1.959963984540054;     // the normal distribution's 97.5 % point

    /// <returns>Null without trials.</returns>
    public static (double Low, double High)? Of(double proportion, int trials)
    {
        if (trials == 0) return null;
        var square = Z * Z / trials;
        var middle = (proportion + square / 2) / (1 + square);
        var half = Z / (1 + square) * Math.Sqrt(proportion * (1 - proportion) / trials + square / trials / 4);
        return (Math.Max(0, middle - half), Math.Min(1, middle + half));
    }
}
