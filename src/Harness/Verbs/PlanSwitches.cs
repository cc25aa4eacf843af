using System.CommandLine;
using Harness.Common;
using Harness.Configuration;
using Harness.Planning;
using Harness.Sharding;
using Harness.Tensors;

namespace Harness.Verbs;

/// <summary>The switches of <c>harness plan</c>; those that <c>harness run</c> has too mean the same.</summary>
internal sealed class PlanSwitches
{
    private const int DefaultGpus = 32, MostGpus = 65_536;

    private readonly Command _command;
    private readonly Option<string?> _model, _gpus, _batch, _maxLength, _tensor, _pipeline, _microBatches, _dtype, _kvDtype, _commDtype, _temperature;
    private readonly Option<string?> _format;
    private readonly DeviceSwitches _devices;

    public PlanSwitches(Command command)
    {
        _command = command;
        _model = Add(Settings.Of(o => o.Model.Path), "directory with a config.json, that file, or synthetic:NAME; default: the demo model");
        _gpus = Add("--gpus", "N", "GPUs at most, for one copy of the model; default: --tp × --pp, or 32");
        _batch = Add(Settings.Of(o => o.Batch.Size), "sequences at a time, over all micro-batches");
        _maxLength = Add(Settings.Of(o => o.Generation.MaxLength));
        _tensor = Add(Settings.Of(o => o.Sharding.Tensor), "only this tensor-parallel degree");
        _pipeline = Add(Settings.Of(o => o.Sharding.Pipeline), "only so many pipeline stages");
        _microBatches = Add(Settings.Of(o => o.Sharding.MicroBatches));
        _dtype = Add(Settings.Of(o => o.Model.Dtype), "weights as f32, bf16, f16 or int8; default: bf16");
        _kvDtype = Add(Settings.Of(o => o.Model.KvDtype),
            "keys and values in the cache as f32, bf16 or f16; default: bf16, and f32 with int8 weights, as the cpu backend keeps them");
        _commDtype = Add(Settings.Of(o => o.Sharding.CommDtype), "activations travel between ranks as f32 or bf16; default: f32");
        _temperature = Add(Settings.Of(o => o.Generation.Temperature),
            "0: tensor ranks exchange (logit, token), the default; above: they gather logits");
        _devices = new(command);
        _format = Add("--format", "NAME", "table, json (an array of rows) or csv; default: table");
    }

    /// <exception cref="UserErrorException">A value is wrong, or two do not go together.</exception>
    public PlanQuestion Resolve(ParseResult parsed)
    {
        var name = new ModelOptions { Path = parsed.GetValue(_model) ?? "" }.EffectivePath;
        var model = ModelConfiguration.Load(name);
        var (tensor, pipeline) = (Whole(parsed, _tensor), Whole(parsed, _pipeline));
        var weights = parsed.GetValue(_dtype) is { } word ? DTypes.ParseWeights(word) : DType.BF16;
        if (ShardPlan.Objection(model.Shape, tensor ?? 1, pipeline ?? 1, weights) is { } objection) throw new UserErrorException(objection);
        var gpus = Gpus(parsed, tensor, pipeline);
        var length = Length(parsed, model.MaxPositions);
        var devices = _devices.Resolve(parsed);
        var planner = new Planner
        {
            Name = name,
            Model = model,
            MemoryBytes = devices.MemoryBytes
                ?? throw new UserErrorException("--memory is missing; give the memory of one GPU, such as --memory 32GB"),
            Reserve = devices.Reserve,
            Rates = devices.Rates,
            Work = Work(parsed, length, weights),
        };
        return new(planner, gpus, tensor, pipeline, Format(parsed));
    }

    /// <summary>How many there are for one copy of the model.</summary>
    private int Gpus(ParseResult parsed, int? tensor, int? pipeline)
    {
        var fewest = (tensor ?? 1) * (pipeline ?? 1);
        var gpus = parsed.GetValue(_gpus) is { } count ? Quantity.Whole(count, _gpus.Name, 1, MostGpus)
            : tensor * pipeline ?? Math.Max(DefaultGpus, fewest);
        return fewest <= gpus ? gpus
            : throw new UserErrorException($"--tp {tensor ?? 1} × --pp {pipeline ?? 1} needs {fewest} GPUs, but --gpus is {gpus}; "
                + "raise it or lower the degrees");
    }

    private int Length(ParseResult parsed, int positions)
    {
        var length = Whole(parsed, _maxLength) ?? positions;
        return length <= positions ? length
            : throw new UserErrorException($"--max-length {length} exceeds the model's {positions} positions; use {positions} or less");
    }

    /// <summary>That of a run with these switches.</summary>
    private PlannedWork Work(ParseResult parsed, int length, DType weights)
    {
        var wire = parsed.GetValue(_commDtype) is { } word ? DTypes.Parse(word) : DType.F32;
        if (wire == DType.F16) throw Quantity.Wrong("f16", _commDtype.Name, "f32 or bf16");
        var temperature = parsed.GetValue(_temperature) is { } text ? Quantity.Number(text, _temperature.Name) : 0;
        var options = new RunOptions
        {
            Sharding = new() { MicroBatches = Whole(parsed, _microBatches) ?? 0, CommDtype = wire },
            Generation = new() { Temperature = (float)temperature },
        };
        return PlannedWork.Of(options, Whole(parsed, _batch) ?? options.Batch.Size, length,
            weights, parsed.GetValue(_kvDtype) is { } cache ? DTypes.Parse(cache) : weights == DType.Int8 ? DType.F32 : DType.BF16);
    }

    private PlanFormat Format(ParseResult parsed) => parsed.GetValue(_format) is not { } word ? PlanFormat.Table
        : EnumWord.Find<PlanFormat>(word) ?? throw Quantity.Wrong(word, _format.Name, "table, json or csv");

    /// <summary>The switch of a setting.</summary>
    /// <param name="description">What it means to a plan; null where that is what it means to a run.</param>
    private Option<string?> Add(Setting setting, string? description = null) =>
        Add(setting.Switch!.Value.Name, setting.Switch.Value.Value, description ?? setting.Meaning);

    private Option<string?> Add(string name, string value, string description)
    {
        var option = new Option<string?>(name) { HelpName = value, Description = description };
        _command.Options.Add(option);
        return option;
    }

    private static int? Whole(ParseResult parsed, Option<string?> option) =>
        parsed.GetValue(option) is { } text ? Quantity.Whole(text, option.Name) : null;
}

/// <param name="Tensor">The only degree that is asked for.</param>
/// <param name="Pipeline">The only number of stages that is asked for.</param>
internal sealed record PlanQuestion(Planner Planner, int Gpus, int? Tensor, int? Pipeline, PlanFormat Format);

/// <summary>How a plan is written.</summary>
internal enum PlanFormat
{
    Table,

    /// <summary>An array of rows.</summary>
    Json,
    Csv,
}
