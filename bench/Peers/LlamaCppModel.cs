using Harness.Common;
using LLama;
using LLama.Common;
using LLama.Native;

namespace Harness.Bench.Peers;

/// <summary>llama.cpp, as LLamaSharp.Backend.Cpu brings it, with its own defaults for everything but threads.</summary>
internal sealed class LlamaCppModel : IModelUnderTest
{
    private readonly LLamaWeights _weights;
    private readonly LLamaContext _context;
    private readonly int _sequences;

    public LlamaCppModel(string name, string file, int threads, int sequences)
    {
        (Name, _sequences) = (name, sequences);
        var parameters = new ModelParams(file)
        {
            ContextSize = (uint)((sequences + 1) * IModelUnderTest.PrefillTokens),
            BatchSize = IModelUnderTest.PrefillTokens,
            UBatchSize = IModelUnderTest.PrefillTokens,
            SeqMax = (uint)(sequences + 1),
            GpuLayerCount = 0,
            Threads = threads,
            BatchThreads = threads,
        };
        _weights = LLamaWeights.LoadFromFile(parameters);
        _context = _weights.CreateContext(parameters);
        for (var s = 0; s < sequences; s++) Run(s, 1, 0, IModelUnderTest.Context);
    }

    public string Name { get; }

    public void Decode(int sequences)
    {
        Run(0, sequences, IModelUnderTest.Context, 1);
        for (var s = 0; s < sequences; s++) Forget(s, IModelUnderTest.Context);
    }

    public float[] Prefill()
    {
        Run(_sequences, 1, 0, IModelUnderTest.PrefillTokens);
        var logits = _context.NativeHandle.GetLogitsIth(IModelUnderTest.PrefillTokens - 1).ToArray();
        Forget(_sequences, 0);
        return logits;
    }

    private void Run(int first, int sequences, int start, int tokens)
    {
        var batch = new LLamaBatch();
        for (var s = first; s < first + sequences; s++)
            for (var i = start; i < start + tokens; i++)
                batch.Add(IModelUnderTest.Token(i), i, (LLamaSeqId)s, logits: i == start + tokens - 1);
        var result = _context.Decode(batch);
        if (result != DecodeResult.Ok) throw new UserErrorException($"{Name}: llama_decode returned {result}");
    }

    private void Forget(int sequence, int from) => _context.NativeHandle.MemorySequenceRemove((LLamaSeqId)sequence, from, -1);

    public void Dispose()
    {
        _context.Dispose();
        _weights.Dispose();
    }
}
