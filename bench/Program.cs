using Harness.Bench;
using Harness.Common;

if (args.Length == 0 || args[0] is "help" or "--help")
{
    Console.WriteLine("""
        usage: bench VERB [options]
          kernels   matrix products of the CPU backend, as ratios to the limits of this machine
                    --threads 1,2     numbers of threads
                    --rounds 15       rounds, of which the median is printed
                    --dtypes bf16,f32,f16,int8 --batches 1,2,4,8,12,16,64
          model     decode steps and a prefill of a whole model, likewise
                    --model synthetic:tinyllama-1.1b
                    --threads 1,2 --batches 1,2,4,8 --rounds 9 --dtypes bf16     or f32, f16, int8
          attention one layer's attention over long contexts, likewise; the read limit is that of its keys and values
                    --threads 1,2 --contexts 2048,8192 --batches 1,8 --rounds 9
                    --dtypes f32,bf16,f16        of the KV cache
          ranks     what rank 0 does with the records of many ranks, and how that grows
                    --ranks 32,256,1024 --prompts 4096 --samples 600
          soak      what tests/soak.sh saw of a run, as a table; exit code 1 where something grew or is missing
                    --run DIR --samples FILE --prompts 96
          same      two runs of one command, cell by cell; exit code 1 where something differs that may not
                    --run DIR --with DIR
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
        case "attention": AttentionBench.Run(options); break;
        case "ranks": RanksBench.Run(options); break;
        case "soak":
            return SoakReport.Print(options.Text("run", "."), options.Text("samples", "samples"), options.Integer("prompts", 96)) ? 0 : 1;
        case "same":
            var differences = SameRuns.Differences(options.Text("run", "."), options.Text("with", "."));
            Console.WriteLine(differences.Count == 0 ? "the runs differ in nothing but what may" : string.Join('\n', differences));
            return differences.Count == 0 ? 0 : 1;
        default: throw new UserErrorException($"verb '{args[0]}' is unknown; use kernels, model, attention, ranks, soak or same");
    }
    return 0;
}
catch (UserErrorException e)
{
    Console.Error.WriteLine($"bench: {e.Message}");
    return 2;
}
