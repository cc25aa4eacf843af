using System.Diagnostics;
using Harness.Models.Llama;
using Harness.Models.Llama.Checkpoints;
using Harness.Sharding;
using Harness.Sharding.Links;
using Harness.Tensors;
using Harness.TorchSharp;
using Harness.TorchSharp.Loading;
using TorchSharp;

namespace Harness.Bench.Torch;

/// <summary>
/// Prefill and decode of a model over libtorch, against what the device attains in the same run. One CSV row per case on standard
/// output. limit_ratio is the share of the measured memory rate for decode (weights and cache read once per step), of the measured
/// matrix rate for prefill (2 operations per weight and token, attention left out).
/// </summary>
internal sealed class ForwardPasses
{
    private const int Context = 128, WarmUps = 8, Steps = 64, PrefillRows = 2048;

    private readonly string _model;
    private readonly DType _type;
    private readonly DeviceLimits _limits;
    private readonly TorchBackend _ops;
    private readonly ModelShape _shape;
    private readonly LlamaStage _stage;
    private readonly long _multiplied;      // bytes of weights that a pass multiplies with

    /// <summary>Measures the device and loads the model.</summary>
    public ForwardPasses(string model, DType type, LibTorch library)
    {
        (_model, _type) = (model, type);
        using var checkpoint = Checkpoint.Open(model);
        var device = library.Devices > 0 ? torch.device("cuda:0") : torch.CPU;
        _limits = DeviceLimits.Measure(device, type switch { DType.F32 => torch.ScalarType.Float32, DType.BF16 => torch.ScalarType.BFloat16, _ => torch.ScalarType.Float16 });
        _ops = new TorchBackend(library, new BackendOptions(0, 0, 1, type));
        Console.Error.WriteLine($"{model} {type.Label()} on {_ops.Device}: copies {_limits.BytesPerSecond / 1e9:G3} GB/s, multiplies {_limits.FlopsPerSecond / 1e12:G3} TFLOP/s");

        _shape = checkpoint.Config.Shape;
        var loading = Stopwatch.GetTimestamp();
        _stage = new LlamaStage(_ops, checkpoint, new ShardPlan(_shape, 1, 1).For(0, 0), type, new SoloLink(), new SoloLink());
        Console.Error.WriteLine($"{_stage.BytesResident / 1e9:G3} GB loaded in {Stopwatch.GetElapsedTime(loading).TotalSeconds:F1} s");
        // The embedding is looked up, not read through; a tied head is.
        _multiplied = _stage.BytesResident - (_shape.TiedEmbeddings ? 0 : (long)_shape.Vocabulary * _shape.Hidden * type.Bytes());
    }

    public void Run()
    {
        Console.WriteLine("model,dtype,device,case,batch,context,seconds,tokens_per_s,limit_ratio,host_seconds,operations");
        foreach (var batch in new[] { 1, 8, 64 }) Decode(batch);
        Prefill();
    }

    private void Decode(int batch)
    {
        using var cache = _stage.NewCache(batch, Context + WarmUps + Steps);
        for (var slot = 0; slot < batch; slot++) Step(Sequences(slot, 1, 0, Context), cache, 1);
        double seconds = 0, issuing = 0;
        long operations = 0;
        for (var step = 0; step < WarmUps + Steps; step++)
        {
            var before = _ops.OperationsIssued;
            var (total, host) = Step(Sequences(0, batch, Context + step, 1), cache, batch);
            if (step < WarmUps) continue;
            (seconds, issuing, operations) = (seconds + total, issuing + host, operations + _ops.OperationsIssued - before);
        }
        // Keys and values of the middle step.
        var cached = 2.0 * _shape.Layers * _shape.KeyValueHeads * _shape.HeadDimension * _type.Bytes() * batch * (Context + WarmUps + Steps / 2);
        Row("decode", batch, Context, seconds / Steps, batch, (_multiplied + cached) / _limits.BytesPerSecond, issuing / Steps, operations / Steps);
    }

    private void Prefill()
    {
        using var cache = _stage.NewCache(1, PrefillRows);
        for (var i = 0; i < 3; i++)
        {
            var before = _ops.OperationsIssued;
            var (total, host) = Step(Sequences(0, 1, 0, PrefillRows), cache, 1);
            if (i == 2) Row("prefill", 1, PrefillRows, total, PrefillRows, 2.0 * _multiplied / _type.Bytes() * PrefillRows / _limits.FlopsPerSecond, host, _ops.OperationsIssued - before);
        }
    }

    /// <summary>One pass and the choice of its tokens: seconds until they are known, and until everything before the choice was issued.</summary>
    private (double Total, double Host) Step(RaggedBatch batch, KvCache cache, int outputs)
    {
        using var scope = _ops.Scope();
        var tokens = new int[batch.Rows];
        for (var i = 0; i < tokens.Length; i++) tokens[i] = (i * 7919 + batch.Starts[0]) % _shape.Vocabulary;
        var start = Stopwatch.GetTimestamp();
        var logits = _stage.Forward(new(tokens, batch, [.. Enumerable.Range(batch.Rows - outputs, outputs)]), cache)!;
        var host = Stopwatch.GetElapsedTime(start).TotalSeconds;
        _ops.ArgMax(logits, new float[outputs], new int[outputs]);
        return (Stopwatch.GetElapsedTime(start).TotalSeconds, host);
    }

    private static RaggedBatch Sequences(int firstSlot, int count, int start, int tokens) => new()
    {
        Slots = [.. Enumerable.Range(firstSlot, count)],
        Starts = [.. Enumerable.Repeat(start, count)],
        Counts = [.. Enumerable.Repeat(tokens, count)],
    };

    private void Row(string name, int batch, int length, double seconds, int tokens, double limitSeconds, double host, long operations) =>
        Console.WriteLine($"{_model},{_type.Label()},\"{_ops.Device}\",{name},{batch},{length},{seconds:G6},{tokens / seconds:F1},{limitSeconds / seconds:F3},{host:G6},{operations}");
}
