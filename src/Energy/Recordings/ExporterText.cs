using System.Globalization;
using System.Text;

namespace Harness.Energy.Recordings;

/// <summary>
/// Prometheus' text of the DCGM exporter and of AMD's device metrics exporter, one scrape after the other. A scrape's time is behind its
/// samples (Prometheus' own form), or in a line before it: <c>date +%s.%N; curl -s …/metrics</c>.
/// </summary>
internal static class ExporterText
{
    /// <summary>What an exporter's metrics are called, and by which labels it tells devices.</summary>
    private sealed record Exporter(string Program, string[] Identity, string[] Number, string[] Host, string[] Name);

    private static readonly Exporter s_dcgm = new("dcgm", ["UUID"], ["gpu"], ["Hostname", "hostname"], ["modelName"]);
    private static readonly Exporter s_amd = new("amd-exporter", ["gpu_uuid", "serial_number"], ["gpu_id"], ["hostname"], ["card_model"]);

    /// <summary>Slices of a MIG device: each shows the figures of the whole.</summary>
    private const string MigSlice = "GPU_I_ID";

    /// <summary>Partitions of an AMD device likewise.</summary>
    private const string Partition = "gpu_partition_id";

    private static readonly (string Metric, Exporter By, Reported Meaning)[] s_metrics =
    [
        ("DCGM_FI_DEV_POWER_USAGE_INSTANT", s_dcgm, Reported.Power(PowerField.Instant)),
        ("DCGM_FI_DEV_POWER_USAGE", s_dcgm, Reported.Power(PowerField.Unspecified)),
        ("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", s_dcgm, Reported.Energy(1e-3)),
        ("DCGM_FI_DEV_GPU_TEMP", s_dcgm, Reported.Temperature),
        ("DCGM_FI_DEV_SM_CLOCK", s_dcgm, Reported.SmClock),
        ("DCGM_FI_DEV_MEM_CLOCK", s_dcgm, Reported.MemoryClock),
        ("DCGM_FI_DEV_GPU_UTIL", s_dcgm, Reported.Utilization),
        ("DCGM_FI_DEV_CLOCKS_EVENT_REASONS", s_dcgm, Reported.Throttle),
        ("DCGM_FI_DEV_CLOCK_THROTTLE_REASONS", s_dcgm, Reported.Throttle),
        ("DCGM_FI_DEV_POWER_MGMT_LIMIT", s_dcgm, Reported.PowerLimit),
        ("DCGM_FI_DEV_FB_USED", s_dcgm, Reported.MemoryUsed(1 << 20)),
        ("gpu_package_power", s_amd, Reported.Power(PowerField.Instant)),
        ("gpu_power_usage", s_amd, Reported.Power(PowerField.Unspecified)),
        ("gpu_average_package_power", s_amd, Reported.Power(PowerField.Unspecified)),
        ("gpu_energy_consumed", s_amd, Reported.Energy(1e-6)),
        ("gpu_junction_temperature", s_amd, Reported.Temperature),
        ("gpu_gfx_activity", s_amd, Reported.Utilization),
        ("gpu_used_vram", s_amd, Reported.MemoryUsed(1 << 20)),
    ];

    private static readonly Dictionary<string, (int Preference, Exporter By, Reported Meaning)> s_byName =
        s_metrics.Index().ToDictionary(row => row.Item.Metric, row => (row.Index, row.Item.By, row.Item.Meaning));

    /// <summary>Whether a beginning of a text has one of the metrics of power or joules.</summary>
    public static bool Knows(string head) =>
        s_metrics.Any(metric => metric.Meaning.IsOfEnergy && head.Contains(metric.Metric, StringComparison.Ordinal));

    public static Recording Read(string file, string format)
    {
        var (devices, lines) = (new RecordedDevices(file), new RecordedLines(file));
        var scrape = new Scrape(devices, Path.GetFileNameWithoutExtension(file));
        lines.Read(line => scrape.Take(line.Trim()), scrape.Finish);
        return devices.Conclude(format, lines.Remarks);
    }

    /// <summary>The devices of one scrape until the next begins.</summary>
    private sealed class Scrape(RecordedDevices devices, string file)
    {
        private readonly Dictionary<string, Pending> _pending = [];
        private RecordedTime? _time;

