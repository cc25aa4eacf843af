namespace Harness.Runs.Records;

/// <summary>Figures per something.</summary>
public static class Ratio
{
    /// <summary>Null where either side is missing or nothing stands below the line.</summary>
    public static double? Of(double? above, double? below) => below > 0 ? above / below : null;
}
