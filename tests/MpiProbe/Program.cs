using System.Globalization;
using Harness.Common;
using Harness.MpiNet;
using Harness.Sharding;
using Harness.Sharding.Launch;
using Harness.Sharding.World;
using Harness.Tests.Contracts;
using Harness.Tests.MpiProbe;

// Started by mpiexec from the tests and the benchmarks: [--mpinet] VERB [NUMBER...].
var mpiNet = args is ["--mpinet", ..];
if (mpiNet) args = args[1..];
if (args.Length == 0)
{
    Console.Error.WriteLine("MpiProbe [--mpinet] VERB [NUMBER...]: contract, open, wait, differ, throw R, step R, stall R, allreduce, "
        + "gather PROMPTS TOKENS BYTES, gather-threads RANKS PROMPTS TOKENS BYTES");
    return 2;
}
int[] numbers = [.. args[1..].Select(a => int.Parse(a, CultureInfo.InvariantCulture))];

Action<ICommunicator> body = args[0] switch
{
    "contract" => Verbs.Contract,
    "open" => Verbs.Open,
    "wait" => PatientWaits.Body,
    "differ" => Verbs.Differ,
    "throw" => world => Verbs.Throw(world, numbers[0]),
    "step" => world => Verbs.Step(world, numbers[0]),
    "stall" => world => Verbs.Stall(world, numbers[0]),
    "allreduce" => AllReduceBenchmark.Run,
    "gather" => world => GatherBenchmark.Run(world, numbers[0], numbers[1], numbers[2]),
    "gather-threads" => world => GatherBenchmark.Run(world, numbers[1], numbers[2], numbers[3]),
    var verb => throw new ArgumentException($"unknown verb {verb}"),
};

int Fail(Exception e)
{
    // Longer than the turns of the other ranks: where all know of the failure they must not take it.
    if (args[0] == "differ" && Launcher.Detect().Rank == 0) Thread.Sleep(TimeSpan.FromSeconds(4));
    Console.Error.WriteLine($"MpiProbe failed: {(e is UserErrorException ? e.Message : e)}");
    return 3;
}

try
{
    var threads = args[0] == "gather-threads";
    if (mpiNet) new MpiNetWorld().Run(Launcher.Detect(), 1, null, body, Fail);
    else Worlds.Run(threads ? CommunicatorKind.Threads : CommunicatorKind.Mpi, threads ? numbers[0]
        : 1, 1, Launcher.Detect(), null, body, Fail);
    return 0;
}
catch (Exception e)
{
    return Fail(e);
}
