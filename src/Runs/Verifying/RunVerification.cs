using System.Globalization;
using System.Text.Json;
using Harness.Common;
using Harness.Energy.Accounting;
using Harness.Energy.Records;
using Harness.Runs.Accounting;
using Harness.Runs.Carbon;
using Harness.Runs.Pieces;
using Harness.Runs.Records;

namespace Harness.Runs.Verifying;

/// <summary>
/// Computes a finished run's figures again from its raw files: samples, windows and steps give each prompt's joules; rows
/// give the summary; responses give the rows' tokens and times. Files that were written by other versions are refused.
/// </summary>
public sealed class RunVerification(string directory)
{
    /// <summary>Sums are taken in another order than at the run's end, and decimal text loses nothing: only rounding may differ.</summary>
    private const double Tolerance = 1e-9;

    private static readonly string[] s_fatalReasons = [InvalidReason.SampleGap, InvalidReason.CounterDecreased, InvalidReason.RankMissing];

    private readonly List<string> _problems = [];

    /// <summary>One line per problem; none: everything follows from the raw files.</summary>
    /// <exception cref="UserErrorException">The directory is not that of a finished run, or a file is unreadable.</exception>
    public IReadOnlyList<string> Check()
    {
        var reader = new RunReader(directory);
        if (!reader.IsComplete) throw new UserErrorException($"{directory} is not a finished run: it has no {RunFile.Summary.Name}");
        var summary = reader.Summary();
        if (summary.SchemaVersion != SummaryRecord.CurrentSchema)
            throw new UserErrorException($"{directory} has schema version {summary.SchemaVersion}, this program verifies "
                + $"{SummaryRecord.CurrentSchema}; use the version that wrote it");
        if (summary.Status == RunStatus.Skipped) return [];

        var pieces = RunLayout.PiecesIn(directory).Select(number => PieceEvidence.Read(directory, number)).ToList();
        if (pieces.Count == 0) throw new UserErrorException($"{directory} cannot be verified: it has no {RunFile.Energy.Name}");
        _problems.AddRange(pieces.SelectMany(piece => Contradictions.In(piece.Evidence)));
        if (_problems.Count > 0) return _problems;
        try
        {
            Compute(reader, summary, pieces);
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException or KeyNotFoundException or IndexOutOfRangeException
            or OverflowException or FormatException or JsonException)
        {
            // Each file is one of its kind by itself, and nothing can be computed from them together.
            throw new UserErrorException($"{directory} cannot be verified: its files contradict each other "
                + $"({e.Message.ReplaceLineEndings(" ")})", e);
        }
        return _problems;
    }

    private void Compute(RunReader reader, SummaryRecord summary, List<PieceEvidence> pieces)
    {
        if (summary.Goodput.Slo is { } bounds) Slo.Parse(bounds, $"{RunFile.Summary.In(directory)}: column slo");
        var account = new RunAccount(pieces);
        var rows = reader.Prompts().ToList();
        var steps = pieces.ToDictionary(piece => piece.Number, piece => PieceEvidence.ReadSteps(directory, piece.Number));
        var (filled, attributions) = account.Fill(rows, piece => steps[piece]);

        foreach (var (piece, energy) in pieces.Zip(account.Pieces.Select(piece => piece.Energy)))
        {
            CheckReadings(energy, piece.Evidence);
            CheckRanks([.. reader.Ranks(piece.Number)], energy, piece.Evidence);
            CheckWindows(piece.Number, energy);
        }
        for (var i = 0; i < rows.Count; i++) Compare($"{RunFile.Prompts.Name}, row {i}", rows[i], filled[i]);
        CheckWhole(summary, account, rows);
        List<ResponseRecord> responses = [.. reader.Responses()];
        CheckResponses(rows, responses, reader.PromptColumns());
        CheckFigures(pieces, account, rows);
        CheckManifest(reader, summary);
        CheckMeters(reader, pieces);
        CheckSums(account, rows, attributions);
        var gaps = responses.SelectMany(response => response.ItlSeconds ?? []);
        var described = summary with
        {
            PaperEnergyJoules = account.PaperJoules(),
            Itl = Distribution.Of(gaps),
            CoreWaitShare = RankRecord.LargestCoreWait(pieces.SelectMany(piece => reader.Ranks(piece.Number))),
        };
        var known = SteadyState.Describe(described,
            SteadyState.Of(summary, account, rows, piece => steps[piece]));
        var computed = Summary.Compute(account.Describe(known, attributions), rows, account.DurationSeconds);
        Compare(RunFile.Summary.Name, summary, WithCarbon(computed, account, rows), reader.SummaryColumns());
        CheckCategories([.. reader.Categories()], CategoryRecord.Of(summary, rows), reader.CategoryColumns());
    }

