namespace Harness.Energy.Statistics;

/// <summary>Student's t distribution for whole degrees of freedom, by the closed sums of Abramowitz and Stegun 26.7.3 and 26.7.4.</summary>
public static class StudentT
{
    /// <summary>The t that |T| stays under with probability <paramref name="confidence"/>, e.g. 12.706 for 1 degree and 0.95.</summary>
    public static double TwoSidedQuantile(int degreesOfFreedom, double confidence)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(degreesOfFreedom, 1);
        if (!(confidence is > 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(confidence), confidence, "a confidence lies between 0 and 1");
        var (low, high) = (0.0, 1.0);
        while (ProbabilityWithin(high, degreesOfFreedom) < confidence) high *= 2;
        for (var i = 0; i < 200 && high - low > 1e-14 * high; i++)
        {
            var middle = (low + high) / 2;
            if (ProbabilityWithin(middle, degreesOfFreedom) < confidence) low = middle;
            else high = middle;
        }
        return (low + high) / 2;
    }

    /// <summary>P(|T| &lt; t).</summary>
    public static double ProbabilityWithin(double t, int degreesOfFreedom)
    {
        var angle = Math.Atan(t / Math.Sqrt(degreesOfFreedom));
        var (sine, cosine) = Math.SinCos(angle);
        var isOdd = degreesOfFreedom % 2 == 1;
        // terms cosⁿ with coefficients (n-1)!!/n!!: n = 1, 3, … up to ν-2 for odd ν; n = 0, 2, … up to ν-2 for even ν
        var term = isOdd ? cosine : 1.0;
        var sum = 0.0;
        for (var power = isOdd ? 1 : 0; power <= degreesOfFreedom - 2; power += 2)
        {
            sum += term;
            term *= cosine * cosine * (power + 1) / (power + 2);
        }
        return isOdd ? 2 / Math.PI * (angle + sine * sum) : sine * sum;
    }
}