        public void Take(string line)
        {
            if (RecordedTime.TryParse(line.TrimStart('#', ' '), out var time))
            {
                Finish();
                _time = time;
                return;
            }
            if (line[0] == '#') return;
            var end = line.IndexOfAny(['{', ' ', '\t']);
            if (end <= 0 || !s_byName.TryGetValue(line[..end], out var metric)) return;
            var labels = new Dictionary<string, string>();
            var rest = line[end] == '{' ? line[Labels(line, end + 1, labels)..] : line[end..];
            if (rest.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries) is not [var number, .. var times] || times.Length > 1)
                throw new FormatException("not a sample: a number, and at most a time, belong behind its labels");
            if (number is "NaN") return;
            if (!double.TryParse(number, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) || !double.IsFinite(value))
                throw new FormatException($"'{number}' is no number");
            if (times.Length == 1 && !RecordedTime.TryParse(times[0], out time)) throw new FormatException($"'{times[0]}' is no time");
            Take(line[..end], metric, labels, value, times.Length == 1 ? time : _time ?? throw new FormatException(
                "its scrape has no time: put a line with one before each scrape (date +%s.%N), or record samples with times"));
        }

        /// <summary>What is known of the scrape goes into the series.</summary>
        public void Finish()
        {
            foreach (var one in _pending.Values) one.Hand(devices);
            _pending.Clear();
        }

        private void Take(string name, (int Preference, Exporter By, Reported Meaning) metric, Dictionary<string, string> labels,
            double value, RecordedTime time)
        {
            if (labels.GetValueOrDefault(Partition) is { Length: > 0 } and not "0") return;
            var host = Of(metric.By.Host) ?? file;
            var device = Of(metric.By.Identity) ?? (Of(metric.By.Number) is { } number ? RecordedDevices.ByNumber + number
                : throw new FormatException($"{name} has no label {metric.By.Number[0]} or {metric.By.Identity[0]}: whose is it?"));
            var domain = new EnergyDomain(host, device, DomainKind.Gpu, metric.By.Program, Of(metric.By.Name) ?? "");
            if (_pending.TryGetValue(domain.Key, out var pending) && pending.Time != time)
            {
                pending.Hand(devices);
                _pending.Remove(domain.Key);
                pending = null;
            }
            pending ??= _pending[domain.Key] = new(domain, host, time);
            var isSlice = labels.GetValueOrDefault(MigSlice) is { Length: > 0 };
            pending.IsCut |= isSlice;
            if (pending.Values.TryAdd(metric.Preference, (metric.Meaning, value * metric.Meaning.Factor)) || isSlice) return;
            throw new FormatException($"{name} of {device} a second time without a time between: put one before each scrape (date +%s.%N)");

            string? Of(string[] names) => names.Select(label => labels.GetValueOrDefault(label)).FirstOrDefault(text => text?.Length > 0);
        }

        /// <returns>Where the sample goes on behind its labels.</returns>
        private static int Labels(string line, int at, Dictionary<string, string> labels)
        {
            while (true)
            {
                while (at < line.Length && line[at] is ',' or ' ') at++;
                if (at < line.Length && line[at] == '}') return at + 1;
                var equals = line.IndexOf("=\"", at, StringComparison.Ordinal);
                if (equals < 0) throw new FormatException("not a sample: its labels do not end");
                var (name, value) = (line[at..equals].Trim(), new StringBuilder());
                for (at = equals + 2; ; at++)
                {
                    if (at >= line.Length) throw new FormatException($"not a sample: its label {name} does not end");
                    if (line[at] == '"') break;
                    if (line[at] == '\\' && at + 1 < line.Length) at++;
                    value.Append(line[at]);
                }
                at++;
                labels[name] = value.ToString();
            }
        }
    }

    /// <summary>A device within one scrape.</summary>
    private sealed class Pending(EnergyDomain domain, string source, RecordedTime time)
    {
        public RecordedTime Time => time;

        /// <summary>By their place in the table, which says which of several powers counts.</summary>
        public SortedDictionary<int, (Reported Meaning, double Value)> Values { get; } = [];
        public bool IsCut { get; set; }

        public void Hand(RecordedDevices devices)
        {
            devices.Add(domain, source, time, [.. Values.Values]);
            if (IsCut) devices.TellMig(domain, true);
        }
    }
}
