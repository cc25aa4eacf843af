using System.Globalization;
using System.Security.Cryptography;
using CsvHelper;
using Harness.Common;

namespace Harness.Datasets;

/// <summary>A request of a trace.</summary>
/// <param name="Seconds">When it arrives, after the first.</param>
/// <param name="InputTokens">Of its prompt; null where the trace does not say, or is not asked.</param>
/// <param name="OutputTokens">That it generates; null likewise.</param>
/// <param name="Line">Of the file.</param>
public readonly record struct Arrival(double Seconds, int? InputTokens, int? OutputTokens, long Line);

/// <summary>
/// When requests arrive, from a CSV file with a row for each, in the order of their times: <c>TIMESTAMP</c>, <c>ContextTokens</c> and
/// <c>GeneratedTokens</c> as the Azure LLM inference traces of 2023 and 2024 have them (AzurePublicDataset), or <c>arrival_s</c>, seconds,
/// with <c>input_tokens</c> and <c>output_tokens</c>. Lengths may be missing.
/// </summary>
public sealed record ArrivalTrace
{
    private const int ShownDigits = 12;
    private const int MostColumns = 12;

    /// <summary>Thirty years: longer is a mistake, and no clock's ticks overflow in it.</summary>
    private const double LongestSeconds = 1e9;

    /// <summary>A day, and a time to 100 ns, in UTC where no zone is given.</summary>
    private static readonly string[] s_times = ["yyyy-MM-dd HH:mm:ss.FFFFFFFK", "yyyy-MM-ddTHH:mm:ss.FFFFFFFK"];

    private ArrivalTrace(string path) => Path = path;

    public string Path { get; }

    /// <summary>SHA-256 of the file.</summary>
    public required string Digest { get; init; }

    /// <summary>The first digits of it, for tables.</summary>
    public string Digits => Digest[..ShownDigits];

    /// <summary>Of the file.</summary>
    public required long Rows { get; init; }

    /// <summary>The first of the file.</summary>
    public required IReadOnlyList<Arrival> Used { get; init; }

    /// <summary>The columns of lengths, as the file calls them; null where it has none, or they are not used.</summary>
    public string? InputColumn { get; private init; }

    /// <inheritdoc cref="InputColumn"/>
    public string? OutputColumn { get; private init; }

    /// <summary>Columns that say nothing of arrivals.</summary>
    public IReadOnlyList<string> UnreadColumns { get; private init; } = [];

    /// <summary>Requests per second of those that are used, (n − 1) ÷ (last − first); null where all arrive at once.</summary>
    public double? Rate => Used[^1].Seconds > 0 ? (Used.Count - 1) / Used[^1].Seconds : null;

    /// <summary>For people, one line each.</summary>
    public IEnumerable<string> Notes
    {
        get
        {
            var rate = Rate is { } r ? FormattableString.Invariant($"{r:G4} a second") : "all at once";
            yield return $"arrivals of {Path} (SHA-256 {Digits}…): "
                + (Rows == Used.Count ? $"its {Figures.Count(Rows, "request")}, "
                    : $"the first {Figures.Count(Used.Count)} of its {Figures.Count(Rows, "request")} (the others are not used), ")
                + rate
                + (InputColumn == null ? "" : $"; prompts are cut or repeated to {InputColumn}")
                + (OutputColumn == null ? "" : $"; outputs have exactly {OutputColumn}, whatever end-of-text comes before");
            if (UnreadColumns.Count > 0)
                yield return $"{Path}: nothing is made of "
                    + string.Join(", ", UnreadColumns.Take(MostColumns).Select(name => $"\"{name}\""))
                    + (UnreadColumns.Count > MostColumns ? $" and {UnreadColumns.Count - MostColumns} more columns" : "");
        }
    }

    /// <summary>For the manifest.</summary>
    public object Described => new
    {
        file = Path,
        sha256 = Digest,
        rows = Rows,
        used = Used.Count,
        rate_per_s = Rate,
        input_tokens = InputColumn,
        output_tokens = OutputColumn,
        unread_columns = UnreadColumns,
    };

    /// <summary>The same requests, their times stretched so that they come at another rate.</summary>
    /// <exception cref="UserErrorException">They have no rate.</exception>
    public ArrivalTrace At(double rate)
    {
        if (Rate is not { } own)
            throw new UserErrorException($"{Path}: its {Figures.Count(Used.Count, "request")} all arrive at once, which no --rate "
                + "stretches; leave --rate out, or use more requests");
        return Used[^1].Seconds * (own / rate) <= LongestSeconds
            ? this with { Used = [.. Used.Select(one => one with { Seconds = one.Seconds * (own / rate) })] }
            : throw new UserErrorException($"{Path}: at --rate {rate.ToString(CultureInfo.InvariantCulture)} its "
                + $"{Figures.Count(Used.Count, "request")} would take more than thirty years; use a higher rate");
    }

    /// <summary>The same times, without the lengths; their columns are among those that are not used.</summary>
    public ArrivalTrace WithoutLengths() => this with
    {
        Used = [.. Used.Select(one => one with { InputTokens = null, OutputTokens = null })],
        UnreadColumns = [.. new[] { InputColumn, OutputColumn }.OfType<string>(), .. UnreadColumns],
        InputColumn = null,
        OutputColumn = null,
    };

