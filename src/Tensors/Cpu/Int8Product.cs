using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Harness.Tensors.Cpu;

/// <summary>
/// y = x Wᵀ of int8 weights. Activations are quantised too, by the same groups, scales in float32: each product of a group is one of
/// integers. Each worker takes a contiguous range of blocks of rows; strips of them meet all tokens of a token block before the next are
/// read, so that memory delivers each weight once per token block.
/// </summary>
internal static unsafe class Int8Product<D, V, F> where D : struct, IByteDot<V, F> where V : struct where F : struct
{
    /// <summary>Blocks of rows that all tokens share while they are in cache.</summary>
    private const int StripBlocks = 4;

    /// <summary>Tokens whose packed activations should stay in the second-level cache.</summary>
    private const int BlockTokens = 64;

    /// <summary>Tokens of the widest tile, which are packed together.</summary>
    private const int Together = 4;

    /// <summary>Elements that the caller packs alone, and products that it adds up alone: waking the team would take longer.</summary>
    private const long PackAlone = 32 << 10, MultiplyAlone = 64 << 10;

    private struct Job
    {
        public float* X, Y;
        public byte* Packed;
        public ActivationGroup* Groups;
        public Int8Segment* Segments;
        public int SegmentCount, Tokens, Inputs, Outputs, GroupCount, Blocks, Threads;

        public readonly long TokenBytes => (long)GroupCount * (Int8Weight.GroupColumns / 4) * D.ChunkBytes;
    }