    /// <summary>A gap or a fallen counter is a failure even where the run itself has marked it.</summary>
    private void CheckReadings(EnergyAccount energy, EnergyEvidence evidence)
    {
        foreach (var repeat in energy.Repeats)
            foreach (var reason in energy.Reasons(repeat).Intersect(s_fatalReasons))
                Problem($"{repeat.Window.Name}: {reason}");
        foreach (var series in evidence.Series)
            if (series.Readings.Zip(series.Readings.Skip(1))
                .FirstOrDefault(pair => pair.Second.EnergyJoules < pair.First.EnergyJoules) is { Second.EnergyJoules: not null } fallen)
                Problem(string.Create(CultureInfo.InvariantCulture,
                    $"{RunFile.Power.Name}: the counter of {series.Domain.Key} falls at {fallen.Second.TimeSeconds} s"));
    }

    private void CheckRanks(List<RankRecord> ranks, EnergyAccount energy, EnergyEvidence evidence)
    {
        foreach (var window in evidence.Windows)
        {
            var there = ranks.Where(row => row.Window == window.Name).Select(row => row.Rank).ToHashSet();
            foreach (var missing in Enumerable.Range(0, evidence.WorldSize).Where(rank => !there.Contains(rank)))
                Problem($"{RunFile.Ranks.Name}: rank {missing} is missing from window {window.Name}");
        }
        foreach (var row in ranks.Where(row => evidence.Ranks.Any(place => place.Rank == row.Rank)))
            Compare($"{RunFile.Ranks.Name}, rank {row.Rank}, {row.Window}", row,
                row.With(energy.JoulesOfRank(row.Rank, row.Window), energy.PhasesOfRank(row.Rank, row.Window)));
    }

    /// <summary>Every prompt of every repeat; of a run that was cut off, of those before its last repeat.</summary>
    private void CheckWhole(SummaryRecord summary, RunAccount account, List<PromptRecord> rows)
    {
        if (summary.NumPrompts is not { } prompts) return;
        var isComplete = summary.Status == RunStatus.Complete;
        var last = rows.Select(row => row.Repeat).DefaultIfEmpty(0).Max();
        var gaps = isComplete ? Completeness.Gaps(rows, prompts, Completeness.RepeatsOf(new RunReader(directory)) ?? account.Repeats.Count)
            : Completeness.Gaps(rows.Where(row => row.Repeat < last), prompts, Math.Max(0, last - 1));
        foreach (var gap in gaps) Problem($"{RunFile.Prompts.Name}: {gap}");
        foreach (var repeat in rows.Select(row => row.Repeat).Except(account.Repeats.Select(repeat => repeat.Repeat)))
            Problem($"{RunFile.Prompts.Name}: repeat {repeat} has no window in {RunFile.Windows.Name}");
    }

    /// <summary>
    /// What <c>windows.jsonl</c> says of each domain, beside the times. A domain that never gave a reading is in no sample.
    /// </summary>
    private void CheckWindows(int piece, EnergyAccount energy)
    {
        var known = energy.Windows.SelectMany(window => window.Devices).Select(device => device.Key).ToHashSet();
        CheckText(RunFile.Windows.In(RunLayout.DirectoryOf(directory, piece)), path =>
        {
            foreach (var (line, window) in File.ReadLines(path).Where(line => line.Length > 0).Zip(energy.Windows))
            {
                using var document = JsonDocument.Parse(line);
                var (written, computed, place) =
                    (document.RootElement, WindowRecords.Tree(WindowRecord.Of(window)), $"{RunFile.Windows.Name}, "
                    + $"{window.Window.Name}");
                var devices = written.GetProperty("devices").EnumerateArray()
                    .Where(device => known.Contains($"{device.GetProperty("host")}/{device.GetProperty("device")}")
                        || device.TryGetProperty("energy_j", out _));
                Differ(place, written.GetProperty("window"), computed.GetProperty("window"));
                Differ(place, JsonSerializer.SerializeToElement(devices), computed.GetProperty("devices"));
            }
        });
    }

