using System.Globalization;
using System.Text.Json.Serialization;
using Harness.Common;

namespace Harness.Reports.Publishing;

/// <summary>A row of the ML.ENERGY leaderboard, version 3, by the names of its columns. Others of the file are passed over.</summary>
internal sealed record PublishedRow
{
    [JsonPropertyName("model")] public required string Model { get; init; }
    [JsonPropertyName("task")] public string? Task { get; init; }
    [JsonPropertyName("gpu_model")] public required string GpuModel { get; init; }
    [JsonPropertyName("num_gpus")] public required double Gpus { get; init; }
    [JsonPropertyName("max_num_seqs")] public required double MostRequests { get; init; }
    [JsonPropertyName("avg_batch_size")] public double? MeanBatch { get; init; }
    [JsonPropertyName("avg_output_len")] public double? MeanOutputTokens { get; init; }
    [JsonPropertyName("avg_power_watts")] public required double Watts { get; init; }
    [JsonPropertyName("output_throughput_tokens_per_sec")] public required double TokensPerSecond { get; init; }
    [JsonPropertyName("energy_per_token_joules")] public required double JoulesPerToken { get; init; }
    [JsonPropertyName("energy_per_request_joules")] public required double JoulesPerRequest { get; init; }
    [JsonPropertyName("parallel_data_parallel")] public double? Replicas { get; init; }

    /// <summary>Of one replica, as shards are counted here.</summary>
    public double Shards => Gpus / (Replicas > 0 ? Replicas.Value : 1);

    /// <summary>What a line of the legend names: what does not differ along the x-axis.</summary>
    public string Setting => VisibleText.Of(string.Create(CultureInfo.InvariantCulture, $"{Model}, {Gpus:0.##} × {GpuModel}")
        + (Task is { Length: > 0 } ? $", {Task}" : ""));

    /// <summary>What does not hold of the row; null where all does.</summary>
    public string? Contradiction => (Watts / TokensPerSecond, JoulesPerToken * MeanOutputTokens) switch
    {
        var (perToken, _) when !Agree(perToken, JoulesPerToken) => string.Create(CultureInfo.InvariantCulture,
            $"its power ÷ throughput is {perToken:G6} J/token, and it says {JoulesPerToken:G6}"),
        var (_, perRequest) when perRequest is { } joules && !Agree(joules, JoulesPerRequest) => string.Create(CultureInfo.InvariantCulture,
            $"its J/token × mean length is {joules:G6} J/request, and it says {JoulesPerRequest:G6}"),
        _ => null,
    };

    private static bool Agree(double a, double b) => a > 0 && Math.Abs(a / b - 1) < 0.01;
}

/// <summary>Marks of a figure that are not of the report's runs.</summary>
internal sealed record ReferenceSeries(string Label, IReadOnlyList<ReferencePoint> Points);

internal sealed record ReferencePoint(double X, double Y);

/// <summary>
/// Published figures of others, to be laid under those of the runs: quiet, named, with no line and in no mean or front. They keep their
/// own definition, which <see cref="Scope"/> says.
/// </summary>
internal sealed record PublishedFigures(IReadOnlyList<PublishedRow> Rows)
{
    /// <summary>More kinds of marks cannot be told apart in grey.</summary>
    private const int MostSettings = 6;

    private const string Publisher = "ML.ENERGY";

    /// <summary>Beneath the legend of a figure that has some.</summary>
    public const string Scope = $"grey: published by {Publisher}, GPUs alone, steady state of continuous batching";

    public static PublishedFigures None { get; } = new([]);

    /// <param name="leaveOut">Takes a line for each row that contradicts itself, which is not drawn.</param>
    /// <exception cref="UserErrorException">A file cannot be read, or lacks a column; the line and the column are named.</exception>
    public static PublishedFigures Read(IEnumerable<string> files, Action<string> leaveOut)
    {
        var rows = new List<PublishedRow>();
        foreach (var file in files)
        {
            using var text = new MemoryStream(InputFile.Read(file));
            var read = 0;
            foreach (var row in CsvRows.ReadLoosely<PublishedRow>(text, file))
            {
                read++;
                if (row.Contradiction is { } contradiction) leaveOut($"{file}:{read + 1}: {contradiction}; it is not drawn");
                else rows.Add(row);
            }
            if (read == 0) throw new UserErrorException($"{file} has no rows; --reference takes rows of the ML.ENERGY leaderboard as CSV");
        }
        return new(rows);
    }

    /// <summary>A line for each kind, said where figures are shown.</summary>
    public string? Note => Rows.Count == 0 ? null
        : $"Hollow grey marks are figures that others published, not of these runs: {Publisher}'s leaderboard, of the GPUs alone, in the "
            + "steady state of continuous batching. Their requests in flight are max_num_seqs, their batch is the mean number of requests "
            + "in a step, their shards are the GPUs of a replica."
            + (Settings > MostSettings ? $" Of {Settings} models on devices {MostSettings} are drawn; give a file of fewer." : "");

    private int Settings => Rows.Select(row => row.Setting).Distinct().Count();

    /// <summary>The marks of a figure; none where the leaderboard has nothing like its axes.</summary>
    public IReadOnlyList<ReferenceSeries> Of(Func<PublishedRow, double?>? x, Func<PublishedRow, double> y) => x == null ? []
        : [.. (from row in Rows
               let at = x(row)
               where at > 0
               group new ReferencePoint(at.Value, y(row)) by row.Setting into alike
               orderby alike.Key
               select new ReferenceSeries($"{Publisher}: {alike.Key}", [.. alike.OrderBy(point => point.X)])).Take(MostSettings)];
}
