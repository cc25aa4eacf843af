using Harness.Tensors;
using Harness.Tensors.Cpu;

namespace Harness.Bench;

/// <summary>
/// Matrix products of TinyLlama's widths beside the limits of this machine. Up to 64 tokens the limit is the roofline:
/// reading the weights once or computing at peak, whichever takes longer.
/// </summary>
internal static unsafe class KernelBench
{
    /// <summary>Far beyond every cache.</summary>
    private const long WeightBytes = 192L << 20;

    private const int PrefillTokens = 512;
    private const int PrefillOutputs = 2048;

    private static readonly int[] s_inputs = [2048, 5632];

    public static void Run(Options options)
    {
        var dtypes = options.Text("dtypes", "bf16,f32,f16").Split(',').Select(DTypes.ParseWeights).ToArray();
        foreach (var threads in options.Integers("threads", "1,2"))
            foreach (var dtype in dtypes)
                Run(threads, dtype, options.Integers("batches", "1,2,4,8,12,16,64"), options.Integer("rounds", 15));
    }

    private static void Run(int threads, DType dtype, int[] batches, int count)
    {
        using var ops = new CpuBackend(new BackendOptions(threads, 0, 1, DType.F32));
        Console.WriteLine();
        Console.WriteLine($"{ops.Device}, {dtype.Label()}: median of {count} rounds, each limit measured in the same round");
        Console.WriteLine($"{"",-28} {"of read limit",14} {"(cpu time)",10} {"of FMA peak",12} {"(cpu time)",10} {"of roofline",12} "
            + $"{"GB/s",7} {"GFLOP/s",8}");
        foreach (var inputs in s_inputs)
        {
            var rounds = new Rounds();
            var outputs = (int)(WeightBytes / dtype.RowBytes(inputs) / 64 * 64);
            var weight = Weight(ops, outputs, inputs, dtype);
            var bytes = weight.ResidentBytes;
            var data = weight is Int8Weight int8 ? int8.Segments[0].Data : ((CpuWeight)weight).Segments[0].Data;
            var one = rounds.Add("read, one stream", () => Limits.ReadOneStream(ops.Team, data, bytes));
            var eight = rounds.Add("read, eight streams", () => Limits.ReadEightStreams(ops.Team, data, bytes));
            var peak = rounds.Add("FMA peak", () => Limits.FusedMultiplyAdds(ops.Team));
            var products = batches.Select(tokens =>
                (Tokens: tokens, Candidate: rounds.Add($"[{tokens}, {inputs}] x [{outputs}, {inputs}]", Product(ops, weight, tokens))))
                .ToArray();
            var small = Weight(ops, PrefillOutputs, inputs, dtype);
            var prefill = rounds.Add($"[{PrefillTokens}, {inputs}] x [{PrefillOutputs}, {inputs}]", Product(ops, small, PrefillTokens));
            rounds.Run(count);

            foreach (var read in new[] { one, eight })
                Console.WriteLine($"{rounds.Name(read),-28} {"",48} {"",12} {bytes / rounds.MedianWallSeconds(read) / 1e9,7:F1}");
            Console.WriteLine($"{rounds.Name(peak),-28} {"",48} {"",12} {"",7} "
                + $"{threads * Limits.PeakFlops / rounds.MedianWallSeconds(peak) / 1e9,8:F0}");
            foreach (var (tokens, candidate) in products) Print(candidate, tokens, outputs, bytes);
            Print(prefill, PrefillTokens, PrefillOutputs, 0);

            void Print(int candidate, int tokens, int rows, long read)
            {
                var flops = 2.0 * tokens * rows * inputs;
                var fma = rounds.Ratio(candidate, (peak, flops / (threads * Limits.PeakFlops)));
                var memory = read > 0 ? rounds.Ratio(candidate, (one, 1), (eight, 1)) : default;
                var seconds = rounds.MedianWallSeconds(candidate);
                Console.WriteLine($"{rounds.Name(candidate),-28} {Cell(memory.Wall),14} {Cell(memory.Cpu),10} {Cell(fma.Wall),12} "
                    + $"{Cell(fma.Cpu),10} {Cell(Math.Max(memory.Wall, fma.Wall)),12} "
                    + $"{(read > 0 ? read / seconds / 1e9 : double.NaN),7:F1} {flops / seconds / 1e9,8:F0}");
            }
        }
    }

    private static string Cell(double ratio) => ratio > 0 ? ratio.ToString("F2") : "";

    private static Weight Weight(CpuBackend ops, int outputs, int inputs, DType dtype) =>
        ops.LoadWeight([new RandomSlice
        {
            Name = "random",
            DType = dtype == DType.Int8 ? DType.F32 : dtype,
            Rows = outputs,
            Columns = inputs,
        }], dtype);

    private static Action Product(CpuBackend ops, Weight weight, int tokens)
    {
        var values = new float[tokens * weight.Inputs];
        for (var i = 0; i < values.Length; i++) values[i] = MathF.Sin(i);
        return () =>
        {
            using var scope = ops.Scope();
            var x = ops.NewTensor(tokens, weight.Inputs);
            ops.WriteHost(x, values);
            ops.Linear(x, weight);
        };
    }
}
