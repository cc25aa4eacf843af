using Harness.Common;
using Harness.Configuration;
using Harness.Sharding;
using Harness.Sharding.Launch;
using Harness.Tensors;
using Harness.Tensors.Cpu;

namespace Harness.Seams;

/// <summary>The backend of a run, and why it is that one.</summary>
/// <param name="Reason">What decided: what was asked for, or what was found and not found.</param>
/// <param name="LibTorch">Which libtorch is loaded; null for the CPU backend.</param>
internal sealed record BackendChoice(ITensorBackendFactory Factory, string Reason, string? LibTorch = null)
{
    public string Name => Factory.Name;

    /// <summary>For the manifest.</summary>
    public object Described => new { name = Name, reason = Reason, libtorch = LibTorch };

    /// <summary>Work that a CPU's meters can speak of.</summary>
    public bool IsCpu => Factory is CpuBackendFactory;
}

/// <summary>The tensor backends, by what <c>--backend</c> names.</summary>
internal static class Backends
{
    public const string Cpu = CpuBackend.Word, Torch = "torch";

    /// <summary>
    /// The same on every rank: all call together, each looks at its own devices, and ranks that see different ones end here.
    /// </summary>
    /// <param name="weights">The type that they are to be kept in; null where that is the checkpoint's.</param>
    /// <exception cref="UserErrorException">libtorch was asked for and does not load, or has no such weights, or auto would differ between
    /// ranks; one line with the remedy.</exception>
    public static BackendChoice Choose(RuntimeOptions options, DType? weights, ICommunicator world) =>
        Agree(world, LaunchChecks.OnEveryRank(world, () => Choose(options, weights)));

    internal static BackendChoice Agree(ICommunicator world, BackendChoice choice)
    {
        var onDevices = new byte[world.Size];
        world.AllGather([(byte)(choice.IsCpu ? 0 : 1)], onDevices);
        if (!onDevices.Contains((byte)1)) return choice;
        return LaunchChecks.OnEveryRank(world, () => !choice.IsCpu ? choice : throw new UserErrorException(
            $"--backend auto finds a CUDA device on other ranks and would compute on the CPU here, since {choice.Reason}; give every rank "
                + "a device, or say --backend cpu"));
    }

    /// <summary>What this process would take.</summary>
    /// <inheritdoc cref="Choose(RuntimeOptions, DType?, ICommunicator)"/>
    public static BackendChoice Choose(RuntimeOptions options, DType? weights) => options.Backend switch
    {
        BackendKind.Cpu => new(new CpuBackendFactory(), "asked for"),
        BackendKind.Torch when weights == DType.Int8 => throw new UserErrorException(
            "--backend torch has no int8 weights; use --backend cpu, or --dtype bf16 or f16"),
        BackendKind.Auto when weights == DType.Int8 => OnCpu("--dtype int8 is of the CPU backend alone"),
        BackendKind.Torch => ByLibTorch(options.LibTorch, "asked for"),
        _ => Best(options.LibTorch),
    };

    /// <summary>The type that keys and values are kept in.</summary>
    /// <param name="wanted">Null where that is left to the backend.</param>
    /// <param name="weights">Their type in memory.</param>
    /// <exception cref="UserErrorException">The backend has no such cache.</exception>
    public static DType CacheType(BackendChoice choice, DType? wanted, DType weights)
    {
        if (choice.IsCpu) return wanted ?? DType.F32;
        return wanted == null || wanted == weights ? weights
            : throw new UserErrorException($"--backend torch keeps keys and values in the type of its activations, {weights.Label()} here, "
                + $"not in {wanted.Value.Label()}; leave --kv-dtype out, or use --backend cpu");
    }

    /// <summary>
    /// torch where a libtorch loads and sees a CUDA device, else cpu. Without a device libtorch is not touched: loading it takes a second.
    /// </summary>
    private static BackendChoice Best(string libTorch)
    {
        if (TorchSharp.Torch.CudaDevices(out var none) == 0) return OnCpu(none);
        try
        {
            var found = TorchSharp.Torch.Examine(libTorch);
            if (found.Obstacle is { } obstacle) return OnCpu(obstacle);
            return ByLibTorch(libTorch, $"libtorch sees {Figures.Count(found.Devices.Count, "CUDA device")}");
        }
        catch (UserErrorException e)
        {
            return OnCpu(e.Message);
        }
    }

    private static BackendChoice OnCpu(string obstacle) => new(new CpuBackendFactory(), obstacle);

    private static BackendChoice ByLibTorch(string folder, string reason) =>
        new(TorchSharp.Torch.Backend(folder), reason, TorchSharp.Torch.Examine(folder).Description);
}
