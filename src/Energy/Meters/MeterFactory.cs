using Harness.Common;
using Harness.Energy.AmdSmi;
using Harness.Energy.Nvml;
using Harness.Energy.Sampling;

namespace Harness.Energy.Meters;

/// <summary>What a meter needs to know of the rank that opens it.</summary>
public sealed record MeterContext(string Host, IRunClock Clock)
{
    /// <summary>
    /// The rank's number among those of its host; chooses its GPU. Only local rank 0 reads what the node has once (RAPL, a command, a
    /// recording).
    /// </summary>
    public int LocalRank { get; init; }

    /// <summary>Null when CUDA shows every device.</summary>
    public string? CudaVisibleDevices { get; init; } = Environment.GetEnvironmentVariable("CUDA_VISIBLE_DEVICES");

    /// <summary>The NVML library; null for HARNESS_NVML_LIBRARY, else the driver's.</summary>
    public string? NvmlLibrary { get; init; }

    /// <summary>What ROCm's variables show of AMD GPUs.</summary>
    public AmdVisibility AmdVisibility { get; init; } = AmdVisibility.OfThisProcess;

    public AmdSmiPlaces AmdSmi { get; init; } = new();

    public string RaplRoot { get; init; } = RaplMeter.DefaultRoot;
    public string PerfRoot { get; init; } = PerfMeter.DefaultRoot;
    public string CrayPmRoot { get; init; } = CrayPmMeter.DefaultRoot;
    public string HwmonRoot { get; init; } = HwmonMeter.DefaultRoot;

    /// <summary>Ids of all processes of the run on this machine, whichever rank they are; null is this process alone.</summary>
    public IReadOnlyCollection<int>? RunProcesses { get; init; }
}

/// <summary>A meter by its word after <c>--meter</c>.</summary>
/// <param name="Argument">What stands after the word and a colon, as the usage names it; null for a word that stands alone.</param>
/// <param name="StandsAlone">The word does without an argument, and is then given an empty one.</param>
/// <param name="Open">A meter that is not there has no domains, and its notices say why.</param>
internal sealed record MeterKind(string Word, string? Argument, bool StandsAlone, Func<MeterContext, string, IEnergyMeter> Open)
{
    /// <summary>A word that stands alone.</summary>
    public MeterKind(string word, Func<MeterContext, IEnergyMeter> open) : this(word, null, true, (context, _) => open(context)) { }

    public string Usage => Argument == null ? Word : StandsAlone ? $"{Word}[:{Argument}]" : $"{Word}:{Argument}";

    /// <summary>Whether a part of a specification begins with this meter.</summary>
    public bool Begins(string part) =>
        (StandsAlone && part == Word) || (Argument != null && part.StartsWith(Word + ":", StringComparison.Ordinal));

    public IEnergyMeter OpenFrom(string part, MeterContext context) =>
        Open(context, part.Length > Word.Length ? part[(Word.Length + 1)..] : "");
}

/// <summary>Makes meters from the word after <c>--meter</c>.</summary>
public static class MeterFactory
{
    /// <summary>The word for the best meter of the machine's processors, without its GPUs.</summary>
    public const string Host = "host";

    /// <summary>The word for the best meter of what ranks compute on.</summary>
    public const string Auto = "auto";

    /// <summary>Every meter there is: a new one is a row here and a file beside it.</summary>
    private static readonly MeterKind[] s_kinds =
    [
        new("nvml", OpenNvml),
        new("nvml:all", null, true, OncePerNode((context, _) => NvmlMeter.OpenAll(context.Host, context.Clock, context.NvmlLibrary))),
        new("amdsmi", OpenAmdSmi),
        new("amdsmi:all", null, true, OncePerNode((context, _) => AmdSmiMeter.OpenAll(context.Host, context.Clock, context.AmdSmi))),
        Tree("rapl", context => context.RaplRoot, (host, clock, root) => RaplMeter.Open(host, clock, root)),
        Tree("perf", context => context.PerfRoot, (host, clock, root) => PerfMeter.Open(host, clock, root)),
        Tree("craypm", context => context.CrayPmRoot, (host, clock, root) => CrayPmMeter.Open(host, clock, root)),
        Tree("hwmon", context => context.HwmonRoot, (host, clock, root) => HwmonMeter.Open(host, clock, root)),
        new("replay", "FILE", false, OncePerNode((context, file) => new ReplayMeter(file, context.Clock))),
        new("command", "PROGRAM", false, OncePerNode((context, program) =>
            WithLoad(CommandMeter.Open(context.Host, context.Clock, program), context))),
        new(Host, null, true, OncePerNode((context, _) => OpenHost(context))),
        new(Auto, OpenAuto),
        new("none", _ => new NullMeter()),
    ];

    public static string Usage { get; } =
        string.Join(", ", s_kinds.SkipLast(1).Select(kind => kind.Usage))
            + $", {s_kinds[^1].Usage}, or several of them separated by commas";

