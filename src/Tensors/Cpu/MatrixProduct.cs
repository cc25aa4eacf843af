using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Harness.Tensors.Cpu;

/// <summary>
/// y = x Wᵀ. Each worker takes a contiguous range of outputs. Within it, blocks of rows small enough for the
/// second-level cache meet all tokens of a token block before the next rows are read, so that memory delivers each
/// weight once per token block.
/// </summary>
internal static unsafe class MatrixProduct<S, V> where S : struct, ISimd<V> where V : struct
{
    /// <summary>Rows that all groups of tokens share while they are in cache: a multiple of every tile's height.</summary>
    private const int BlockRows = 24;

    /// <summary>Tokens whose packed activations should stay in the second-level cache.</summary>
    private const int BlockTokens = 64;

    /// <summary>
    /// Bytes of one packed token and one row of the weight that stay in the first-level cache together. Up to there
    /// processors that follow one stream best read a weight row by row.
    /// </summary>
    private const int RowByRowBytes = 24 << 10;

    /// <summary>From this many tokens on a float16 block is converted once instead of in every tile.</summary>
    private const int ConvertTokens = 12;

    /// <summary>Elements that the caller packs alone, since waking the team would take longer.</summary>
    private const long PackAlone = 64 << 10;

    /// <summary>
    /// Products that the caller adds up alone: one to two microseconds, in which a worker that spins could save half a microsecond
    /// and one that must be woken nothing.
    /// </summary>
    private const long MultiplyAlone = 64 << 10;

    /// <summary>Tokens of a full tile: what 32 or 16 registers can hold.</summary>
    private static int Group => S.Lanes == 16 || AdvSimd.IsSupported ? 4 : 2;

    private struct Job
    {
        public float* X, Packed, Scratch, Y;
        public WeightSegment* Segments;
        public int SegmentCount, Tokens, Inputs, Outputs, Steps, Threads;
        public bool Interleaved;

        /// <summary>Packed floats of one token: the inputs, rounded up to whole steps.</summary>
        public readonly int PackedInputs => Steps * 2 * S.Lanes;
    }

    public static void Multiply(WorkerTeam team, Arena arena, float* x, int tokens, CpuWeight weight, float* y)
    {
        var mark = arena.Current;
        var job = new Job
        {
            X = x,
            Y = y,
            Segments = weight.Segments,
            SegmentCount = weight.SegmentCount,
            Tokens = tokens,
            Inputs = weight.Inputs,
            Outputs = weight.Outputs,
            Steps = (weight.Inputs + 2 * S.Lanes - 1) / (2 * S.Lanes),
            Threads = (long)tokens * weight.Inputs * weight.Outputs <= MultiplyAlone ? 1 : team.Threads,
            Interleaved = weight.DType != DType.F32,
        };
        job.Packed = (float*)arena.Take((long)tokens * job.PackedInputs * sizeof(float));
        if (weight.DType == DType.F16 && tokens >= ConvertTokens)
            job.Scratch = (float*)arena.Take((long)job.Threads * BlockRows * job.PackedInputs * sizeof(float));
        if ((long)tokens * weight.Inputs <= PackAlone) PackGroups(&job, 0, tokens);
        else team.Run(&Pack, &job);
        switch (weight.DType)
        {
            case DType.F32: Run<Float32Element>(team, &job); break;
            case DType.BF16: Run<BFloat16Element>(team, &job); break;
            default: Run<Float16Element>(team, &job); break;
        }
        arena.Release(mark);
        GC.KeepAlive(weight);
    }

    private static void Run<E>(WorkerTeam team, Job* job) where E : struct, IWeightElement
    {
        if (job->Threads == 1) Part<E>(job, 0);
        else team.Run(&Part<E>, job);
    }

    private static void Pack(void* context, int worker)
    {
        var job = (Job*)context;
        var (first, last) = WorkerTeam.Share(job->Tokens, Group, worker, job->Threads);
        PackGroups(job, first, last);
    }

