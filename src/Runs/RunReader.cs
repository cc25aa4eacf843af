using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using CsvHelper;
using Harness.Common;
using Harness.Energy;
using Harness.Energy.Accounting;
using Harness.Energy.Records;
using Harness.Runs.Records;

namespace Harness.Runs;

/// <summary>
/// Reads a run directory, also one whose run goes on or was cut off: where a file is not complete, its partial one is read as
/// far as its rows are whole.
/// </summary>
/// <remarks>A file that is missing or damaged gives a <see cref="UserErrorException"/> that names it.</remarks>
public sealed class RunReader(string directory)
{
    public string Directory { get; } = directory;

    public bool IsComplete => File.Exists(RunFile.Summary.In(Directory));

    public bool HasPrompts => File.Exists(RunFile.Prompts.In(Directory)) || File.Exists(RunFile.PartialPrompts.In(Directory));

    public bool HasManifest => File.Exists(RunFile.Manifest.In(Directory));

    public SummaryRecord Summary() => Rows<SummaryRecord>(RunFile.Summary.In(Directory), CsvRows.Read<SummaryRecord>).FirstOrDefault()
        ?? throw new UserErrorException($"{RunFile.Summary.In(Directory)} holds no row");

    /// <summary>What the columns of <c>summary.csv</c> are called: an earlier version knew fewer.</summary>
    public IReadOnlyCollection<string> SummaryColumns() => Read(RunFile.Summary.In(Directory), CsvRows.Columns);

    /// <summary>The same of <c>prompts.csv</c>.</summary>
    public IReadOnlyCollection<string> PromptColumns() => Read(RunFile.Prompts.In(Directory), CsvRows.Columns);

    /// <summary>The same of <c>categories.csv</c>; none where the run has none.</summary>
    public IReadOnlyCollection<string> CategoryColumns() =>
        HasCategories ? Read(RunFile.Categories.In(Directory), CsvRows.Columns) : [];

    public IEnumerable<PromptRecord> Prompts() => Rows(RunFile.Prompts.In(Directory), CsvRows.Read<PromptRecord>);

    /// <summary>
    /// The rows of <c>prompts.csv</c>, of any version, as far as requests are judged by them. A column that another version did not write
    /// is missing in every row. Several times faster than whole records: a report reads thousands of files.
    /// </summary>
    public IEnumerable<ServedRequest> Requests()
    {
        using var stream = OpenPrompts(out var source);
        using var csv = CsvReader.Create(stream, CsvDialect.Reading);
        if (!CsvRows.Next(csv, source)) yield break;
        int Column(string name) => csv.TryGetFieldIndex(name, out var field) ? field : -1;
        var (reason, tokens, ttft, tpot) = (Column("finish_reason"), Column("output_tokens"), Column("ttft_s"), Column("tpot_s"));
        var (itl, latency, joules) = (Column("itl_p99_s"), Column("latency_s"), Column("energy_j"));
        do
        {
            double? Number(int column) => column < 0 || csv.IsEmpty(column) ? null
                : double.TryParse(csv.GetSpan(column), NumberStyles.Float, CultureInfo.InvariantCulture, out var value)
                    && double.IsFinite(value) ? value
                : throw new UserErrorException($"{source}:{csv.LineNumber}: column {csv.Headers[column]} holds '{csv.GetString(column)}', "
                + "which is no figure");
            yield return new(FinishReason.IsFailure(reason < 0 ? "" : csv.GetString(reason)), (int?)Number(tokens), Number(ttft),
                Number(tpot), Number(itl), Number(latency), Number(joules));
        }
        while (CsvRows.Next(csv, source));
    }

    /// <summary>The rows of <c>prompts.csv</c> as they stand, for those who must read what other versions wrote.</summary>
    /// <param name="source">The file that was opened, for messages.</param>
    public Stream OpenPrompts(out string source) => OpenRows(RunFile.Prompts.In(Directory), out source);

    /// <summary>Columns that an older version did not write are empty.</summary>
    public IEnumerable<RankRecord> Ranks(int piece = 1) =>
        Rows(PathOf(RunFile.Ranks, piece), CsvRows.Read<RankRecord>);

    /// <summary>The windows of a piece with what each device did in them, in order.</summary>
    public IReadOnlyList<WindowRecord> Windows(int piece = 1) => Read(PathOf(RunFile.Windows, piece), stream =>
    {
        using var text = new StreamReader(stream);
        return WindowRecords.Read(text, PathOf(RunFile.Windows, piece));
    });

    public bool HasSamples(int piece = 1) => File.Exists(PathOf(RunFile.Power, piece));

    /// <summary>What a piece's meters showed, by device and rank.</summary>
    public IReadOnlyList<SampleSeries> Samples(int piece = 1) => Read(PathOf(RunFile.Power, piece), stream =>
    {
        using var text = new StreamReader(stream);
        return PowerRecords.Read(text, PathOf(RunFile.Power, piece));
    });

