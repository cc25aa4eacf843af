using System.Reflection;
using System.Runtime.Intrinsics.X86;
using Harness.Common;
using Harness.Models.Llama.Checkpoints;
using Harness.Tensors;
using Harness.Tensors.Cpu;
using Harness.TorchSharp;
using Harness.TorchSharp.Loading;
using LLama.Native;

namespace Harness.Bench.Peers;

/// <summary>
/// This project's CPU backend beside llama.cpp and libtorch on the same synthetic weights, in turn within each round, with the same
/// threads on the same cores, and beside what memory and arithmetic allow in that round.
/// </summary>
internal sealed unsafe class PeersBench
{
    private const long ReadBytes = 512L << 20;
    private const int ReadInputs = 2048;

    private static readonly (string Word, GgufType Type)[] s_types =
        [("f16", GgufType.F16), ("bf16", GgufType.BF16), ("q8_0", GgufType.Q8)];

    private readonly int _threads;
    private readonly int _rounds;
    private readonly int[] _batches;
    private readonly string[] _llamaTypes;
    private readonly string[] _torchTypes;
    private readonly string _libTorch;
    private readonly ICheckpoint _checkpoint;

    public PeersBench(Options options)
    {
        _threads = options.Integer("threads", 1);
        _rounds = options.Integer("rounds", 7);
        _batches = options.Integers("batches", "1,2,4,8");
        _llamaTypes = Words("llama", "f16,bf16,q8_0", [.. s_types.Select(type => type.Word)]);
        _torchTypes = Words("torch", "f32,bf16", ["f32", "bf16"]);
        _libTorch = options.Text("libtorch", Package("LibTorch") ?? "");
        _checkpoint = new SyntheticCheckpoint(options.Text("model", "synthetic:tinyllama-1.1b"));

        string[] Words(string name, string otherwise, string[] known)
        {
            string[] words = [.. options.Text(name, otherwise).Split(',').Where(word => word != "none")];
            var unknown = words.FirstOrDefault(word => !known.Contains(word));
            return unknown == null ? words
                : throw new UserErrorException($"--{name} '{unknown}' is unknown; use some of {string.Join(",", known)}, or none");
        }
    }

    /// <param name="dtype">Of this project's weights.</param>
    /// <param name="folder">For the files that llama.cpp reads.</param>
    public void Run(DType dtype, string folder)
    {
        var cores = HostCpu.AffinityMask();
        if (cores.Length < _threads)
            throw new UserErrorException($"--threads {_threads}: this process may run on {cores.Length} cores");
        // Threads that the peers start inherit it.
        HostCpu.PinCurrentThread(cores.AsSpan(0, _threads));
        var sequences = _batches.Max();
        using var ops = new CpuBackend(new BackendOptions(_threads, 0, 1, DType.F32));
        var buffer = (CpuWeight)ops.LoadWeight([new SyntheticBytes { Name = "read", DType = DType.BF16,
            Rows = (int)(ReadBytes / ReadInputs / DType.BF16.Bytes()), Columns = ReadInputs }], DType.BF16);
        var data = buffer.Segments[0].Data;
        var models = new List<IModelUnderTest>();
        try
        {
            models.Add(new StageModel(dtype.Label(), _checkpoint, dtype, new CpuBackend(new BackendOptions(_threads, 0, 1, DType.F32)),
                sequences));
            AddLlamaCpp(models, folder, sequences);
            AddTorch(models, sequences);
            Compare(models);

            var rounds = new Rounds();
            var one = rounds.Add("read, one stream", () => Limits.ReadOneStream(ops.Team, data, ReadBytes));
            var eight = rounds.Add("read, eight streams", () => Limits.ReadEightStreams(ops.Team, data, ReadBytes));
            var peak = rounds.Add("FMA peak", () => Limits.FusedMultiplyAdds(ops.Team));
            // The first pass over memory that has lain idle for half a minute takes a quarter longer on a virtual machine.
            var decodes = _batches.Select(batch => models.Select(model => rounds.Add($"{model.Name}, batch {batch}",
                () => model.Decode(batch), before: () => model.Decode(1))).ToArray()).ToArray();
            var prefills = models.Select(model => rounds.Add($"{model.Name}, prefill", () => model.Prefill())).ToArray();
            rounds.Run(_rounds);
            Print(dtype, models, rounds, (one, eight, peak), decodes, prefills);
        }
        finally
        {
            foreach (var model in models) model.Dispose();
            HostCpu.PinCurrentThread(cores);
        }
        GC.KeepAlive(buffer);
    }

