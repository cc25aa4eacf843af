using Harness.Common;
using Harness.Configuration;
using Harness.Models.Llama.Checkpoints;
using Harness.Models.Llama.Tokenizers;
using Harness.Seams;
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

    /// <param name="folder">As --libtorch names it.</param>
    public static IEnumerable<Finding> LibTorch(string folder)
    {
        var found = TorchSharp.Torch.Examine(folder);
        yield return Finding.Ok("libtorch", found.Description);
        yield return found.Obstacle == null
            ? Finding.Ok("backend torch", $"computes on {string.Join(", ", found.Devices.Select((name, i) => $"{name} (cuda:{i})"))}")
            : Finding.FromMessage("backend torch", FindingState.Ok, $"computes on the CPU: {found.Obstacle}");
    }

    /// <summary>What a run without --backend takes here.</summary>
    public static IEnumerable<Finding> DefaultBackend(string folder)
    {
        var choice = Backends.Choose(new RuntimeOptions { LibTorch = folder }, weights: null);
        yield return Finding.Ok("backend auto", $"{choice.Name}: {choice.Reason.Split("; ")[0]}");
    }

    public static IEnumerable<Finding> TokenizerLibrary()
    {
        yield return Finding.Ok($"tokenizer library {EnumWord.Of(Configuration.TokenizerLibrary.Ml)}",
            $"Microsoft.ML.Tokenizers {MLTokenizers.MLTokenizerFactory.Version}");
    }

    public static IEnumerable<Finding> DemoModel(string directory)
    {
        using var checkpoint = Checkpoint.Open(directory);
        var tokenizer = TokenizerLoader.Load(directory);
        yield return Finding.Ok("demo model",
            FormattableString.Invariant(
            $"{checkpoint.Config.Shape.Parameters:N0} parameters, a vocabulary of {tokenizer.VocabularySize:N0}"));
    }
}
