namespace Harness.Tensors.Cpu;

/// <summary>The shape of a dot-product kernel: so many rows of the weight with so many tokens.</summary>
internal unsafe interface IDotTile
{
    static abstract int Rows { get; }
    static abstract int Tokens { get; }

    static abstract void Compute<E, P>(byte* w, long stride, float* x, int steps, long lastStep, float* y, long tokenStride,
        byte* next, long nextStep) where E : struct, IWeightElement where P : struct, IPrefetch;
}

internal readonly unsafe struct DotTile8x1<S, V> : IDotTile where S : struct, ISimd<V> where V : struct
{
    public static int Rows => 8;
    public static int Tokens => 1;

    public static void Compute<E, P>(byte* w, long stride, float* x, int steps, long lastStep, float* y, long tokenStride,
        byte* next, long nextStep) where E : struct, IWeightElement where P : struct, IPrefetch =>
        DotKernels<S, V>.Dot8x1<E, P>(w, stride, x, steps, lastStep, y, tokenStride, next, nextStep);
}

internal readonly unsafe struct DotTile8x2<S, V> : IDotTile where S : struct, ISimd<V> where V : struct
{
    public static int Rows => 8;
    public static int Tokens => 2;

    public static void Compute<E, P>(byte* w, long stride, float* x, int steps, long lastStep, float* y, long tokenStride,
        byte* next, long nextStep) where E : struct, IWeightElement where P : struct, IPrefetch =>
        DotKernels<S, V>.Dot8x2<E, P>(w, stride, x, steps, lastStep, y, tokenStride, next, nextStep);
}

internal readonly unsafe struct DotTile8x3<S, V> : IDotTile where S : struct, ISimd<V> where V : struct
{
    public static int Rows => 8;
    public static int Tokens => 3;

    public static void Compute<E, P>(byte* w, long stride, float* x, int steps, long lastStep, float* y, long tokenStride,
        byte* next, long nextStep) where E : struct, IWeightElement where P : struct, IPrefetch =>
        DotKernels<S, V>.Dot8x3<E, P>(w, stride, x, steps, lastStep, y, tokenStride, next, nextStep);
}

internal readonly unsafe struct DotTile6x4<S, V> : IDotTile where S : struct, ISimd<V> where V : struct
{
    public static int Rows => 6;
    public static int Tokens => 4;

    public static void Compute<E, P>(byte* w, long stride, float* x, int steps, long lastStep, float* y, long tokenStride,
        byte* next, long nextStep) where E : struct, IWeightElement where P : struct, IPrefetch =>
        DotKernels<S, V>.Dot6x4<E, P>(w, stride, x, steps, lastStep, y, tokenStride, next, nextStep);
}

internal readonly unsafe struct DotTile6x2<S, V> : IDotTile where S : struct, ISimd<V> where V : struct
{
    public static int Rows => 6;
    public static int Tokens => 2;

    public static void Compute<E, P>(byte* w, long stride, float* x, int steps, long lastStep, float* y, long tokenStride,
        byte* next, long nextStep) where E : struct, IWeightElement where P : struct, IPrefetch =>
        DotKernels16<S, V>.Dot6x2<E, P>(w, stride, x, steps, lastStep, y, tokenStride, next, nextStep);
}

internal readonly unsafe struct DotTile4x3<S, V> : IDotTile where S : struct, ISimd<V> where V : struct
{
    public static int Rows => 4;
    public static int Tokens => 3;

    public static void Compute<E, P>(byte* w, long stride, float* x, int steps, long lastStep, float* y, long tokenStride,
        byte* next, long nextStep) where E : struct, IWeightElement where P : struct, IPrefetch =>
        DotKernels16<S, V>.Dot4x3<E, P>(w, stride, x, steps, lastStep, y, tokenStride, next, nextStep);
}

internal readonly unsafe struct DotTile3x4<S, V> : IDotTile where S : struct, ISimd<V> where V : struct
{
    public static int Rows => 3;
    public static int Tokens => 4;

    public static void Compute<E, P>(byte* w, long stride, float* x, int steps, long lastStep, float* y, long tokenStride,
        byte* next, long nextStep) where E : struct, IWeightElement where P : struct, IPrefetch =>
        DotKernels16<S, V>.Dot3x4<E, P>(w, stride, x, steps, lastStep, y, tokenStride, next, nextStep);
}
