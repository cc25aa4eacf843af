using System.Globalization;
using Harness.Bench;
using Harness.Bench.Peers;
using Harness.Common;
using Harness.Tensors;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
if (args is ["help"] or ["--help"])
{
    Console.WriteLine("""
        usage: peers-bench [options]: the CPU backend beside llama.cpp and libtorch, as a table for docs/performance.md
          --model synthetic:tinyllama-1.1b   a plain LLaMA; 2 bytes of memory per weight for each 16-bit type below
          --dtypes bf16                      ours, int8 too; one table each
          --llama f16,bf16,q8_0              llama.cpp's types, or none
          --torch f32,bf16                   libtorch's types, or none
          --libtorch DIR                     another libtorch than the package's
          --threads 1 --batches 1,2,4,8 --rounds 7
        """);
    return 0;
}
var folder = Path.Combine(Path.GetTempPath(), $"peers-bench-{Environment.ProcessId}");
try
{
    var options = new Options(args);
    var bench = new PeersBench(options);
    Directory.CreateDirectory(folder);
    foreach (var dtype in options.Text("dtypes", "bf16").Split(',').Select(DTypes.ParseWeights)) bench.Run(dtype, folder);
    return 0;
}
catch (UserErrorException e)
{
    Console.Error.WriteLine($"peers-bench: {e.Message}");
    return 2;
}
finally
{
    if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
}