    /// <summary>
    /// <c>nvml</c>, <c>amdsmi</c>: the GPU this rank computes on. <c>nvml:all</c>, <c>amdsmi:all</c>: every GPU of the node, read by its
    /// first rank.
    /// <c>rapl</c>, <c>perf</c>, <c>craypm</c>, <c>hwmon</c> (each with its tree of files elsewhere: <c>rapl:DIR</c>), <c>replay:FILE</c>,
    /// <c>command:PROGRAM arguments</c>: read by the node's first rank. <c>host</c>: the first that works of craypm, rapl, perf and
    /// hwmon. <c>auto</c>: nvml or amdsmi where they work, else host, else none. <c>none</c>. A comma adds another meter when such a word
    /// follows it.
    /// </summary>
    /// <exception cref="UserErrorException">The word is unknown, or its file or program is.</exception>
    public static IEnergyMeter Open(string specification, MeterContext context)
    {
        var parts = Split(specification);
        if (parts.Count == 1) return OpenOne(parts[0], context);
        var opened = new List<IEnergyMeter>();
        try
        {
            foreach (var part in parts) opened.Add(OpenOne(part, context));
        }
        catch
        {
            foreach (var meter in opened) meter.Dispose();
            throw;
        }
        return new CompositeMeter(opened);
    }

    /// <summary>Whether <see cref="Open"/> would know each word; a file or program is not looked for.</summary>
    public static bool Knows(string specification) => Split(specification).All(part => KindOf(part) != null);

    private static MeterKind? KindOf(string part) => Array.Find(s_kinds, kind => kind.Begins(part));

    private static IEnergyMeter OpenOne(string part, MeterContext context) =>
        (KindOf(part) ?? throw new UserErrorException($"meter '{part}' is unknown; it is one of {Usage}")).OpenFrom(part, context);

    /// <summary>Of what a node has once, its first rank reads.</summary>
    private static Func<MeterContext, string, IEnergyMeter> OncePerNode(Func<MeterContext, string, IEnergyMeter> open) =>
        (context, argument) => context.LocalRank == 0 ? open(context, argument) : new NullMeter();

    /// <summary>A meter of sockets or of the node, in a tree of files that may lie elsewhere, as in a container.</summary>
    private static MeterKind Tree(string word, Func<MeterContext, string> root, Func<string, IRunClock, string, IEnergyMeter> open) =>
        new(word, "DIR", true, OncePerNode((context, directory) =>
            WithLoad(open(context.Host, context.Clock, directory.Length > 0 ? directory : root(context)), context)));

    private static IEnergyMeter OpenNvml(MeterContext context) =>
        NvmlMeter.OpenForRank(context.Host, context.Clock, context.LocalRank, context.CudaVisibleDevices, context.NvmlLibrary);

    private static IEnergyMeter OpenAmdSmi(MeterContext context) =>
        AmdSmiMeter.OpenForRank(context.Host, context.Clock, context.LocalRank, context.AmdVisibility, context.AmdSmi);

    private static IEnergyMeter WithLoad(IEnergyMeter meter, MeterContext context) => meter.Domains.Count == 0 ? meter
        : new MeterWithLoad(meter, ProcessorLoad.Open(context.RunProcesses ?? [Environment.ProcessId]));

    /// <summary>The GPU, by whichever library knows it; else what its node has.</summary>
    private static IEnergyMeter OpenAuto(MeterContext context)
    {
        List<string> notices = [];
        foreach (var word in (ReadOnlySpan<string>)["nvml", "amdsmi"])
        {
            var meter = OpenOne(word, context);
            if (meter.Domains.Count > 0) return meter;
            if (word == "nvml") notices.AddRange(meter.Notices);
        }
        var host = OpenOne(Host, context);
        return host.Domains.Count > 0 ? host : new NullMeter([.. notices, .. host.Notices]);
    }

    /// <summary>
    /// Cray's counters, measured at the supply; else what the processors count of themselves, through whichever door is open; else
    /// sensors of the board. Hardware that is not there goes unmentioned but for RAPL, which most machines have.
    /// </summary>
    private static IEnergyMeter OpenHost(MeterContext context)
    {
        List<string> notices = [];
        foreach (var (word, root) in (ReadOnlySpan<(string, string?)>)
            [("craypm", context.CrayPmRoot), ("rapl", null), ("perf", context.PerfRoot), ("hwmon", context.HwmonRoot)])
        {
            if (root != null && !Directory.Exists(root)) continue;
            var meter = OpenOne(word, context);
            if (meter.Domains.Count > 0) return meter;
            notices.AddRange(meter.Notices);
        }
        return new NullMeter([.. notices]);
    }

    /// <summary>A comma separates only before a meter's word: programs and paths may hold commas.</summary>
    internal static List<string> Split(string specification)
    {
        var parts = new List<string>();
        foreach (var piece in specification.Split(','))
        {
            var trimmed = piece.Trim();
            var begins = parts.Count == 0
                || s_kinds.Any(kind => kind.Begins(trimmed) || trimmed.StartsWith(kind.Word + ":", StringComparison.Ordinal));
            if (begins) parts.Add(trimmed);
            else if (parts[^1].Contains(':')) parts[^1] += "," + piece;
            else parts.Add(trimmed);
        }
        return parts;
    }
}
