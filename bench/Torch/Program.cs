using System.Globalization;
using Harness.Bench.Torch;
using Harness.Common;
using Harness.Tensors;
using Harness.TorchSharp.Loading;

// What libtorch's device does here, one rank:
//   dotnet run -c Release --project bench/Torch -- synthetic:2-7b bf16 LIBTORCH_FOLDER     prefill and decode beside the device's rates
//   dotnet run -c Release --project bench/Torch -- memory LIBTORCH_FOLDER                  how running out of memory ends
// Without a folder: a libtorch beside the program (-p:LibTorch=cuda) or on LD_LIBRARY_PATH. tests/gpu.sh runs both on a machine
// with a GPU and no network.

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
try
{
    var first = args.ElementAtOrDefault(0) ?? "synthetic:2-7b";
    if (first == "memory") DeviceExhaustion.Provoke(LibTorch.Load(args.ElementAtOrDefault(1) ?? ""));
    else
    {
        var type = DTypes.Parse(args.ElementAtOrDefault(1) ?? "bf16");
        new ForwardPasses(first, type, LibTorch.Load(args.ElementAtOrDefault(2) ?? "")).Run();
    }
    return 0;
}
catch (UserErrorException e)
{
    Console.Error.WriteLine($"torch-bench: {e.Message}");
    return 1;
}
