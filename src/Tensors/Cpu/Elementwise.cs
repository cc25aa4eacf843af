using System.Runtime.CompilerServices;

namespace Harness.Tensors.Cpu;

/// <summary>
/// Operations without a matrix: norm, activation, sum. Large ones are shared by the team; an element's or a row's
/// result does not hang on the share it falls into.
/// </summary>
internal static unsafe class Elementwise<S, V> where S : struct, ISimd<V> where V : struct
{
    /// <summary>Elements below which the caller is done before the team would be awake.</summary>
    private const long Alone = 16 << 10;

    private const int Granule = 64;

    private struct Job
    {
        public float* X, Gain, Y;
        public int Rows, Columns, Threads;
        public float Epsilon;
    }

    public static void RmsNorm(WorkerTeam team, float* x, float* gain, float* y, int rows, int columns, float epsilon)
    {
        var job = new Job { X = x, Gain = gain, Y = y, Rows = rows, Columns = columns, Threads = team.Threads, Epsilon = epsilon };
        if ((long)rows * columns <= Alone) NormRows(&job, 0, rows);
        else team.Run(&NormShare, &job);
    }

    private static void NormShare(void* context, int worker)
    {
        var job = (Job*)context;
        var (first, last) = WorkerTeam.Share(job->Rows, 1, worker, job->Threads);
        NormRows(job, first, last);
    }

    private struct HeadsJob
    {
        public float* Qkv, QueryGain, KeyGain;
        public int Rows, Queries, KeyValues, Dimension, Threads;
        public float Epsilon;
    }

    /// <summary>[rows, queries ‖ keys ‖ values], each head of queries and keys in place.</summary>
    public static void NormHeads(WorkerTeam team, float* qkv, float* queryGain, float* keyGain, int rows, AttentionHeads heads,
        float epsilon)
    {
        var job = new HeadsJob
        {
            Qkv = qkv,
            QueryGain = queryGain,
            KeyGain = keyGain,
            Rows = rows,
            Queries = heads.Queries,
            KeyValues = heads.KeyValues,
            Dimension = heads.Dimension,
            Threads = team.Threads,
            Epsilon = epsilon,
        };
        if ((long)rows * (heads.Queries + heads.KeyValues) * heads.Dimension <= Alone) NormHeadsOfRows(&job, 0, rows);
        else team.Run(&NormHeadsShare, &job);
    }

    private static void NormHeadsShare(void* context, int worker)
    {
        var job = (HeadsJob*)context;
        var (first, last) = WorkerTeam.Share(job->Rows, 1, worker, job->Threads);
        NormHeadsOfRows(job, first, last);
    }

    private static void NormHeadsOfRows(HeadsJob* job, int first, int last)
    {
        var width = (long)(job->Queries + 2 * job->KeyValues) * job->Dimension;
        var heads = new Job { Columns = job->Dimension, Epsilon = job->Epsilon };
        for (var row = first; row < last; row++)
        {
            heads.X = heads.Y = job->Qkv + row * width;
            heads.Gain = job->QueryGain;
            NormRows(&heads, 0, job->Queries);
            heads.Gain = job->KeyGain;
            NormRows(&heads, job->Queries, job->Queries + job->KeyValues);
        }
    }

    /// <summary>Y may be X.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void NormRows(Job* job, int first, int last)
    {
        var columns = job->Columns;
        var full = columns / S.Lanes * S.Lanes;
        for (var row = first; row < last; row++)
        {
            float* x = job->X + (long)row * columns, y = job->Y + (long)row * columns;
            V a = S.Zero, b = S.Zero;
            var i = 0;
            for (; i + S.Lanes < full; i += 2 * S.Lanes)
            {
                V first2 = S.Load(x + i), second = S.Load(x + i + S.Lanes);
                a = S.MultiplyAdd(first2, first2, a);
                b = S.MultiplyAdd(second, second, b);
            }
            for (; i < full; i += S.Lanes)
            {
                var v = S.Load(x + i);
                a = S.MultiplyAdd(v, v, a);
            }
            double sum = S.Sum(S.Add(a, b));
            for (i = full; i < columns; i++) sum += (double)x[i] * x[i];
            var scale = (float)(1 / Math.Sqrt(sum / columns + job->Epsilon));
            var factor = S.Broadcast(scale);
            for (i = 0; i < full; i += S.Lanes)
                S.Store(S.Multiply(S.Multiply(S.Load(x + i), factor), S.Load(job->Gain + i)), y + i);
            for (; i < columns; i++) y[i] = x[i] * scale * job->Gain[i];
        }
    }

