using System.Diagnostics;
using TorchSharp;

namespace Harness.Bench.Torch;

/// <summary>What the device attains through the same library: the yardstick of this machine, in this run.</summary>
/// <param name="BytesPerSecond">Read and written by a copy of a large tensor.</param>
/// <param name="FlopsPerSecond">Of a large square matrix product.</param>
internal sealed record DeviceLimits(double BytesPerSecond, double FlopsPerSecond)
{
    public static DeviceLimits Measure(torch.Device device, torch.ScalarType type)
    {
        using var scope = torch.NewDisposeScope();
        using var grad = torch.no_grad();
        var cuda = device.type == DeviceType.CUDA;
        long elements = cuda ? 1L << 30 : 1L << 26, side = cuda ? 8192 : 1024;
        var (a, b) = (torch.ones(elements, dtype: type, device: device), torch.empty(elements, dtype: type, device: device));
        var copy = BestSeconds(() => b.copy_(a));
        var x = torch.ones(side, side, dtype: type, device: device);
        var product = BestSeconds(() => x.mm(x).Dispose());
        return new(2.0 * elements * b.ElementSize / copy, 2.0 * side * side * side / product);

        double BestSeconds(Action action)
        {
            var best = double.PositiveInfinity;
            for (var i = 0; i < 12; i++)
            {
                var start = Stopwatch.GetTimestamp();
                action();
                if (cuda) torch.cuda.synchronize(device);
                best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
            }
            return best;
        }
    }
}
