using System.Reflection;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using Harness.Bench.Peers;
using Harness.Tensors;
using Harness.Tensors.Cpu;
using Harness.Tests.Contracts;
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

    private nint _ggml;

    [OneTimeSetUp]
    public void Load()
    {
        var folder = typeof(LlamaCppTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .Single(data => data.Key == "LlamaCpp").Value!;
        var library = s_levels.Select(level => Path.Combine(folder, level, "libllama.so")).FirstOrDefault(File.Exists);
        if (library == null || !X86Base.X64.IsSupported)
            Assert.Ignore("there is no llama.cpp for this machine in the package LLamaSharp.Backend.Cpu: not run");
        _ggml = NativeLibrary.Load(Path.Combine(Path.GetDirectoryName(library)!, "libggml-base.so"));
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

    /// <summary>
    /// To the bit what ggml_quantize_chunk stores, of values that float16 scales can tell from zero, and of smaller ones.
    /// </summary>
    [Test]
    public void Int8WeightsAreThoseOfLlamaCpp([Values(1, 1e-3, 1e-6, 1e-9)] double size)
    {
        const int rows = 37, columns = 256;
        var random = new Random(3);
        // Every fourth is a multiple of 1 / 64, so that some lie half way between two steps.
        float[] values = [.. Enumerable.Range(0, rows * columns).Select(i => (float)(size
            * (i % 4 == 0 ? random.Next(-64, 65) / 64.0 * (127 / 128.0) : 2 * random.NextDouble() - 1)))];
        using var ops = new CpuBackend(new(2, 0, 1, DType.F32));
        var ours = new float[rows * columns];
        var weight = ops.LoadWeight([MemorySlice.Of(values, rows, DType.F32)], DType.Int8);
        ops.ReadHost(ops.Embed(weight, 0, [.. Enumerable.Range(0, rows)]), ours);
        var theirs = Quantised(Array.ConvertAll(values, value => (double)value), rows).Chunk(34)
            .SelectMany(group => group.Skip(2).Select(value => (sbyte)value * (float)BitConverter.ToHalf(group, 0)));
        Assert.That(ours, Is.EqualTo(theirs));
    }

    /// <summary>
    /// Q8_0 of the same weights: both are off by the rounding of the weights, which is the same, and by that of the activations, each in
    /// its own way. Over models and tokens the two come to the same but for chance.
    /// </summary>
    [Test]
    public void Int8LogitsAreNoFurtherOffThanThoseOfLlamaCpp()
    {
        double ours = 0, theirs = 0;
        for (var seed = 1; seed <= 6; seed++)
        {
            using var scratch = new ScratchDirectory();
            var directory = new TinyCheckpoint { Hidden = 64, Heads = 8, FeedForward = 96, Seed = seed }.Write(scratch);
            int[] tokens = [.. Enumerable.Range(0, 48).Select(i => i * 31 % 67)];
            GgufFile.Write(directory, scratch["model.gguf"], GgufType.Q8, Quantised);
            var exact = new ReferenceModel(directory).Logits(tokens);
            ours += Math.Pow(Logits.RelativeDistance(new ShardedModel(directory) { Storage = DType.Int8 }.Logits(tokens), exact), 2);
            theirs += Math.Pow(Logits.RelativeDistance(
                [.. Theirs(scratch["model.gguf"], tokens).Select(row => Array.ConvertAll(row, value => (float)value))], exact), 2);
        }
        TestContext.Out.WriteLine($"relative distance {Math.Sqrt(ours / 6):g4}, of llama.cpp {Math.Sqrt(theirs / 6):g4}");
        Assert.That(Math.Sqrt(ours), Is.LessThan(1.03 * Math.Sqrt(theirs)));
    }

    /// <summary>Q8_0 by llama.cpp's own function, ggml_quantize_chunk of ggml.h.</summary>
    private unsafe byte[] Quantised(double[] values, int rows)
    {
        var quantise = (delegate* unmanaged<int, float*, void*, long, long, long, float*, nuint>)
            NativeLibrary.GetExport(_ggml, "ggml_quantize_chunk");
        var bytes = new byte[values.Length / 32 * 34];
        fixed (float* source = Array.ConvertAll(values, value => (float)value))
        fixed (byte* destination = bytes)
            Assert.That((int)quantise((int)GgufType.Q8, source, destination, 0, rows, values.Length / rows, null),
                Is.EqualTo(bytes.Length));
        return bytes;
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
