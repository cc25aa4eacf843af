using CsvHelper;
using Harness.Common;

namespace Harness.Energy.Recordings;

/// <summary>
/// CSV of <c>nvidia-smi --query-gpu=… --format=csv</c> and of <c>amd-smi metric</c> and <c>monitor</c> with <c>--csv --watch</c>: a row
/// per device and time, columns in any order, units in the header (<c>power.draw [W]</c>), in the cells (<c>187.80 W</c>), or in neither.
/// </summary>
/// <param name="Program">As it stands in <c>energy_source</c>.</param>
/// <param name="Time">Names of the column of times; of each list the first that the file has counts, whatever its case.</param>
/// <param name="Identity">Names of columns that tell a device anywhere.</param>
/// <param name="Number">Of those that number the devices of a host.</param>
/// <param name="Columns">What is read; of several powers the first that is there.</param>
internal sealed record SmiTable(
    string Program, string[] Time, string[] Identity, string[] Number, string[] Name, (string Name, Reported Meaning)[] Columns)
{
    /// <summary>Blanks behind commas belong to the form, also in front of a quotation mark.</summary>
    private static readonly CsvReaderOptions s_cells = new() { Separator = ',', HasHeader = false, TrimWhitespace = true };

    private const string MigMode = "mig.mode.current";

    /// <summary>Partitions of one AMD GPU have a row each; the first has the figures of the whole.</summary>
    private const string Partition = "xcp";

    /// <summary>A pause between two rows shorter than this share of the mean one belongs to two devices of one look.</summary>
    private const double SameLook = 0.2;

    public static SmiTable Nvidia { get; } = new("nvidia-smi", ["timestamp"],
        ["uuid", "gpu_uuid", "serial", "gpu_serial"], ["pci.bus_id", "gpu_bus_id", "index"], ["name", "gpu_name"],
        [
            // power.draw is the mean of a second on most boards since Ampere and the power of the moment on others: it says neither
            ("power.draw.instant", Reported.Power(PowerField.Instant)),
            ("power.draw.average", Reported.Power(PowerField.Average1s)),
            ("power.draw", Reported.Power(PowerField.Unspecified)),
            ("temperature.gpu", Reported.Temperature),
            ("clocks.current.sm", Reported.SmClock), ("clocks.sm", Reported.SmClock),
            ("clocks.current.memory", Reported.MemoryClock), ("clocks.mem", Reported.MemoryClock),
            ("utilization.gpu", Reported.Utilization),
            ("clocks_event_reasons.active", Reported.Throttle), ("clocks_throttle_reasons.active", Reported.Throttle),
            ("enforced.power.limit", Reported.PowerLimit), ("power.limit", Reported.PowerLimit),
            ("memory.used", Reported.MemoryUsed(1 << 20)),
        ]);

    public static SmiTable Amd { get; } = new("amd-smi", ["timestamp"], ["gpu_uuid", "uuid"], ["gpu", "gpu_bdf"], ["market_name"],
        [
            // the socket's power now, or its average where the device does not tell that
            ("socket_power", Reported.Power(PowerField.Unspecified)),
            ("current_socket_power", Reported.Power(PowerField.Instant)),
            ("average_socket_power", Reported.Power(PowerField.Unspecified)),
            ("power_usage", Reported.Power(PowerField.Unspecified)),
            ("total_energy_consumption", Reported.Energy(1)),
            ("throttle_status", Reported.ThrottleStatus),
            ("hotspot", Reported.Temperature), ("hotspot_temperature", Reported.Temperature),
            ("gfx_0_clk", Reported.SmClock), ("mem_0_clk", Reported.MemoryClock),
            ("gfx_activity", Reported.Utilization), ("used_vram", Reported.MemoryUsed(1 << 20)),
        ]);

    /// <summary>Whether a header is one of this program, with something of energy in it.</summary>
    public bool Knows(string header)
    {
        var names = Split(header).Select(cell => NameAndUnit(cell).Name).ToHashSet();
        return Columns.Any(column => column.Meaning.IsOfEnergy && names.Contains(column.Name));
    }

    public Recording Read(string file, string format)
    {
        var (devices, lines) = (new RecordedDevices(file), new RecordedLines(file));
        var host = Path.GetFileNameWithoutExtension(file);
        Header? header = null;
        var times = new List<double>();
        lines.Read(line =>
        {
            var cells = Split(line);
            if (header == null)
            {
                header = Header.Of(this, line, cells);
                return;
            }
            if (line == header.Line) return;        // a second recording in the same file
            if (cells.Count != header.Cells) throw new FormatException($"it has {cells.Count} cells, the header {header.Cells}");
            if (!RecordedTime.TryParse(cells[header.Time], out var time))
                throw new FormatException($"'{cells[header.Time].Trim()}' is no time");
            var domain = new EnergyDomain(host, header.DeviceOf(cells), DomainKind.Gpu, Program, header.NameOf(cells));
            if (header.Partition is { } part && cells[part].Trim() is not ("0" or "N/A" or "")) return;
            var values = new List<(Reported, double)>(header.Columns.Count);
            foreach (var (column, meaning, unit) in header.Columns)
                if (meaning.Value(cells[column], unit) is { } value) values.Add((meaning, value));
            devices.Add(domain, host, time, values);
            if (header.Mig is { } mig && cells[mig].Trim() is "Enabled" or "Disabled")
                devices.TellMig(domain, cells[mig].Trim() == "Enabled");
            if (!header.TellsDevicesApart) times.Add(time.Seconds);
        });
        if (times.Count > 0) RequireOneDevice(times, file, lines);
        return devices.Conclude(format, lines.Remarks);
    }

    /// <summary>Rows of several devices come in bundles: what tells is that pauses within one are far shorter than those between.</summary>
    private void RequireOneDevice(List<double> times, string file, RecordedLines lines)
    {
        var mean = (times[^1] - times[0]) / Math.Max(1, times.Count - 1);
        var close = times.Skip(1).Zip(times, (next, before) => next - before).Count(pause => pause < SameLook * mean);
        if (close > times.Count / 10)
        {
            throw new UserErrorException($"{file}: no column tells its devices apart, and its rows come in bundles, as of several "
                + $"devices; record {Identity[0]} or {Number[0]}, too");
        }
        lines.Remark($"{file}: no column tells devices apart; its rows were taken for those of one device");
    }

    private static (string Name, string? Unit) NameAndUnit(string cell)
    {
        cell = cell.Trim().TrimStart('\uFEFF');
        var bracket = cell.IndexOf(" [", StringComparison.Ordinal);
        return bracket > 0 && cell.Length > bracket + 2 && cell[^1] == ']'
            ? (cell[..bracket].ToLowerInvariant(), cell[(bracket + 2)..^1]) : (cell.ToLowerInvariant(), null);
    }

    private static List<string> Split(string line)
    {
        using var csv = CsvReader.FromText(line, s_cells);
        return csv.Read() ? [.. Enumerable.Range(0, csv.FieldCount).Select(csv.GetString)] : [];
    }

    private sealed class Header
    {
        public required string Line { get; init; }
        public required int Cells { get; init; }
        public required int Time { get; init; }
        public required IReadOnlyList<(int Column, Reported Meaning, string? Unit)> Columns { get; init; }
        public required int? Mig { get; init; }
        public required int? Partition { get; init; }
        public required int? Identity { get; init; }
        public required int? Number { get; init; }
        public required int? Name { get; init; }

        public bool TellsDevicesApart => (Identity ?? Number) != null;

        /// <exception cref="FormatException">It has no times.</exception>
        public static Header Of(SmiTable table, string line, List<string> cells)
        {
            var named = cells.Select(NameAndUnit).ToList();
            int? Find(string[] names) => names.Select(name => named.FindIndex(cell => cell.Name == name)).Where(at => at >= 0)
                .Select(at => (int?)at).FirstOrDefault();
            return new Header
            {
                Line = line,
                Cells = cells.Count,
                Time = Find(table.Time) ?? throw new FormatException($"there is no column of times; record {table.Time[0]}, too"),
                Columns = [.. table.Columns.Select(column => (At: named.FindIndex(cell => cell.Name == column.Name), column.Meaning))
                    .Where(column => column.At >= 0).Select(column => (column.At, column.Meaning, named[column.At].Unit))],
                Mig = Find([MigMode]),
                Partition = Find([SmiTable.Partition]),
                Identity = Find(table.Identity),
                Number = Find(table.Number),
                Name = Find(table.Name),
            };
        }

        public string DeviceOf(List<string> cells) =>
            Identity is { } identity && Told(cells[identity]) is { } known ? known
                : RecordedDevices.ByNumber + (Number is { } number ? cells[number].Trim() : "0");

        public string NameOf(List<string> cells) => Name is { } name ? Told(cells[name]) ?? "" : "";

        private static string? Told(string cell) => cell.Trim() is { Length: > 0 } text and not "N/A" && text[0] != '[' ? text : null;
    }
}
