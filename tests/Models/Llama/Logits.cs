namespace Harness.Tests.Models.Llama;

/// <summary>Distances between logits [positions][vocabulary].</summary>
internal static class Logits
{
    public static double LargestDifference(float[][] actual, double[][] expected) =>
        actual.Zip(expected).Max(row => row.First.Zip(row.Second).Max(pair => Math.Abs(pair.First - pair.Second)));

    public static double LargestDifference(float[][] actual, float[][] expected) => LargestDifference(actual, Wide(expected));

    /// <summary>|actual - expected| / |expected|, Euclidean over all positions together.</summary>
    public static double RelativeDistance(float[][] actual, float[][] expected) => RelativeDistance(actual, Wide(expected));

    /// <inheritdoc cref="RelativeDistance(float[][], float[][])"/>
    public static double RelativeDistance(float[][] actual, double[][] expected)
    {
        var (distance, length) = (0.0, 0.0);
        foreach (var (row, column, value) in expected.SelectMany((values, row) => values.Select((value, column) => (row, column, value))))
        {
            distance += Math.Pow(actual[row][column] - value, 2);
            length += value * value;
        }
        return Math.Sqrt(distance / length);
    }

    public static int ArgMax(IReadOnlyList<double> logits)
    {
        var best = 0;
        for (var i = 1; i < logits.Count; i++)
            if (logits[i] > logits[best]) best = i;
        return best;
    }

    private static double[][] Wide(float[][] rows) => [.. rows.Select(row => Array.ConvertAll(row, value => (double)value))];
}