    /// <summary>[rows, gate ‖ up] to [rows, width].</summary>
    public static void SwiGlu(WorkerTeam team, float* gateUp, float* y, int rows, int width)
    {
        var job = new Job { X = gateUp, Y = y, Rows = rows, Columns = width, Threads = team.Threads };
        if ((long)rows * width <= Alone / 4) SwiGluElements(&job, 0, (long)rows * width);
        else team.Run(&SwiGluShare, &job);
    }

    private static void SwiGluShare(void* context, int worker)
    {
        var job = (Job*)context;
        var (first, last) = WorkerTeam.Share((long)job->Rows * job->Columns, Granule, worker, job->Threads);
        SwiGluElements(job, first, last);
    }

    /// <summary>Elements [first, last) of the result, counted through its rows.</summary>
    private static void SwiGluElements(Job* job, long first, long last)
    {
        while (first < last)
        {
            var (row, column) = (first / job->Columns, (int)(first % job->Columns));
            var count = (int)Math.Min(last - first, job->Columns - column);
            var gate = job->X + row * 2 * job->Columns + column;
            SwiGluRun(gate, gate + job->Columns, job->Y + first, count);
            first += count;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SwiGluRun(float* gate, float* up, float* y, int count)
    {
        var i = 0;
        for (; i + S.Lanes <= count; i += S.Lanes) S.Store(SwiGlu(S.Load(gate + i), S.Load(up + i)), y + i);
        var rest = count - i;
        if (rest > 0)
            VectorMath<S, V>.StorePart(SwiGlu(VectorMath<S, V>.LoadPart(gate + i, rest, 0), VectorMath<S, V>.LoadPart(up + i, rest, 0)),
                y + i, rest);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V SwiGlu(V gate, V up) =>
        S.Multiply(S.Divide(gate, S.Add(S.Broadcast(1), VectorMath<S, V>.Exp(S.Subtract(S.Zero, gate)))), up);

    public static void Add(WorkerTeam team, float* x, float* y, int rows, int columns)
    {
        var job = new Job { X = x, Y = y, Rows = rows, Columns = columns, Threads = team.Threads };
        if ((long)rows * columns <= Alone) AddElements(x, y, (long)rows * columns);
        else team.Run(&AddShare, &job);
    }

    /// <summary>The one row to each of them.</summary>
    public static void AddToRows(WorkerTeam team, float* x, float* row, int rows, int columns)
    {
        var job = new Job { X = x, Y = row, Rows = rows, Columns = columns, Threads = team.Threads };
        if ((long)rows * columns <= Alone) AddToRows(&job, 0, rows);
        else team.Run(&AddToRowsShare, &job);
    }

    private static void AddToRowsShare(void* context, int worker)
    {
        var job = (Job*)context;
        var (first, last) = WorkerTeam.Share(job->Rows, 1, worker, job->Threads);
        AddToRows(job, first, last);
    }

    private static void AddToRows(Job* job, int first, int last)
    {
        for (var row = first; row < last; row++) AddElements(job->X + (long)row * job->Columns, job->Y, job->Columns);
    }

    private static void AddShare(void* context, int worker)
    {
        var job = (Job*)context;
        var (first, last) = WorkerTeam.Share((long)job->Rows * job->Columns, Granule, worker, job->Threads);
        AddElements(job->X + first, job->Y + first, last - first);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddElements(float* x, float* y, long count)
    {
        long i = 0;
        for (; i + S.Lanes <= count; i += S.Lanes) S.Store(S.Add(S.Load(x + i), S.Load(y + i)), x + i);
        for (; i < count; i++) x[i] += y[i];
    }
}
