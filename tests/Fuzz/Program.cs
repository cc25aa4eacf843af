using System.Globalization;
using Harness.Fuzz;

// fuzz list                                    the targets
// fuzz run INPUTS SEED [TARGET|all] [FOLDER]   that many inputs of each target; findings, made smaller, go into the folder
// fuzz seeds FOLDER                            the seeds of each target, in a folder of its name
// fuzz replay TARGET FILE...                   one input after the other, with what it does
// fuzz afl TARGET                              under afl-fuzz, on instrumented assemblies: see tests/fuzz.sh
return args switch
{
    ["list"] => Commands.List(),
    ["run", var inputs, var seed, .. var rest] => Commands.Run(int.Parse(inputs, CultureInfo.InvariantCulture),
        ulong.Parse(seed, CultureInfo.InvariantCulture), rest.ElementAtOrDefault(0) ?? "all", rest.ElementAtOrDefault(1)),
    ["seeds", var folder] => Commands.WriteSeeds(folder),
    ["replay", var target, .. var files] => Commands.Replay(Targets.Find(target), files),
    ["afl", var target] => Commands.UnderAfl(target),
    _ => Commands.Help(),
};