    private static void PackGroups(Job* job, int first, int last)
    {
        for (var token = first; token < last; token += Group)
        {
            var group = Math.Min(Group, last - token);
            for (var b = 0; b < group; b++)
                PackToken(job->X + (long)(token + b) * job->Inputs, job->Inputs, job->Steps, job->Interleaved,
                    job->Packed + (long)token * job->PackedInputs + b * S.Lanes, group);
        }
    }

    /// <summary>One token to [step][half], each half <paramref name="group"/> vectors from the next.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackToken(float* x, int inputs, int steps, bool interleaved, float* packed, int group)
    {
        var half = group * S.Lanes;
        var full = inputs / (2 * S.Lanes);
        for (var s = 0; s < full; s++, x += 2 * S.Lanes, packed += 2 * half)
            PackStep(x, interleaved, packed, half);
        if (full == steps) return;
        // The window of the last step ends at the last input; what earlier steps have done is 0 in it.
        var window = stackalloc float[2 * S.Lanes];
        var rest = inputs - full * 2 * S.Lanes;
        new Span<float>(window, 2 * S.Lanes - rest).Clear();
        new Span<float>(x, rest).CopyTo(new Span<float>(window + 2 * S.Lanes - rest, rest));
        PackStep(window, interleaved, packed, half);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PackStep(float* x, bool interleaved, float* packed, int half)
    {
        V first = S.Load(x), second = S.Load(x + S.Lanes);
        if (interleaved) S.Deinterleave(first, second, out first, out second);
        S.Store(first, packed);
        S.Store(second, packed + half);
    }

    private static void Part<E>(void* context, int worker) where E : struct, IWeightElement
    {
        var job = (Job*)context;
        var (first, last) = WorkerTeam.Share(job->Outputs, 8, worker, job->Threads);
        var stride = (long)job->Inputs * E.Bytes;
        for (var token = 0; token < job->Tokens; token += BlockTokens)
            for (var s = 0; s < job->SegmentCount; s++)
            {
                var segment = job->Segments[s];
                var from = Math.Max(first - segment.FirstOutput, 0);
                var to = Math.Min(last - segment.FirstOutput, segment.Rows);
                for (var row = from; row < to; row += BlockRows)
                {
                    var rows = Math.Min(BlockRows, to - row);
                    var w = segment.Data + row * stride;
                    var y = job->Y + (long)token * job->Outputs + segment.FirstOutput + row;
                    if (job->Scratch == null)
                    {
                        Block<E>(job, w, stride, (job->Inputs - 2L * S.Lanes) * E.Bytes, rows, row - from, token, y);
                        continue;
                    }
                    var scratch = job->Scratch + (long)worker * BlockRows * job->PackedInputs;
                    Convert<E>(w, stride, job->Inputs, job->Steps, rows, scratch);
                    Block<Float32Element>(job, (byte*)scratch, job->PackedInputs * sizeof(float),
                        (job->PackedInputs - 2L * S.Lanes) * sizeof(float), rows, 0, token, y);
                }
            }
    }

    /// <summary>Rows to float32 in the order of the packed activations.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Convert<E>(byte* w, long stride, int inputs, int steps, int rows, float* scratch) where E : struct, IWeightElement
    {
        var lastStep = (inputs - 2L * S.Lanes) * E.Bytes;
        for (var r = 0; r < rows; r++, w += stride)
            for (var s = 0; s < steps; s++, scratch += 2 * S.Lanes)
            {
                var source = w + Math.Min(s * 2L * S.Lanes * E.Bytes, lastStep);
                if (Sse.IsSupported) Sse.Prefetch1(source + BlockRows * stride);
                E.Load<S, V>(source, out var first, out var second);
                S.Store(first, scratch);
                S.Store(second, scratch + S.Lanes);
            }
    }

    /// <summary>A block of rows with the tokens of one token block: full tiles, then one for the tokens that are left.</summary>
    private static void Block<E>(Job* job, byte* w, long stride, long lastStep, int rows, int before, int firstToken, float* y)
        where E : struct, IWeightElement
    {
        var tokens = Math.Min(BlockTokens, job->Tokens - firstToken);
        var full = tokens / Group * Group;
        var strip = new Strip
        {
            W = w,
            Stride = stride,
            LastStep = lastStep,
            Rows = rows,
            Before = before,
            X = job->Packed + (long)firstToken * job->PackedInputs,
            TokenFloats = job->PackedInputs,
            Steps = job->Steps,
            Y = y,
            Outputs = job->Outputs,
            Cold = job->Scratch == null,
        };
        if (full > 0)
        {
            if (Group == 4) Multiply<E, DotTile6x4<S, V>>(in strip, full);
            else Multiply<E, DotTile4x2<S, V>>(in strip, full);
            strip.X += (long)full * strip.TokenFloats;
            strip.Y += full * strip.Outputs;
            strip.Cold = false;
        }
        switch (tokens - full)
        {
            case 1 when strip.Cold && HostCpu.ReadsOneStreamBest && job->Inputs * (sizeof(float) + E.Bytes) <= RowByRowBytes:
                RowByRow<E>(in strip, 1, 1);
                break;
            case 1: Multiply<E, DotTile8x1<S, V>>(in strip, 1); break;
            case 2: Multiply<E, DotTile8x2<S, V>>(in strip, 2); break;
            case 3: Multiply<E, DotTile8x3<S, V>>(in strip, 3); break;
        }
    }

    /// <summary>Rows of one block and tokens in groups of one size.</summary>
    private struct Strip
    {
        public byte* W;
        public long Stride, LastStep, TokenFloats, Outputs;

        /// <summary>Rows of the block, and rows in front of it that may be computed again, to the same bits.</summary>
        public int Rows, Before;

        public int Steps;
        public float* X, Y;

        /// <summary>Whether the rows come from memory, not from a cache.</summary>
        public bool Cold;
    }

    private static void Multiply<E, T>(in Strip strip, int tokens) where E : struct, IWeightElement where T : struct, IDotTile
    {
        for (var i = 0; i < strip.Rows; i += T.Rows)
        {
            // A tile that would reach past the last row starts earlier.
            var row = Math.Min(i, strip.Rows - T.Rows);
            if (row < -strip.Before)
            {
                RowByRow<E>(in strip, tokens, T.Tokens);
                return;
            }
            var w = strip.W + row * strip.Stride;
            for (var t = 0; t < tokens; t += T.Tokens)
            {
                var x = strip.X + t * strip.TokenFloats;
                var y = strip.Y + t * strip.Outputs + row;
                if (t > 0 || !strip.Cold) T.Compute<E, NoPrefetch>(w, strip.Stride, x, strip.Steps, strip.LastStep, y, strip.Outputs);
                else if (E.Bytes == 4 || T.Tokens <= 2)
                    T.Compute<E, PrefetchPairs>(w, strip.Stride, x, strip.Steps, strip.LastStep, y, strip.Outputs);
                else T.Compute<E, PrefetchLines>(w, strip.Stride, x, strip.Steps, strip.LastStep, y, strip.Outputs);
            }
        }
    }

    /// <summary>For a share of fewer rows than a tile.</summary>
    private static void RowByRow<E>(in Strip strip, int tokens, int group) where E : struct, IWeightElement
    {
        for (var t = 0; t < tokens; t++)
            for (var row = 0; row < strip.Rows; row++)
                strip.Y[t * strip.Outputs + row] = DotKernels<S, V>.Dot1x1<E>(strip.W + row * strip.Stride,
                    strip.X + t / group * group * strip.TokenFloats + t % group * S.Lanes, group, strip.Steps, strip.LastStep);
    }
}
