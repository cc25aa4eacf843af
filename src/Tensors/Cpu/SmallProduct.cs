namespace Harness.Tensors.Cpu;

/// <summary>y = x Wᵀ for fewer inputs than the narrowest kernel takes in a step.</summary>
internal static unsafe class SmallProduct
{
    public static void Multiply(float* x, int tokens, CpuWeight weight, float* y)
    {
        for (var o = 0; o < weight.Outputs; o++)
        {
            var row = weight.Row(o);
            for (var t = 0; t < tokens; t++)
            {
                var sum = 0f;
                for (var i = 0; i < weight.Inputs; i++)
                    sum += x[(long)t * weight.Inputs + i] * ElementConversion.ToSingle(row, i, weight.DType);
                y[(long)t * weight.Outputs + o] = sum;
            }
        }
    }
}
