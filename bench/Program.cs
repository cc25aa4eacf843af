using Harness.Bench;
using Harness.Common;

if (args.Length == 0 || args[0] is "help" or "--help")
{
    Console.WriteLine("""
        usage: bench VERB [options]
          kernels   matrix products of the CPU backend, as ratios to the limits of this machine
                    --threads 1,2     numbers of threads
                    --rounds 15       rounds, of which the median is printed
                    --dtypes bf16,f32,f16
          model     decode steps and a prefill of a whole model, likewise
                    --model synthetic:tinyllama-1.1b
                    --threads 1,2 --batches 1,2,4,8 --rounds 9 --dtypes bf16
        """);
    return args.Length == 0 ? 2 : 0;
}
try
{
    var options = new Options(args[1..]);
    switch (args[0])
    {
        case "kernels": KernelBench.Run(options); break;
        case "model": ModelBench.Run(options); break;
        default: throw new UserErrorException($"verb '{args[0]}' is unknown; use kernels or model");
    }
    return 0;
}
catch (UserErrorException e)
{
    Console.Error.WriteLine($"bench: {e.Message}");
    return 2;
}