    public static void Multiply(WorkerTeam team, Arena arena, float* x, int tokens, Int8Weight weight, float* y)
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
            GroupCount = weight.Groups,
            Threads = (long)tokens * weight.Inputs * weight.Outputs <= MultiplyAlone ? 1 : team.Threads,
        };
        for (var i = 0; i < job.SegmentCount; i++) job.Blocks += job.Segments[i].Blocks;
        job.Packed = (byte*)arena.Take(tokens * job.TokenBytes);
        job.Groups = (ActivationGroup*)arena.Take((long)tokens * job.GroupCount * sizeof(ActivationGroup));
        if (job.Threads == 1 || (long)tokens * weight.Inputs <= PackAlone) PackTokens(&job, 0, tokens);
        else team.Run(&Pack, &job);
        if (job.Threads == 1) Part(&job, 0);
        else team.Run(&Part, &job);
        arena.Release(mark);
        GC.KeepAlive(weight);
    }

    private static void Pack(void* context, int worker)
    {
        var job = (Job*)context;
        var (first, last) = WorkerTeam.Share(job->Tokens, Together, worker, job->Threads);
        PackTokens(job, first, last);
    }

    /// <param name="first">A multiple of the tokens that are packed together.</param>
    private static void PackTokens(Job* job, int first, int last)
    {
        for (var token = first; token < last; token++)
        {
            var together = TogetherWith(token, job->Tokens);
            var (tile, place) = (token - token % together, token % together);
            PackToken(job->X + (long)token * job->Inputs, job->Inputs, job->GroupCount, together,
                job->Packed + tile * job->TokenBytes + place * D.ChunkBytes, job->Groups + (long)tile * job->GroupCount + place);
        }
    }

    /// <summary>Tokens of the tile that a token belongs to: fours, then two where two or three are left, then one.</summary>
    private static int TogetherWith(int token, int tokens)
    {
        var left = tokens - token / Together * Together;
        return left >= Together ? Together : left >= 2 && token % Together < 2 ? 2 : 1;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackToken(float* x, int inputs, int groups, int together, byte* packed, ActivationGroup* group)
    {
        var multiples = stackalloc sbyte[Int8Weight.GroupColumns];
        var last = stackalloc float[Int8Weight.GroupColumns];
        for (; groups > 0; groups--, x += Int8Weight.GroupColumns, inputs -= Int8Weight.GroupColumns, group += together)
        {
            var values = x;
            if (inputs < Int8Weight.GroupColumns)
            {
                new Span<float>(last, Int8Weight.GroupColumns).Clear();
                new Span<float>(x, inputs).CopyTo(new Span<float>(last, inputs));
                values = last;
            }
            var most = Int8Groups.LargestMagnitude(values);
            var scale = most / Int8Groups.Largest;
            Int8Groups.RoundToEven(values, Int8Groups.Inverse(scale), multiples);
            // A group with an infinity or NaN in it makes every output NaN, as it would in float32.
            *group = new(most < float.PositiveInfinity ? scale * D.Unit : float.NaN, Total(multiples));
            for (var chunk = 0; chunk < Int8Weight.GroupColumns / 4; chunk++, packed += together * D.ChunkBytes)
            {
                var columns = ((int*)multiples)[chunk];
                if (D.ChunkBytes == 4)
                {
                    *(int*)packed = columns;
                    continue;
                }
                ((short*)packed)[0] = (sbyte)columns;
                ((short*)packed)[1] = (sbyte)(columns >> 16);
                ((short*)packed)[2] = (sbyte)(columns >> 8);
                ((short*)packed)[3] = (sbyte)(columns >> 24);
            }
        }
    }

    private static int Total(sbyte* multiples)
    {
        var (low, high) = Vector256.Widen(Vector256.Load(multiples));
        return Vector256.Sum(low + high);
    }

    private static void Part(void* context, int worker)
    {
        var job = (Job*)context;
        var (first, last) = WorkerTeam.Share(job->Blocks, StripBlocks, worker, job->Threads);
        for (var token = 0; token < job->Tokens; token += BlockTokens)
        {
            var before = 0;
            for (var s = 0; s < job->SegmentCount; s++)
            {
                var segment = job->Segments[s];
                var (from, to) = (Math.Max(first - before, 0), Math.Min(last - before, segment.Blocks));
                for (var block = from; block < to; block += StripBlocks)
                    Multiply(job, in segment, block, Math.Min(StripBlocks, to - block), token);
                before += segment.Blocks;
            }
        }
    }

    /// <summary>Some blocks of rows and the tokens of one token block.</summary>
    private struct Strip
    {
        public byte* W, X;
        public ActivationGroup* Groups;
        public float* Y;
        public long BlockBytes, TokenBytes, Outputs;
        public int Blocks, Rows, GroupCount;

        /// <summary>Blocks whose rows are all outputs.</summary>
        public readonly int Whole => Math.Min(Blocks, Rows / Int8Weight.BlockRows);

        public readonly byte* Weights(int block) => W + block * BlockBytes;
        public readonly byte* Packed(int token) => X + token * TokenBytes;
        public readonly ActivationGroup* Activations(int token) => Groups + (long)token * GroupCount;
        public readonly float* Output(int token, int block) => Y + token * Outputs + block * Int8Weight.BlockRows;
    }

    private static void Multiply(Job* job, in Int8Segment segment, int block, int blocks, int firstToken)
    {
        var (bytes, row) = (Int8Weight.BlockBytes(job->GroupCount), block * Int8Weight.BlockRows);
        var strip = new Strip
        {
            W = segment.Data + block * bytes,
            X = job->Packed + firstToken * job->TokenBytes,
            Groups = job->Groups + (long)firstToken * job->GroupCount,
            Y = job->Y + (long)firstToken * job->Outputs + segment.FirstOutput + row,
            BlockBytes = bytes,
            TokenBytes = job->TokenBytes,
            Outputs = job->Outputs,
            Blocks = blocks,
            Rows = segment.Rows - row,
            GroupCount = job->GroupCount,
        };
        var tokens = Math.Min(BlockTokens, job->Tokens - firstToken);
        var fours = tokens / Together * Together;
        if (fours > 0) Fours(in strip, fours);
        if (tokens - fours >= 2) Two(in strip, fours);
        if (tokens % 2 == 1) One(in strip, tokens - 1);
    }

    private static void Fours(in Strip strip, int tokens)
    {
        var tile = Int8Kernels<D, V, F>.BlocksOfFour / 2;
        var block = 0;
        for (; block + tile <= strip.Whole; block += tile)
            for (var token = 0; token < tokens; token += 4)
            {
                // The first token of all finds its weights in memory, any other in a cache.
                if (token == 0)
                    Int8Kernels<D, V, F>.Dot2x4<PrefetchLines>(strip.Weights(block), strip.BlockBytes, strip.GroupCount,
                        strip.Packed(token), strip.Activations(token), strip.Output(token, block), strip.Outputs);
                else
                    Int8Kernels<D, V, F>.Dot2x4<NoPrefetch>(strip.Weights(block), strip.BlockBytes, strip.GroupCount,
                        strip.Packed(token), strip.Activations(token), strip.Output(token, block), strip.Outputs);
            }
        for (var token = 0; token < tokens; token += 4) BlockByBlock(in strip, block, token, 4);
    }

    private static void Two(in Strip strip, int token)
    {
        var tile = Int8Kernels<D, V, F>.BlocksOfFour;
        var block = 0;
        for (; block + tile <= strip.Whole; block += tile)
        {
            if (token == 0)
                Int8Kernels<D, V, F>.Dot4x2<PrefetchLines>(strip.Weights(block), strip.BlockBytes, strip.GroupCount, strip.Packed(token),
                    strip.Activations(token), strip.Output(token, block), strip.Outputs);
            else
                Int8Kernels<D, V, F>.Dot4x2<NoPrefetch>(strip.Weights(block), strip.BlockBytes, strip.GroupCount, strip.Packed(token),
                    strip.Activations(token), strip.Output(token, block), strip.Outputs);
        }
        BlockByBlock(in strip, block, token, 2);
    }

    private static void One(in Strip strip, int token)
    {
        var tile = Int8Kernels<D, V, F>.BlocksOfFour;
        var block = 0;
        for (; block + tile <= strip.Whole; block += tile)
        {
            if (token == 0)
                Int8Kernels<D, V, F>.Dot4x1<PrefetchLines>(strip.Weights(block), strip.BlockBytes, strip.GroupCount, strip.Packed(token),
                    strip.Activations(token), strip.Output(token, block));
            else
                Int8Kernels<D, V, F>.Dot4x1<NoPrefetch>(strip.Weights(block), strip.BlockBytes, strip.GroupCount, strip.Packed(token),
                    strip.Activations(token), strip.Output(token, block));
        }
        BlockByBlock(in strip, block, token, 1);
    }

    /// <summary>What no tile of rows fits, for some tokens that are packed together.</summary>
    private static void BlockByBlock(in Strip strip, int first, int firstToken, int together)
    {
        for (var block = first; block < strip.Blocks; block++)
            for (var token = 0; token < together; token++)
                Int8Kernels<D, V, F>.Block(strip.Weights(block), Math.Min(Int8Weight.BlockRows, strip.Rows - block * Int8Weight.BlockRows),
                    strip.GroupCount, strip.Packed(firstToken) + token * D.ChunkBytes, strip.Activations(firstToken) + token, together,
                    strip.Output(firstToken + token, block));
    }
}
