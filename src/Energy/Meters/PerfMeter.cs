using System.Buffers.Binary;
using System.ComponentModel;
using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Harness.Energy.Meters;

/// <summary>
/// The energy counters of processors through perf's power events (perf_event_open(2); the kernel's arch/x86/events/rapl.c), where powercap
/// is root's and perf is not: <c>energy-pkg</c>, <c>energy-ram</c> and <c>energy-psys</c>, one counter for each processor that
/// <c>cpumask</c> names (one of each socket or die), its unit in the event's <c>.scale</c>. The kernel adds a counter's wraps up. It asks
/// for <c>kernel.perf_event_paranoid</c> of 0 or less, or CAP_PERFMON.
/// </summary>
public static class PerfMeter
{
    public const string DefaultRoot = "/sys/bus/event_source/devices/power";

    private const string Source = "perf";

    /// <summary>Cores and the integrated GPU are part of their package.</summary>
    private static readonly (string Event, string Device, DomainKind Kind)[] s_events =
        [("energy-pkg", "package", DomainKind.Package), ("energy-ram", "dram", DomainKind.Dram), ("energy-psys", "psys", DomainKind.Node)];

    /// <param name="root">Where the events of power are described.</param>
    /// <param name="processors">Where the machine's processors say which socket and die they are in.</param>
    public static IEnergyMeter Open(string host, IRunClock clock, string root = DefaultRoot,
        string processors = RaplMeter.DefaultProcessors)
    {
        var sensors = new List<Sensor>();
        try
        {
            foreach (var (name, device, kind) in s_events.Where(one => File.Exists(Path.Combine(root, "events", one.Event))))
                foreach (var processor in Processors(Path.Combine(root, "cpumask")))
                {
                    var where = kind == DomainKind.Node ? device : $"{device}-{Place(processors, processor)}";
                    if (sensors.Any(sensor => sensor.Domain.Device == where)) continue;
                    sensors.Add(new Sensor(new(host, where, kind, Source)) { Joules = Counter(root, name, processor) });
                }
        }
        catch (UnreadableFileException e)
        {
            foreach (var sensor in sensors) sensor.Dispose();
            return new NullMeter($"perf: {e.Message}");
        }
        return sensors.Count > 0 ? new SensorMeter(clock, sensors, freshness: null, [])
            : new NullMeter($"perf: no event of energy under {root}; the kernel module rapl may not be loaded, or a virtual machine "
                + "hides it");
    }

    /// <summary>Reads "0,16" and "0-3,8" (the kernel's lists of processors).</summary>
    private static IEnumerable<int> Processors(string path) => NumberFile.Guard(path, file => File.ReadAllText(file).Trim().Split(',')
        .Select(part => part.Split('-').Select(end => int.Parse(end, CultureInfo.InvariantCulture)).ToArray())
        .SelectMany(ends => Enumerable.Range(ends[0], ends[^1] - ends[0] + 1)).ToList());

    /// <summary>The socket, as powercap calls it: <c>0</c>, or <c>0-die-1</c> where a socket has several dies.</summary>
    private static string Place(string processors, int processor)
    {
        string Of(int number, string what) => Path.Combine(processors, $"cpu{number}", "topology", what) is var path && File.Exists(path)
            ? File.ReadAllText(path).Trim() : "0";
        var socket = Of(processor, "physical_package_id");
        var dies = Directory.Exists(processors)
            ? Directory.GetDirectories(processors, "cpu*").Select(cpu => Path.GetFileName(cpu)[3..])
                .Where(number => int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out _))
                .Select(number => int.Parse(number, CultureInfo.InvariantCulture))
                .Where(number => Of(number, "physical_package_id") == socket).Select(number => Of(number, "die_id")).Distinct().Count()
            : 1;
        return dies > 1 ? $"{socket}-die-{Of(processor, "die_id")}" : socket;
    }

    private static Scaled Counter(string root, string name, int processor)
    {
        var type = NumberFile.Guard(Path.Combine(root, "type"), path => uint.Parse(File.ReadAllText(path), CultureInfo.InvariantCulture));
        var code = NumberFile.Guard(Path.Combine(root, "events", name), path => Code(File.ReadAllText(path).Trim()));
        var unit = NumberFile.Guard(Path.Combine(root, "events", name + ".scale"), path =>
            double.Parse(File.ReadAllText(path), NumberStyles.Float, CultureInfo.InvariantCulture));
        NumberFile.Guard(Path.Combine(root, "events", name + ".unit"), path => File.ReadAllText(path).Trim() is "Joules" and var joules
            ? joules : throw new FormatException("its unit is not Joules"));
        return new(PerfCounter.Open(name, type, code, processor), unit);
    }

    /// <summary>Reads "event=0x02".</summary>
    private static ulong Code(string text) => text.StartsWith("event=0x", StringComparison.Ordinal)
        ? ulong.Parse(text["event=0x".Length..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture)
        : throw new FormatException($"'{text}' is no event=0x…");
}

/// <summary>A counter of the kernel's performance events on one processor, of all that runs there.</summary>
internal sealed partial class PerfCounter : INumber
{
    /// <summary>perf_event_open(2), PERF_ATTR_SIZE_VER0: type, size, config; the rest is 0.</summary>
    private const int AttributeBytes = 64;
    private const int AllProcesses = -1, NoGroup = -1;
    private const ulong CloseOnExec = 8;                     // PERF_FLAG_FD_CLOEXEC

    private readonly SafeFileHandle _file;

    private PerfCounter(SafeFileHandle file) => _file = file;

    /// <exception cref="UnreadableFileException">The kernel refuses, with its reason and the remedy.</exception>
    public static PerfCounter Open(string name, uint type, ulong code, int processor)
    {
        Span<byte> attribute = stackalloc byte[AttributeBytes];
        attribute.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(attribute, type);
        BinaryPrimitives.WriteUInt32LittleEndian(attribute[4..], AttributeBytes);
        BinaryPrimitives.WriteUInt64LittleEndian(attribute[8..], code);
        var number = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 241 : 298;
        var descriptor = SystemCall(number, ref attribute[0], AllProcesses, processor, NoGroup, CloseOnExec);
        if (descriptor >= 0) return new(new SafeFileHandle((nint)descriptor, ownsHandle: true));
        var error = new Win32Exception(Marshal.GetLastPInvokeError());
        throw new UnreadableFileException($"{name} on processor {processor} cannot be counted ({error.Message}); let an administrator run "
            + "'sysctl kernel.perf_event_paranoid=0' or give CAP_PERFMON", error);
    }

    public long? Read()
    {
        long value = 0;
        return !_file.IsClosed && Read(_file, ref value, sizeof(long)) == sizeof(long) ? value : null;
    }

    public void Dispose() => _file.Dispose();

    /// <summary>read(2): such a file has no place to seek to, as pread would.</summary>
    [LibraryImport("libc", EntryPoint = "read")]
    private static partial nint Read(SafeFileHandle file, ref long value, nint bytes);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial long SystemCall(long number, ref byte attribute, int process, int processor, int group, ulong flags);
}
