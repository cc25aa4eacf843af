using System.Reflection;
using System.Runtime.Intrinsics.X86;
using LLama;
using LLama.Common;
using LLama.Native;

namespace Harness.Tests.Models.Llama;

/// <summary>The logits of llama.cpp, which shares no line with this program, on the same random weights.</summary>
[Platform("Linux")]
internal sealed class LlamaCppTests
{
    private static readonly string[] s_levels =
        [.. Avx2.IsSupported ? (string[])["avx2"] : [], .. Avx.IsSupported ? (string[])["avx"] : [], "noavx"];

    [OneTimeSetUp]
    public void Load()
    {
        var folder = typeof(LlamaCppTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .Single(data => data.Key == "LlamaCpp").Value!;
        var library = s_levels.Select(level => Path.Combine(folder, level, "libllama.so")).FirstOrDefault(File.Exists);
        if (library == null || !X86Base.X64.IsSupported)
            Assert.Ignore("there is no llama.cpp for this machine in the package LLamaSharp.Backend.Cpu: not run");
        NativeLibraryConfig.LLama.WithLibrary(library).WithLogCallback((level, text) =>
        {
            if (level == LLamaLogLevel.Error) TestContext.Progress.Write(text);
        });
    }

    private static IEnumerable<TestCaseData> Models()
    {
        (string Name, TinyCheckpoint Model)[] models =
        [
            ("llama", new() { Heads = 8, KeyValueHeads = 2, Further = "\"rope_theta\": 500000.0" }),
            ("qwen2", new() { KeyValueHeads = 2, QkvBias = true, Tied = true, Further = Family("Qwen2") }),
            ("qwen3", new() { KeyValueHeads = 2, HeadDimension = 16, HeadNorms = true, Further = Family("Qwen3") }),
        ];
        return models.Select(m => new TestCaseData(m.Model).SetArgDisplayNames(m.Name));

        static string Family(string name) =>
            $$""" "architectures": ["{{name}}ForCausalLM"], "model_type": "{{name.ToLowerInvariant()}}", "rope_theta": 1000000.0 """;
    }

    [TestCaseSource(nameof(Models))]
    public void LogitsAreThoseOfLlamaCpp(TinyCheckpoint model)
    {
        using var scratch = new ScratchDirectory();
        var directory = model.Write(scratch);
        int[] tokens = [.. Enumerable.Range(0, 48).Select(i => i * 31 % model.Vocabulary)];
        GgufFile.Write(directory, scratch["model.gguf"]);

        var difference = Logits.LargestDifference(new ShardedModel(directory).Logits(tokens), Theirs(scratch["model.gguf"], tokens));
        TestContext.Out.WriteLine($"largest difference {difference:g3}");
        Assert.That(difference, Is.LessThan(1e-4));
    }

    private static double[][] Theirs(string file, int[] tokens)
    {
        var parameters = new ModelParams(file)
        {
            ContextSize = 256,
            GpuLayerCount = 0,
            Threads = 1,
            BatchThreads = 1,
            TypeK = GGMLType.GGML_TYPE_F32,
            TypeV = GGMLType.GGML_TYPE_F32,
            FlashAttention = false,
        };
        using var weights = LLamaWeights.LoadFromFile(parameters);
        using var context = weights.CreateContext(parameters);
        var batch = new LLamaBatch();
        for (var i = 0; i < tokens.Length; i++) batch.Add(tokens[i], i, LLamaSeqId.Zero, logits: true);
        Assert.That(context.Decode(batch), Is.EqualTo(DecodeResult.Ok));
        return [.. tokens.Select((_, i) => context.NativeHandle.GetLogitsIth(i).ToArray().Select(value => (double)value).ToArray())];
    }
}
