// Prefill and decode of a synthetic model over libtorch, one rank, against what the device attains in the same run:
//   dotnet run -c Release --project bench/Torch -- synthetic:2-7b bf16 LIBTORCH_FOLDER
// One CSV row per case on standard output. limit_ratio is the share of the measured memory rate for decode (weights and
// cache read once per step), of the measured matrix rate for prefill (2 operations per weight and token, attention left out).
using System.Diagnostics;
using System.Globalization;
using Harness.Bench.Torch;
using Harness.Models.Llama;
using Harness.Models.Llama.Checkpoints;
using Harness.Sharding;
using Harness.Sharding.Links;
using Harness.Tensors;
using Harness.TorchSharp;
using Harness.TorchSharp.Loading;
using TorchSharp;

const int context = 128, warmUps = 8, steps = 64, prefillRows = 2048;

var model = args.ElementAtOrDefault(0) ?? "synthetic:2-7b";
var type = DTypes.Parse(args.ElementAtOrDefault(1) ?? "bf16");
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;

// Without a folder: a libtorch beside the program (-p:LibTorch=cuda) or on LD_LIBRARY_PATH.
var library = LibTorch.Load(args.ElementAtOrDefault(2) ?? "");
var device = torch.cuda.is_available() ? torch.device("cuda:0") : torch.CPU;
var limits = DeviceLimits.Measure(device, type switch { DType.F32 => torch.ScalarType.Float32, DType.BF16 => torch.ScalarType.BFloat16, _ => torch.ScalarType.Float16 });
using var checkpoint = Checkpoint.Open(model);
using var ops = new TorchBackend(library, new BackendOptions(0, 0, 1, type));
Console.Error.WriteLine($"{model} {type.Label()} on {ops.Device}: copies {limits.BytesPerSecond / 1e9:F0} GB/s, multiplies {limits.FlopsPerSecond / 1e12:F1} TFLOP/s");

var shape = checkpoint.Config.Shape;
var loading = Stopwatch.GetTimestamp();
var stage = new LlamaStage(ops, checkpoint, new ShardPlan(shape, 1, 1).For(0, 0), type, new SoloLink(), new SoloLink());
Console.Error.WriteLine($"{stage.BytesResident / 1e9:F2} GB loaded in {Stopwatch.GetElapsedTime(loading).TotalSeconds:F1} s");
// The embedding is looked up, not read through; a tied head is.
var multiplied = stage.BytesResident - (shape.TiedEmbeddings ? 0 : (long)shape.Vocabulary * shape.Hidden * type.Bytes());

Console.WriteLine("model,dtype,device,case,batch,context,seconds,tokens_per_s,limit_ratio,host_seconds,operations");
foreach (var batch in new[] { 1, 8, 64 }) Decode(batch);
Prefill();

void Decode(int batch)
{
    using var cache = stage.NewCache(batch, context + warmUps + steps);
    for (var slot = 0; slot < batch; slot++) Step(Sequences(slot, 1, 0, context), cache, 1);
    double seconds = 0, issuing = 0;
    long operations = 0;
    for (var step = 0; step < warmUps + steps; step++)
    {
        var before = ops.OperationsIssued;
        var (total, host) = Step(Sequences(0, batch, context + step, 1), cache, batch);
        if (step < warmUps) continue;
        (seconds, issuing, operations) = (seconds + total, issuing + host, operations + ops.OperationsIssued - before);
    }
    // Keys and values of the middle step.
    var cached = 2.0 * shape.Layers * shape.KeyValueHeads * shape.HeadDimension * type.Bytes() * batch * (context + warmUps + steps / 2);
    Row("decode", batch, context, seconds / steps, batch, (multiplied + cached) / limits.BytesPerSecond, issuing / steps, operations / steps);
}

void Prefill()
{
    using var cache = stage.NewCache(1, prefillRows);
    for (var i = 0; i < 3; i++)
    {
        var before = ops.OperationsIssued;
        var (total, host) = Step(Sequences(0, 1, 0, prefillRows), cache, 1);
        if (i == 2) Row("prefill", 1, prefillRows, total, prefillRows, 2.0 * multiplied / type.Bytes() * prefillRows / limits.FlopsPerSecond, host, ops.OperationsIssued - before);
    }
}

// One pass and the choice of its tokens: seconds until they are known, and until everything before the choice was issued.
(double Total, double Host) Step(RaggedBatch batch, KvCache cache, int outputs)
{
    using var scope = ops.Scope();
    var tokens = new int[batch.Rows];
    for (var i = 0; i < tokens.Length; i++) tokens[i] = (i * 7919 + batch.Starts[0]) % shape.Vocabulary;
    var start = Stopwatch.GetTimestamp();
    var logits = stage.Forward(new(tokens, batch, [.. Enumerable.Range(batch.Rows - outputs, outputs)]), cache)!;
    var host = Stopwatch.GetElapsedTime(start).TotalSeconds;
    ops.ArgMax(logits, new float[outputs], new int[outputs]);
    return (Stopwatch.GetElapsedTime(start).TotalSeconds, host);
}

static RaggedBatch Sequences(int firstSlot, int count, int start, int tokens) => new()
{
    Slots = [.. Enumerable.Range(firstSlot, count)],
    Starts = [.. Enumerable.Repeat(start, count)],
    Counts = [.. Enumerable.Repeat(tokens, count)],
};

void Row(string name, int batch, int length, double seconds, int tokens, double limitSeconds, double host, long operations) =>
    Console.WriteLine($"{model},{type.Label()},\"{ops.Device}\",{name},{batch},{length},{seconds:G6},{tokens / seconds:F1},{limitSeconds / seconds:F3},{host:G6},{operations}");
