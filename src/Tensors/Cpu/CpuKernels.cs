using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Harness.Tensors.Cpu;

/// <summary>The operations on raw memory in one vector width; the backend checks shapes and owns memory.</summary>
internal abstract unsafe class CpuKernels
{
    public static CpuKernels Create(VectorWidth width) => width switch
    {
        VectorWidth.Bits512 => new Of<Simd512, Vector512<float>>(),
        VectorWidth.Bits256 => new Of<Simd256, Vector256<float>>(),
        _ => new Of<Simd128, Vector128<float>>(),
    };

    public abstract void Multiply(WorkerTeam team, Arena arena, float* x, int tokens, CpuWeight weight, float* y);
    public abstract void Multiply(WorkerTeam team, Arena arena, float* x, int tokens, Int8Weight weight, float* y);
    public abstract void RmsNorm(WorkerTeam team, float* x, float* gain, float* y, int rows, int columns, float epsilon);
    public abstract void NormHeads(WorkerTeam team, float* qkv, float* queryGain, float* keyGain, int rows, AttentionHeads heads,
        float epsilon);
    public abstract void SwiGlu(WorkerTeam team, float* gateUp, float* y, int rows, int width);
    public abstract void Add(WorkerTeam team, float* x, float* y, int rows, int columns);
    public abstract void AddToRows(WorkerTeam team, float* x, float* row, int rows, int columns);
    public abstract void Attend(WorkerTeam team, Arena arena, float* qkv, float* output, CpuKvCache cache, int layer, RaggedBatch batch,
        AttentionHeads heads);
    public abstract int ArgMax(float* logits, int count, int row);
    public abstract long SamplingScratchBytes(int count);
    public abstract int Draw(float* logits, int count, int row, SamplingParameters sampling, double uniform, IReadOnlyList<int> history,
        byte* scratch);

    private sealed class Of<S, V> : CpuKernels where S : struct, ISimd<V> where V : struct
    {
        public override void Multiply(WorkerTeam team, Arena arena, float* x, int tokens, CpuWeight weight, float* y)
        {
            // Fewer columns than one step has: narrower vectors, in the end none.
            if (weight.Inputs >= 2 * S.Lanes) MatrixProduct<S, V>.Multiply(team, arena, x, tokens, weight, y);
            else if (S.Lanes == 16) MatrixProductOf<Simd256, Vector256<float>>(team, arena, x, tokens, weight, y);
            else if (S.Lanes == 8) MatrixProductOf<Simd128, Vector128<float>>(team, arena, x, tokens, weight, y);
            else SmallProduct.Multiply(x, tokens, weight, y);
        }

        public override void Multiply(WorkerTeam team, Arena arena, float* x, int tokens, Int8Weight weight, float* y)
        {
            if (S.Lanes == 4) Int8Product<ByteDot128, Vector128<int>, Vector128<float>>.Multiply(team, arena, x, tokens, weight, y);
            else if (AvxVnni.IsSupported)
                Int8Product<ByteDotVnni, Vector256<int>, Vector256<float>>.Multiply(team, arena, x, tokens, weight, y);
            else Int8Product<ByteDot256, Vector256<int>, Vector256<float>>.Multiply(team, arena, x, tokens, weight, y);
        }

        private static void MatrixProductOf<T, U>(WorkerTeam team, Arena arena, float* x, int tokens, CpuWeight weight, float* y)
            where T : struct, ISimd<U> where U : struct => new Of<T, U>().Multiply(team, arena, x, tokens, weight, y);

        public override void RmsNorm(WorkerTeam team, float* x, float* gain, float* y, int rows, int columns, float epsilon) =>
            Elementwise<S, V>.RmsNorm(team, x, gain, y, rows, columns, epsilon);

        public override void NormHeads(WorkerTeam team, float* qkv, float* queryGain, float* keyGain, int rows, AttentionHeads heads,
            float epsilon) => Elementwise<S, V>.NormHeads(team, qkv, queryGain, keyGain, rows, heads, epsilon);

        public override void SwiGlu(WorkerTeam team, float* gateUp, float* y, int rows, int width) =>
            Elementwise<S, V>.SwiGlu(team, gateUp, y, rows, width);

        public override void Add(WorkerTeam team, float* x, float* y, int rows, int columns) =>
            Elementwise<S, V>.Add(team, x, y, rows, columns);

        public override void AddToRows(WorkerTeam team, float* x, float* row, int rows, int columns) =>
            Elementwise<S, V>.AddToRows(team, x, row, rows, columns);

        public override void Attend(WorkerTeam team, Arena arena, float* qkv, float* output, CpuKvCache cache, int layer,
            RaggedBatch batch, AttentionHeads heads)
        {
            if (cache.DType == DType.F32)
                Attention<S, V, Float32Element>.Attend(team, arena, qkv, output, cache, layer, batch, heads);
            else if (cache.DType == DType.BF16)
                Attention<S, V, BFloat16Element>.Attend(team, arena, qkv, output, cache, layer, batch, heads);
            else Attention<S, V, Float16Element>.Attend(team, arena, qkv, output, cache, layer, batch, heads);
        }

        public override int ArgMax(float* logits, int count, int row) => Sampler<S, V>.ArgMax(logits, count, row);

        public override long SamplingScratchBytes(int count) => Sampler<S, V>.ScratchBytes(count);

        public override int Draw(float* logits, int count, int row, SamplingParameters sampling, double uniform,
            IReadOnlyList<int> history, byte* scratch) =>
            Sampler<S, V>.Draw(logits, count, row, sampling, uniform, history, scratch);
    }
}
