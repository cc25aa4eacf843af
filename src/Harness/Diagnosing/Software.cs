using Harness.Models.Llama.Checkpoints;
using Harness.Models.Llama.Tokenizers;
using Harness.PlugIns;
using Harness.Sharding;
using Harness.Sharding.Launch;
using Harness.Tensors;
using Harness.Tensors.Cpu;

namespace Harness.Diagnosing;

/// <summary>What this build holds.</summary>
internal static class Software
{
    public static IEnumerable<Finding> CpuBackend()
    {
        using var backend = new CpuBackendFactory().Create(new(Threads: 0, LocalRank: 0, LocalRanks: 1, DType.F32));
        yield return Finding.Ok("backend cpu", backend.Device);
    }

    public static IEnumerable<Finding> PlugIns() =>
    [
        PlugIn("backend torch", () => Backends.Find("torch")),
        PlugIn($"communicator {Worlds.MpiNet}", () => OtherWorlds.Find(Worlds.MpiNet, new Launcher(LauncherKind.None))!),
        PlugIn($"tokenizer library {TokenizerLibraries.MicrosoftML}", () => TokenizerLibraries.Find(TokenizerLibraries.MicrosoftML)),
    ];

    public static IEnumerable<Finding> DemoModel(string directory)
    {
        using var checkpoint = Checkpoint.Open(directory);
        var tokenizer = TokenizerLoader.Load(directory);
        yield return Finding.Ok("demo model", FormattableString.Invariant($"{checkpoint.Config.Shape.Parameters:N0} parameters, a vocabulary of {tokenizer.VocabularySize:N0}"));
    }

    private static Finding PlugIn(string subject, Func<object> load)
    {
        try
        {
            return Finding.Ok(subject, $"in this build ({load().GetType().Assembly.GetName().Name})");
        }
        catch (UserErrorException e)
        {
            return e.Message.Split("; ", 2) is [_, var remedy] && e.InnerException == null
                ? Finding.Missing(subject, "not in this build", remedy)
                : Finding.FromMessage(subject, FindingState.Missing, e.Message);
        }
    }
}