    /// <summary>
    /// What <c>energy.json</c> says beside what is computed from it: of each piece its evidence as it is read, of the first the figures of
    /// the repeats.
    /// </summary>
    private void CheckFigures(IReadOnlyList<PieceEvidence> pieces, RunAccount account, List<PromptRecord> rows)
    {
        var computed = JsonSerializer.SerializeToElement(PieceEvidence.Figures(account, rows), JsonRows.Document);
        foreach (var piece in pieces)
            CheckText(RunFile.Energy.In(RunLayout.DirectoryOf(directory, piece.Number)), path =>
            {
                using var document = JsonDocument.Parse(File.ReadAllBytes(path));
                Differ($"{RunFile.Energy.Name}, evidence",
                    document.RootElement.GetProperty("evidence"), JsonSerializer.SerializeToElement(piece.Evidence, JsonRows.Document));
                foreach (var figures in computed.EnumerateObject())
                    if (document.RootElement.TryGetProperty(figures.Name, out var was))
                        Differ($"{RunFile.Energy.Name}, {figures.Name}", was, figures.Value);
            });
    }

    private void Differ(string place, JsonElement written, JsonElement computed)
    {
        foreach (var difference in JsonDifferences.Between(place, written, computed, Tolerance)) Problem(difference);
    }

