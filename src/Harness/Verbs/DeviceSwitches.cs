using System.CommandLine;
using Harness.Common;
using Harness.Planning;

namespace Harness.Verbs;

/// <summary>The switches that describe the devices of a plan: their memory and their rates.</summary>
internal sealed class DeviceSwitches
{
    private readonly Command _command;
    private readonly Option<string?> _memory, _reserve, _bandwidth, _flops, _link, _linkLatency;

    public DeviceSwitches(Command command)
    {
        _command = command;
        _memory = Add("--memory", "BYTES", "of one GPU: 32GB, 80GB, 31.7GiB; GB is read as GiB, as labels on memory mean it");
        _reserve = Add("--reserve", "P%", "memory kept free for driver, context, libraries and fragmentation; default: 5%");
        _bandwidth = Add("--bandwidth", "RATE", "of one GPU's memory, such as 900GB/s; with --flops predicts tokens/s");
        _flops = Add("--flops", "RATE", "peak of one GPU in the weights' type, such as 125TFLOPS");
        _link = Add("--link", "RATE", "out of one GPU to its peers, such as 150GB/s or 200Gbit/s");
        _linkLatency = Add("--link-latency", "TIME", "of one collective or message, such as 10us; default: 0");
    }

    /// <exception cref="UserErrorException">A value is wrong, or one is missing beside another.</exception>
    public Devices Resolve(ParseResult parsed) => new(
        parsed.GetValue(_memory) is { } memory ? Quantity.Bytes(memory, _memory.Name) : null,
        parsed.GetValue(_reserve) is { } share ? Quantity.Fraction(share, _reserve.Name) : Planner.DefaultReserve,
        Rates(parsed));

    private Option<string?> Add(string name, string value, string description)
    {
        var option = new Option<string?>(name) { HelpName = value, Description = description };
        _command.Options.Add(option);
        return option;
    }

    /// <summary>Null where no rate is given.</summary>
    private DeviceRates? Rates(ParseResult parsed)
    {
        Option<string?>[] options = [_bandwidth, _flops, _link, _linkLatency];
        if (options.All(option => parsed.GetValue(option) == null)) return null;
        string Needed(Option<string?> option) => parsed.GetValue(option)
            ?? throw new UserErrorException(
                $"{option.Name} is missing; a prediction needs {_bandwidth.Name} and {_flops.Name}, and {_link.Name} for several GPUs");
        return new(
            Quantity.BytesPerSecond(Needed(_bandwidth), _bandwidth.Name),
            Quantity.Flops(Needed(_flops), _flops.Name),
            parsed.GetValue(_link) is { } rate ? Quantity.BytesPerSecond(rate, _link.Name) : null,
            parsed.GetValue(_linkLatency) is { } latency ? Quantity.Seconds(latency, _linkLatency.Name) : 0);
    }
}
