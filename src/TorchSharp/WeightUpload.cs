using Harness.Tensors;
using TorchSharp;
using DeviceTensor = TorchSharp.torch.Tensor;

namespace Harness.TorchSharp;

/// <summary>
/// Weights from the checkpoint to the device, so many rows at a time through one staging buffer, pinned where the device
/// is a GPU: the host never holds a second copy of a matrix. Another element type is converted on the device.
/// </summary>
internal sealed class WeightUpload(torch.Device device) : IDisposable
{
    private const int StagingBytes = 16 << 20;

    private DeviceTensor? _staging;     // [elements] in the stored type
    private (DType Type, long Elements) _reserved;

    /// <summary>The parts stacked by rows, [Σ rows, columns] in <paramref name="storage"/>.</summary>
    public DeviceTensor Load(IReadOnlyList<WeightSlice> parts, DType storage)
    {
        using var scope = torch.NewDisposeScope();
        long rows = parts.Sum(part => (long)part.Rows), row = 0;
        var weight = torch.empty(rows, parts[0].Columns, dtype: storage.Torch(), device: device);
        foreach (var part in parts)
        {
            Copy(part, weight.narrow(0, row, part.Rows));
            row += part.Rows;
        }
        return weight.DetachFromDisposeScope();
    }

    private void Copy(WeightSlice part, DeviceTensor destination)
    {
        var rowBytes = checked(part.Columns * part.DType.Bytes());
        var rowsAtOnce = Math.Clamp(StagingBytes / rowBytes, 1, part.Rows);
        Reserve(part.DType, (long)rowsAtOnce * part.Columns);
        for (var first = 0; first < part.Rows; first += rowsAtOnce)
        {
            using var scope = torch.NewDisposeScope();
            var count = Math.Min(rowsAtOnce, part.Rows - first);
            part.CopyRows(first, count, NativeTensor.HostValues<byte>(_staging!, checked(count * rowBytes)));
            // Both copies end before the buffer is written again: to() and copy_() wait where they cross from host to device.
            var staged = _staging!.narrow(0, 0, (long)count * part.Columns).view(count, part.Columns);
            destination.narrow(0, first, count).copy_(part.DType.Torch() == destination.dtype ? staged : staged.to(device));
        }
    }

    private void Reserve(DType type, long elements)
    {
        if (_reserved.Type == type && _reserved.Elements >= elements) return;
        using var scope = torch.NewDisposeScope();
        _staging?.Dispose();
        var buffer = torch.empty(elements, dtype: type.Torch(), device: torch.CPU);
        if (device.type == DeviceType.CUDA) buffer = buffer.pin_memory();
        (_staging, _reserved) = (buffer.DetachFromDisposeScope(), (type, elements));
    }

    public void Dispose() => _staging?.Dispose();
}