    /// <summary>The whole file is read and checked, and the first requests of it are kept.</summary>
    /// <param name="count">Requests to be kept, at least 1.</param>
    /// <exception cref="UserErrorException">A row is damaged or out of order, which is named by line; there are fewer requests; it is no
    /// such file.</exception>
    public static ArrivalTrace Read(string path, int count)
    {
        using var file = new FileStream(RegularFile.Open(path), FileAccess.Read);
        try
        {
            var head = new byte[ForeignFile.HeadBytes];
            ForeignFile.Refuse(path, head.AsSpan(0, file.ReadAtLeast(head, head.Length, throwOnEndOfStream: false)));
            file.Position = 0;
            var digest = Convert.ToHexStringLower(SHA256.HashData(file));
            file.Position = 0;
            return Read(file, path, digest, count);
        }
        catch (IOException e)
        {
            throw new UserErrorException($"cannot read {path}: {e.Message}", e);
        }
    }

    private static ArrivalTrace Read(Stream file, string path, string digest, int count)
    {
        using var csv = CsvReader.Create(file, CsvDialect.Reading, leaveOpen: true);
        var more = CsvRows.Next(csv, path);
        if (csv.Headers.Count == 0) throw new UserErrorException($"{path} is empty: it has no header");
        var columns = new Columns(csv, path);
        var used = new List<Arrival>();
        var (rows, first, last, lastLine) = (0L, 0m, 0m, 0L);
        for (; more; more = CsvRows.Next(csv, path))
        {
            var now = columns.Seconds();
            if (rows == 0) first = now;
            else if (now < last)
                throw new UserErrorException($"{path}:{csv.LineNumber}: {columns.Time} is '{csv.GetString(columns.TimeField)}', before "
                    + $"that of line {lastLine}; sort the rows by it");
            (last, lastLine) = (now, csv.LineNumber);
            var (input, output) = (columns.Tokens(columns.InputField), columns.Tokens(columns.OutputField));
            if (rows++ < count) used.Add(new((double)(now - first), input, output, csv.LineNumber));
        }
        if (used.Count == 0) throw new UserErrorException($"{path} holds no arrivals: it has a header alone");
        if (used[^1].Seconds > LongestSeconds)
            throw new UserErrorException($"{path}:{used[^1].Line}: {columns.Time} is more than thirty years after that of the first row; "
                + "correct it");
        if (used.Count < count)
            throw new UserErrorException($"{path} has {Figures.Count(used.Count, "arrival")} for {Figures.Count(count, "prompt")}; use "
                + $"fewer prompts (--limit {used.Count}), or a longer file");
        return new(path)
        {
            Digest = digest,
            Rows = rows,
            Used = used,
            InputColumn = columns.Name(columns.InputField),
            OutputColumn = columns.Name(columns.OutputField),
            UnreadColumns = columns.Unread,
        };
    }

    /// <summary>Which fields of the file are read, and how.</summary>
    private sealed class Columns
    {
        private const string Stamp = "TIMESTAMP", Plain = "arrival_s";
        private const decimal FarthestSeconds = 1e12m;

        private static readonly string[] s_inputs = ["ContextTokens", "input_tokens"], s_outputs = ["GeneratedTokens", "output_tokens"];

        private readonly CsvReader _csv;
        private readonly string _path;
        private readonly string[] _header;
        private readonly bool _isStamp;

        public Columns(CsvReader csv, string path)
        {
            (_csv, _path, _header) = (csv, path, [.. csv.Headers]);
            TimeField = Field([Stamp, Plain]);
            if (TimeField < 0)
                throw new UserErrorException($"{path} has the columns {string.Join(", ", _header)}, but {Stamp} (a time) or {Plain} "
                    + "(seconds) is expected");
            (InputField, OutputField) = (Field(s_inputs), Field(s_outputs));
            _isStamp = _header[TimeField].Equals(Stamp, StringComparison.OrdinalIgnoreCase);
        }

        public int TimeField { get; }

        /// <summary>Negative where there is none.</summary>
        public int InputField { get; }

        /// <inheritdoc cref="InputField"/>
        public int OutputField { get; }

        public string Time => _header[TimeField];

        public IReadOnlyList<string> Unread =>
            [.. _header.Where((_, at) => at != TimeField && at != InputField && at != OutputField)];

        public string? Name(int field) => field < 0 ? null : _header[field];

        /// <summary>Since a moment of the file's own; exact to 100 ns.</summary>
        public decimal Seconds()
        {
            var text = _csv.GetString(TimeField);
            if (!_isStamp)
                return decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds)
                    && Math.Abs(seconds) <= FarthestSeconds ? seconds : throw Wrong(TimeField, "a number of seconds");
            return DateTimeOffset.TryParseExact(text, s_times, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)
                ? time.UtcTicks / (decimal)TimeSpan.TicksPerSecond
                : throw Wrong(TimeField, "a time such as 2023-11-16 18:15:46.6805900");
        }

        /// <summary>Of the row; null where the file has no such column.</summary>
        public int? Tokens(int field) => field < 0 ? null
            : int.TryParse(_csv.GetString(field), NumberStyles.None, CultureInfo.InvariantCulture, out var tokens) && tokens > 0 ? tokens
            : throw Wrong(field, "a whole number of at least 1");

        private int Field(string[] names)
        {
            int[] fields = [.. _header.Index().Where(column => names.Contains(column.Item, StringComparer.OrdinalIgnoreCase))
                .Select(column => column.Index)];
            return fields.Length <= 1 ? fields.DefaultIfEmpty(-1).First()
                : throw new UserErrorException($"{_path} has the columns {string.Join(" and ", fields.Select(field => _header[field]))}, "
                    + "and both say the same; leave one out");
        }

        private UserErrorException Wrong(int field, string expected) =>
            new($"{_path}:{_csv.LineNumber}: {_header[field]} is '{_csv.GetString(field)}', but {expected} is expected");
    }
}