    /// <exception cref="UserErrorException">The file cannot be read as what it is.</exception>
    private static void CheckText(string path, Action<string> check)
    {
        try { check(path); }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or IOException
            or UnauthorizedAccessException)
        {
            throw new UserErrorException($"{path} cannot be read: {e.Message.ReplaceLineEndings(" ")}", e);
        }
    }

    /// <summary>What the manifest says of the run is what the summary says; whether energy is valid, the summary alone knows.</summary>
    private void CheckManifest(RunReader reader, SummaryRecord summary)
    {
        if (!reader.HasManifest) return;
        var manifest = reader.ReadManifest();
        if (manifest["run"] == null) return;
        if (Manifest.RunOf(manifest) is not { } run)
        {
            Problem($"{RunFile.Manifest.Name}: its section run is not that of a run, or holds what is no figure");
            return;
        }
        foreach (var column in ColumnMap<SummaryRecord>.Columns)
            if (column.Name != "valid" && column.Of(run) is { } was && !IsSame(was, column.Of(summary)))
                Problem(string.Create(CultureInfo.InvariantCulture,
                    $"{RunFile.Manifest.Name}, {column.Name}: written {was}, but {column.Of(summary) ?? "nothing"} in "
                        + $"{RunFile.Summary.Name}"));

        // A text stands in the CSV as a spreadsheet may have it.
        static bool IsSame(object was, object? now) => was is string text ? CsvDialect.Text(text).Equals(now) : was.Equals(now);
    }

    /// <summary>A rank that had a meter when its start began has left readings; without them its devices would be in no sum.</summary>
    private void CheckMeters(RunReader reader, IReadOnlyList<PieceEvidence> pieces)
    {
        var starts = reader.HasManifest ? StartRecord.Of(reader.ReadManifest(), RunFile.Manifest.In(directory)) : [];
        foreach (var (start, piece) in starts.Join(pieces, start => start.Start, piece => piece.Number, (start, piece) => (start, piece)))
            foreach (var rank in start.MeteredRanks ?? [])
                if (piece.Evidence.Ranks.Where(place => place.Rank == rank).All(place => place.Reads.Count == 0))
                    Problem($"{RunFile.Energy.Name}: rank {rank} had a meter when start {start.Start} began, and reads nothing here");
        // What a killed start counts is found again from its journals when the run goes on.
        foreach (var piece in pieces.Select(piece => RunLayout.DirectoryOf(directory, piece.Number)))
            if (StartJournal.Read(piece).Start is { End: null, MeteredRanks: { } metered })
                foreach (var lost in metered.Select(rank => RunFile.EnergyJournal.OfRank(rank).In(piece)).Where(path => !File.Exists(path)))
                    Problem($"{lost} is not there, and the rank had a meter: the run, if it goes on, does the start's answers again");
    }

    /// <param name="columns">Of the rows' file.</param>
    private void CheckResponses(List<PromptRecord> rows, List<ResponseRecord> responses, IReadOnlyCollection<string> columns)
    {
        if (rows.Count != responses.Count)
        {
            Problem($"{RunFile.Prompts.Name} has {rows.Count} rows, {RunFile.Responses.Name} {responses.Count}");
            return;
        }
        foreach (var (row, response) in rows.Zip(responses))
        {
            var place = $"prompt {row.PromptIndex} of repeat {row.Repeat}";
            if (row.PromptIndex != response.PromptIndex || row.Turn != response.Turn
                || row.Repeat != response.Repeat) Problem(
                $"{place}: its response is that of prompt {response.PromptIndex}, repeat {response.Repeat}");
            if (row.OutputTokens != response.OutputIds.Count)
                Problem($"{place}: output_tokens is {row.OutputTokens}, but its response has {response.OutputIds.Count}");
            if (row.OutputWords != Words.Count(response.Text))
                Problem($"{place}: output_words is {row.OutputWords}, but its response has {Words.Count(response.Text)}");
            if (response.ItlSeconds is not { } gaps) continue;
            Compare($"{place}, latency_s", row.LatencySeconds, row.TtftSeconds + gaps.Sum());
            if (columns.Contains("itl_p99_s"))
                Compare($"{place}, itl_p99_s", row.ItlP99Seconds, new Statistics(gaps).Percentile(99));
        }
    }

    /// <summary>Carbon again from the hours, PUE and embodied emissions that <c>carbon.json</c> says.</summary>
    private SummaryRecord WithCarbon(SummaryRecord computed, RunAccount account, List<PromptRecord> rows)
    {
        var none = computed with { Carbon = new() };
        var path = Path.Combine(directory, RunFile.Carbon.Name);
        if (!File.Exists(path)) return none;
        try
        {
            using var written = JsonDocument.Parse(File.ReadAllBytes(path));
            var terms = JsonRows.Checked<CarbonTerms>(written.RootElement) is { Hours.Count: > 0 } read ? read
                : throw new JsonException("it holds no hours");
            if (CarbonTerms.Of(CarbonInputs.Of(terms), account, none, rows) is not { } again)
            {
                Problem($"{RunFile.Carbon.Name}: the run has no energy that it could follow from");
                return none;
            }
            // The text of the file, not the record read from it: that has derived terms anew, whatever the file says.
            foreach (var difference in JsonDifferences.Between(RunFile.Carbon.Name, written.RootElement,
                JsonSerializer.SerializeToElement(again, JsonRows.Document), Tolerance))
                Problem(difference);
            return again.AddTo(none);
        }
        catch (JsonException e)
        {
            throw new UserErrorException($"{path} cannot be read: {e.Message.ReplaceLineEndings(" ")}", e);
        }
    }

    /// <param name="columns">Of the file.</param>
    private void CheckCategories(List<CategoryRecord> written, IReadOnlyList<CategoryRecord> computed,
        IReadOnlyCollection<string> columns)
    {
        if (!written.Select(row => row.Category).SequenceEqual(computed.Select(row => row.Category)))
            Problem($"{RunFile.Categories.Name}: has {string.Join(", ", written.Select(row => row.Category))}, the prompts "
                + $"{string.Join(", ", computed.Select(row => row.Category))}");
        else
            foreach (var (was, now) in written.Zip(computed)) Compare($"{RunFile.Categories.Name}, {was.Category}", was, now, columns);
    }

    /// <summary>What the prompts were given, with what nobody was given, is what the meter showed.</summary>
    private void CheckSums(RunAccount account, List<PromptRecord> rows, List<Attribution?> attributions)
    {
        foreach (var ((piece, repeat), attribution) in account.Pieces.SelectMany(piece =>
            piece.Energy.Repeats.Select(repeat => (piece.Number, repeat))).Zip(attributions))
            if (attribution != null)
                Compare($"{repeat.Window.Name}: prompts + unattributed",
                    rows.Where(row => row.Repeat == repeat.Window.Repeat && row.Piece == piece).Sum(row => row.EnergyJoules ?? 0)
                        + attribution.UnattributedJoules, repeat.Joules);
    }

    /// <summary>Every column of two records.</summary>
    private void Compare<T>(string place, T written, T computed) where T : class => Compare(place, written, computed, ColumnMap<T>.Names);

    /// <param name="names">Of the columns that the file has: an earlier version knew fewer.</param>
    private void Compare<T>(string place, T written, T computed, IReadOnlyCollection<string> names) where T : class
    {
        foreach (var column in ColumnMap<T>.Columns.Where(column => names.Contains(column.Name)))
        {
            var (was, now) = (column.Of(written), column.Of(computed));
            if (column.Type == typeof(double?)) Compare($"{place}, {column.Name}", (double?)was, (double?)now);
            else if (!Equals(was, now)) Problem($"{place}, {column.Name}: written {was ?? "nothing"}, computed {now ?? "nothing"}");
        }
    }

    private void Compare(string place, double? written, double? computed)
    {
        if (!(written is { } was && computed is { } now ? JsonDifferences.AreEqual(was, now, Tolerance) : written == null
            && computed == null))
            Problem(string.Create(CultureInfo.InvariantCulture, $"{place}: written {Text(written)}, computed {Text(computed)}"));
    }

    private static string Text(double? value) => value?.ToString("R", CultureInfo.InvariantCulture) ?? "nothing";

    private void Problem(string line) => _problems.Add(line);
}
