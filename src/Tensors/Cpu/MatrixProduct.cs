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

    /// <summary>
    /// Bytes of packed activations that a block of rows meets together, where tiles are small and so read much: they stay in the
    /// second-level cache beside the rows.
    /// </summary>
    private const long StripBytes = 128 << 10;

    /// <summary>Elements that the caller packs alone, since waking the team would take longer.</summary>
    private const long PackAlone = 64 << 10;

    /// <summary>
    /// Products that the caller adds up alone: one to two microseconds, in which a worker that spins could save half a microsecond
    /// and one that must be woken nothing.
    /// </summary>
    private const long MultiplyAlone = 64 << 10;

    /// <summary>Tokens of a full tile.</summary>
    private const int Group = 4;

    /// <summary>Vector registers, which decide on the tiles; AVX-512 and ARM have 32.</summary>
    private static bool Has32Registers => S.Lanes == 16 || AdvSimd.IsSupported;

    private struct Job
    {
        public float* X, Packed, Scratch, Y;
        public WeightSegment* Segments;
        public int SegmentCount, Tokens, Inputs, Outputs, Steps, Threads;

        /// <summary>Packed floats of one token: the inputs, rounded up to whole steps.</summary>
        public readonly int PackedInputs => Steps * 2 * S.Lanes;
    }

    public static void Multiply(WorkerTeam team, Arena arena, float* x, int tokens, CpuWeight weight, float* y)
    {
        switch (weight.DType)
        {
            case DType.F32: Multiply<Float32Element>(team, arena, x, tokens, weight, y); break;
            case DType.BF16: Multiply<BFloat16Element>(team, arena, x, tokens, weight, y); break;
            case DType.F16 when HostCpu.MultipliesSubnormalsAsQuickly:
                Multiply<ScaledFloat16Element>(team, arena, x, tokens, weight, y);
                break;
            default: Multiply<Float16Element>(team, arena, x, tokens, weight, y); break;
        }
        GC.KeepAlive(weight);
    }

    private static void Multiply<E>(WorkerTeam team, Arena arena, float* x, int tokens, CpuWeight weight, float* y)
        where E : struct, IWeightElement
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
        };
        job.Packed = (float*)arena.Take((long)tokens * job.PackedInputs * sizeof(float));
        if (weight.DType == DType.F16 && tokens >= ConvertTokens)
            job.Scratch = (float*)arena.Take((long)job.Threads * BlockRows * job.PackedInputs * sizeof(float));
        if ((long)tokens * weight.Inputs <= PackAlone) PackGroups<E>(&job, 0, tokens);
        else team.Run(&Pack<E>, &job);
        if (job.Threads == 1) Part<E>(&job, 0);
        else team.Run(&Part<E>, &job);
        arena.Release(mark);
    }

    private static void Pack<E>(void* context, int worker) where E : struct, IWeightElement
    {
        var job = (Job*)context;
        var (first, last) = WorkerTeam.Share(job->Tokens, Group, worker, job->Threads);
        PackGroups<E>(job, first, last);
    }

    private static void PackGroups<E>(Job* job, int first, int last) where E : struct, IWeightElement
    {
        for (var token = first; token < last; token += Group)
        {
            var group = Math.Min(Group, last - token);
            for (var b = 0; b < group; b++)
                PackToken<E>(job->X + (long)(token + b) * job->Inputs, job->Inputs, job->Steps,
                    job->Packed + (long)token * job->PackedInputs + b * S.Lanes, group);
        }
    }

    /// <summary>One token to [step][half], each half <paramref name="group"/> vectors from the next.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackToken<E>(float* x, int inputs, int steps, float* packed, int group) where E : struct, IWeightElement
    {
        var half = group * S.Lanes;
        var full = inputs / (2 * S.Lanes);
        for (var s = 0; s < full; s++, x += 2 * S.Lanes, packed += 2 * half)
            PackStep<E>(x, packed, half);
        if (full == steps) return;
        // The window of the last step ends at the last input; what earlier steps have done is 0 in it.
        var window = stackalloc float[2 * S.Lanes];
        var rest = inputs - full * 2 * S.Lanes;
        new Span<float>(window, 2 * S.Lanes - rest).Clear();
        new Span<float>(x, rest).CopyTo(new Span<float>(window + 2 * S.Lanes - rest, rest));
        PackStep<E>(window, packed, half);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PackStep<E>(float* x, float* packed, int half) where E : struct, IWeightElement
    {
        V first = S.Load(x), second = S.Load(x + S.Lanes);
        if (E.Interleaved) S.Deinterleave(first, second, out first, out second);
        S.Store(Scaled(first, E.InputScale), packed);
        S.Store(Scaled(second, E.InputScale), packed + half);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Scaled(V values, float scale) => scale == 1 ? values : S.Multiply(values, S.Broadcast(scale));

    private static void Part<E>(void* context, int worker) where E : struct, IWeightElement
    {
        var job = (Job*)context;
        var (first, last) = WorkerTeam.Share(job->Outputs, 8, worker, job->Threads);
        var stride = (long)job->Inputs * E.Bytes;
        for (var token = 0; token < job->Tokens; token += BlockTokens)
        {
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
            if (E.OutputScale != 1)
                Scale(job->Y + (long)token * job->Outputs + first, Math.Min(BlockTokens, job->Tokens - token), last - first, job->Outputs,
                    E.OutputScale);
        }
    }

    private static void Scale(float* y, int rows, int columns, int stride, float scale)
    {
        for (var r = 0; r < rows; r++, y += stride)
        {
            var i = 0;
            for (; i <= columns - S.Lanes; i += S.Lanes) S.Store(S.Multiply(S.Load(y + i), S.Broadcast(scale)), y + i);
            for (; i < columns; i++) y[i] *= scale;
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
                S.Store(E.First<S, V>(source), scratch);
                S.Store(E.Second<S, V>(source), scratch + S.Lanes);
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
        var width = Has32Registers ? BlockTokens
            : Math.Max(2 * Group, (int)(StripBytes / (strip.TokenFloats * sizeof(float))) / Group * Group);
        for (var done = 0; done < full; done += width)
        {
            var part = Math.Min(width, full - done);
            if (Has32Registers) Multiply<E, DotTile6x4<S, V>>(in strip, part);
            else Multiply<E, DotTile3x4<S, V>>(in strip, part);
            strip.X += part * strip.TokenFloats;
            strip.Y += part * strip.Outputs;
            strip.Cold = false;
        }
        switch (tokens - full)
        {
            case 1 when Has32Registers && strip.Cold && HostCpu.FollowsStreams
                    && job->Inputs * (sizeof(float) + E.Bytes) <= RowByRowBytes:
                RowByRow<E>(in strip, 1, 1);
                break;
            case 1: Multiply<E, DotTile8x1<S, V>>(in strip, 1); break;
            case 2 when Has32Registers: Multiply<E, DotTile8x2<S, V>>(in strip, 2); break;
            case 3 when Has32Registers: Multiply<E, DotTile8x3<S, V>>(in strip, 3); break;
            case 2: Multiply<E, DotTile6x2<S, V>>(in strip, 2); break;
            case 3: Multiply<E, DotTile4x3<S, V>>(in strip, 3); break;
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
            byte* next = w + T.Rows * strip.Stride;
            var nextStep = T.Rows * 2L * S.Lanes * E.Bytes;
            for (var t = 0; t < tokens; t += T.Tokens)
            {
                var x = strip.X + t * strip.TokenFloats;
                var y = strip.Y + t * strip.Outputs + row;
                if (!AsksAhead<T>(in strip, t))
                    T.Compute<E, NoPrefetch>(w, strip.Stride, x, strip.Steps, strip.LastStep, y, strip.Outputs, w, 0);
                else if (Has32Registers && (E.Bytes == 4 || T.Tokens <= 2))
                    T.Compute<E, PrefetchPairs>(w, strip.Stride, x, strip.Steps, strip.LastStep, y, strip.Outputs, next, nextStep);
                else if (Has32Registers || tokens <= T.Tokens)
                    T.Compute<E, PrefetchLines>(w, strip.Stride, x, strip.Steps, strip.LastStep, y, strip.Outputs, next, nextStep);
                else
                {
                    T.Compute<E, PrefetchLinesInTwoPasses>(w, strip.Stride, x, strip.Steps, strip.LastStep, y, strip.Outputs, next,
                        nextStep / 2);
                    next += nextStep / 2 * strip.Steps;
                }
            }
        }
    }

    /// <summary>
    /// Whether a tile's pass over the tokens from <paramref name="token"/> on asks for the next tile's rows: the first one, with 16
    /// registers the first two, of which each has time for half; with fewer tokens than a group only where the processor does not see by
    /// itself what comes. In rows of less than a page none does: each is a stream that has hardly begun.
    /// </summary>
    private static bool AsksAhead<T>(in Strip strip, int token) where T : struct, IDotTile =>
        strip.Cold && (Has32Registers ? token == 0
            : token <= T.Tokens && (T.Tokens == Group || !HostCpu.FollowsStreams || strip.Stride < Environment.SystemPageSize));

    /// <summary>For a share of fewer rows than a tile.</summary>
    private static void RowByRow<E>(in Strip strip, int tokens, int group) where E : struct, IWeightElement
    {
        for (var t = 0; t < tokens; t++)
            for (var row = 0; row < strip.Rows; row++)
                strip.Y[t * strip.Outputs + row] = DotKernels<S, V>.Dot1x1<E>(strip.W + row * strip.Stride,
                    strip.X + t / group * group * strip.TokenFloats + t % group * S.Lanes, group, strip.Steps, strip.LastStep);
    }
}
