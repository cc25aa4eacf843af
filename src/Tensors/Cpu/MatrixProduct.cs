namespace Harness.Tensors.Cpu;

/// <summary>y = x Wᵀ.</summary>
internal static unsafe class MatrixProduct
{
    private struct Job
    {
        public float* X, Y;
        public int Rows, Inputs, Outputs;
        public System.Runtime.InteropServices.GCHandle Weight;
        public int Threads;
    }

    public static void Multiply(WorkerTeam team, float* x, int rows, CpuWeight weight, float* y)
    {
        var job = new Job { X = x, Y = y, Rows = rows, Inputs = weight.Inputs, Outputs = weight.Outputs, Threads = team.Threads, Weight = System.Runtime.InteropServices.GCHandle.Alloc(weight) };
        try
        {
            team.Run(&Part, &job);
        }
        finally
        {
            job.Weight.Free();
        }
    }

    private static void Part(void* context, int worker)
    {
        var job = (Job*)context;
        var weight = (CpuWeight)job->Weight.Target!;
        var (first, last) = WorkerTeam.Share(job->Outputs, 8, worker, job->Threads);
        var row = new float[job->Inputs];
        fixed (float* w = row)
            for (var o = first; o < last; o++)
            {
                ElementConversion.ToSingle(weight.Row(o), weight.DType, w, job->Inputs);
                for (var r = 0; r < job->Rows; r++)
                {
                    var x = job->X + (long)r * job->Inputs;
                    float a = 0, b = 0, c = 0, d = 0;
                    var i = 0;
                    for (; i + 4 <= job->Inputs; i += 4)
                    {
                        a += x[i] * w[i];
                        b += x[i + 1] * w[i + 1];
                        c += x[i + 2] * w[i + 2];
                        d += x[i + 3] * w[i + 3];
                    }
                    for (; i < job->Inputs; i++) a += x[i] * w[i];
                    job->Y[(long)r * job->Outputs + o] = a + b + (c + d);
                }
            }
    }
}