    private void AddLlamaCpp(List<IModelUnderTest> models, string folder, int sequences)
    {
        if (_llamaTypes.Length == 0) return;
        string[] levels = [.. Avx512BW.IsSupported ? (string[])["avx512"] : [], .. Avx2.IsSupported ? (string[])["avx2"] : [], "noavx"];
        var library = levels.Select(level => Path.Combine(Package("LlamaCpp")!, level, "libllama.so")).FirstOrDefault(File.Exists);
        if (library == null)
        {
            Console.WriteLine("llama.cpp: not run, LLamaSharp.Backend.Cpu has none for this machine");
            return;
        }
        if (!NativeLibraryConfig.LLama.LibraryHasLoaded)
            NativeLibraryConfig.LLama.WithLibrary(library).WithLogCallback((level, text) =>
            {
                if (level == LLamaLogLevel.Error) Console.Error.Write(text);
            });
        foreach (var (word, type) in s_types.Where(type => _llamaTypes.Contains(type.Word)))
        {
            var file = Path.Combine(folder, $"{word}.gguf");
            if (!File.Exists(file)) GgufModel.Write(_checkpoint, type, file);
            models.Add(new LlamaCppModel($"llama.cpp {word}", file, _threads, sequences));
        }
        Console.WriteLine($"llama.cpp: {library}");
    }

    private void AddTorch(List<IModelUnderTest> models, int sequences)
    {
        try
        {
            foreach (var type in _torchTypes.Select(DTypes.Parse))
            {
                var library = LibTorch.Load(_libTorch);
                models.Add(new StageModel($"libtorch {type.Label()}", _checkpoint, type,
                    new TorchBackend(library, new BackendOptions(_threads, 0, 1, type)), sequences));
                Console.WriteLine(library.Description);
            }
        }
        catch (UserErrorException e)
        {
            Console.WriteLine($"libtorch: not run, {e.Message}");
        }
    }

    /// <summary>That all of them compute the same: the last logits of the prompt, against ours.</summary>
    private static void Compare(List<IModelUnderTest> models)
    {
        var ours = models[0].Prefill();
        var largest = ours.Max(Math.Abs);
        foreach (var model in models.Skip(1))
        {
            var difference = model.Prefill().Zip(ours, (a, b) => Math.Abs(a - b)).Max();
            Console.WriteLine($"{model.Name}: logits differ from ours by {difference / largest:G2} of the largest at most");
        }
    }

    private void Print(DType dtype, List<IModelUnderTest> models, Rounds rounds, (int One, int Eight, int Peak) limits, int[][] decodes,
        int[] prefills)
    {
        var shape = _checkpoint.Config.Shape;
        var weights = shape.Parameters - (shape.TiedEmbeddings ? 0 : shape.EmbeddingParameters);
        // Of int8 the groups' scales too: every row is whole groups.
        var readScale = (double)weights * dtype.RowBytes(dtype.Group()) / dtype.Group() / ReadBytes;
        var tokenFlops = 2.0 * shape.Layers * shape.LayerParameters;
        Console.WriteLine();
        Console.WriteLine($"{_checkpoint.Name}, ours {dtype.Label()}, {_threads} {(_threads == 1 ? "thread" : "threads")} of "
            + $"{HostCpu.Model}, context {IModelUnderTest.Context}: medians of {_rounds} rounds, wall clock (processor time)");
        Console.WriteLine($"read limit {ReadBytes / Math.Min(rounds.MedianWallSeconds(limits.One), rounds.MedianWallSeconds(limits.Eight))
            / 1e9:F1} GB/s, FMA peak {_threads * Limits.PeakFlops / rounds.MedianWallSeconds(limits.Peak) / 1e9:F0} GFLOP/s");
        Console.WriteLine();
        Console.WriteLine("| | of read limit | of FMA peak |"
            + $"{string.Concat(models.Skip(1).Select(model => $" ÷ {model.Name} |"))} tokens/s |");
        Console.WriteLine($"|---|---|---|{string.Concat(models.Skip(1).Select(_ => "---|"))}---|");
        for (var i = 0; i < _batches.Length; i++)
            Row($"decode, batch {_batches[i]}", decodes[i], _batches[i], _batches[i] * 2.0 * weights, true);
        Row($"prefill, {IModelUnderTest.PrefillTokens}", prefills, IModelUnderTest.PrefillTokens,
            IModelUnderTest.PrefillTokens * tokenFlops, false);

        void Row(string name, int[] candidates, int tokens, double flops, bool reads)
        {
            var read = reads ? Cell(rounds.Ratio(candidates[0], (limits.One, readScale), (limits.Eight, readScale))) : "";
            var fma = Cell(rounds.Ratio(candidates[0], (limits.Peak, flops / (_threads * Limits.PeakFlops))));
            var peers = string.Concat(candidates.Skip(1).Select(peer => $" {Cell(rounds.Ratio(candidates[0], (peer, 1)))} |"));
            Console.WriteLine($"| {name} | {read} | {fma} |{peers} {tokens / rounds.MedianWallSeconds(candidates[0]):F1} |");
        }
    }

    private static string Cell((double Wall, double Cpu) ratio) => $"{ratio.Wall:F2} ({ratio.Cpu:F2})";

    private static string? Package(string key) => typeof(PeersBench).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
        .FirstOrDefault(data => data.Key == key)?.Value;

    /// <summary>What is read for the limit: any bytes.</summary>
    private sealed class SyntheticBytes : WeightSlice
    {
        public override void CopyRows(int first, int count, Span<byte> destination) => destination.Fill(1);
    }
}