    /// <summary>The same row after row, so that a recording of days need not be held in memory.</summary>
    public IEnumerable<(EnergyDomain Domain, int Rank, EnergyReading Reading)> SampleRows(int piece = 1)
    {
        using var text = new StreamReader(Open(PathOf(RunFile.Power, piece)));
        foreach (var row in PowerRecords.ReadRows(text, PathOf(RunFile.Power, piece))) yield return row;
    }

    /// <summary>What a piece's ranks did with their time; null where that is not on file.</summary>
    public IReadOnlyList<RankPhases>? Phases(int piece = 1) => !Has(RunFile.Phases, piece) ? null
        : Read(PathOf(RunFile.Phases, piece), stream => PhaseRecords.Read(stream, PathOf(RunFile.Phases, piece)));

    /// <summary>Every record of a file of JSON lines.</summary>
    public IReadOnlyList<T> Lines<T>(RunFile file, int piece = 1) =>
        Read(PathOf(file, piece), stream => JsonRows.Read<T>(stream, PathOf(file, piece)).ToList());

    /// <summary>What is taken from a JSON file.</summary>
    public T Document<T>(RunFile file, int piece, Func<JsonElement, T> take) => Read(PathOf(file, piece), stream =>
    {
        using var document = JsonDocument.Parse(stream);
        return take(document.RootElement);
    });

    /// <summary>Whether the run, or a piece of it, has a file of its own.</summary>
    public bool Has(RunFile file, int piece = 1) => File.Exists(PathOf(file, piece));

    /// <summary>Whether the run's prompts have categories.</summary>
    public bool HasCategories => File.Exists(RunFile.Categories.In(Directory));

    public Stream OpenCategories(out string source) => OpenRows(RunFile.Categories.In(Directory), out source);

    /// <summary>Empty where there are none.</summary>
    public IEnumerable<CategoryRecord> Categories() =>
        HasCategories ? Rows(RunFile.Categories.In(Directory), CsvRows.Read<CategoryRecord>) : [];

    public IEnumerable<ResponseRecord> Responses() => Rows(RunFile.Responses.In(Directory), JsonRows.Read<ResponseRecord>);

    /// <summary>Inter-token latencies of all responses, in seconds.</summary>
    public IEnumerable<double> Gaps() =>
        Rows(RunFile.Responses.In(Directory), JsonRows.Read<ResponseGaps>).SelectMany(response => response.ItlSeconds ?? []);

    /// <summary>Bytes of the responses of a complete run; null where there are none.</summary>
    public long? ResponsesLength => new FileInfo(RunFile.Responses.In(Directory)) is { Exists: true } file ? file.Length : null;

    public JsonObject ReadManifest()
    {
        var path = RunFile.Manifest.In(Directory);
        return Read(path, stream => Manifest.Read(stream, path));
    }

    private string PathOf(RunFile file, int piece) =>
        file.In(file.Place == RunFilePlace.Start ? RunLayout.DirectoryOf(Directory, piece) : Directory);

    private static IEnumerable<T> Rows<T>(string path, Func<Stream, string, IEnumerable<T>> read)
    {
        using var stream = OpenRows(path, out var source);
        if (stream is MemoryStream { Length: 0 }) yield break; // a partial file that was opened this moment
        foreach (var row in read(stream, source)) yield return row;
    }

    private static Stream OpenRows(string path, out string source)
    {
        source = path;
        var partial = AppendedFile<object>.PartialPath(path);
        if (File.Exists(path) || !File.Exists(partial)) return Open(path);
        try
        {
            var rows = WholeLines(partial);
            source = partial;
            return rows;
        }
        catch (UserErrorException) when (File.Exists(path))
        {
            return Open(path); // The run completed the file just now.
        }
    }

    /// <summary>A file up to its last line feed: a row that is being written, or was when the run was killed, is not there yet.</summary>
    private static Stream WholeLines(string path)
    {
        using var file = Open(path);
        var content = new MemoryStream();
        file.CopyTo(content);
        content.SetLength(content.GetBuffer().AsSpan(0, (int)content.Length).LastIndexOf((byte)'\n') + 1);
        content.Position = 0;
        return content;
    }

    /// <exception cref="UserErrorException">The file is missing, or is not what it is taken for.</exception>
    private static T Read<T>(string path, Func<Stream, T> read)
    {
        try
        {
            using var stream = Open(path);
            return read(stream);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or IOException)
        {
            var reason = e is JsonException json ? JsonRows.Reason(json) : e.Message.ReplaceLineEndings(" ");
            throw new UserErrorException($"{path} cannot be read: {reason}", e);
        }
    }

    private static FileStream Open(string path)
    {
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"cannot read {path}: {e.Message}", e);
        }
    }
}
