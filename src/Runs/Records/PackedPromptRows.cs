using System.Collections;

namespace Harness.Runs.Records;

/// <summary>
/// Rows of <c>prompts.csv</c> as they stay in memory while a run goes on: 88 bytes each, texts once for all rows that share them, where a
/// record takes three times that. A row is made anew when it is asked for.
/// </summary>
public sealed class PackedPromptRows : IReadOnlyList<PromptRecord>
{
    private const int ChunkLength = 1024;

    private readonly record struct Texts(
        string RunId, string Dataset, string FinishReason, string? Category, string? EnergySource, string? InvalidReasons, int? Turn);

    /// <summary>NaN, and -1 of whole numbers, stand for what is null: no figure is that.</summary>
    private readonly record struct Packed(
        int Texts, int Repeat, int PromptIndex, int BatchIndex, int InputTokens, int OutputTokens, int OutputWords, int Piece,
        int CachedTokens, bool? Correct, bool Valid, double Ttft, double Tpot, double Latency, double Start, double Queue,
        double ItlP99);

    private readonly List<Packed[]> _chunks = [];
    private readonly List<Texts> _texts = [];
    private readonly Dictionary<Texts, int> _places = [];

    public int Count { get; private set; }

    public PromptRecord this[int index] =>
        (uint)index < (uint)Count ? Unpack(_chunks[index / ChunkLength][index % ChunkLength])
            : throw new ArgumentOutOfRangeException(nameof(index), index, $"there are {Count} rows");

    /// <param name="rows">Without joules, which nobody knows before a run has ended.</param>
    public void AddRange(IEnumerable<PromptRecord> rows)
    {
        foreach (var row in rows)
        {
            if (Count % ChunkLength == 0) _chunks.Add(new Packed[ChunkLength]);
            _chunks[^1][Count++ % ChunkLength] = Pack(row);
        }
    }

    public IEnumerator<PromptRecord> GetEnumerator()
    {
        for (var i = 0; i < Count; i++) yield return this[i];
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private Packed Pack(PromptRecord row)
    {
        if ((row.EnergyJoules ?? row.PrefillEnergyJoules ?? row.DecodeEnergyJoules ?? row.NetEnergyJoules) != null)
            throw new ArgumentException("a row that is kept while a run goes on has no joules yet", nameof(row));
        var texts = new Texts(row.RunId, row.Dataset, row.FinishReason, row.Category, row.EnergySource, row.InvalidReasons, row.Turn);
        if (!_places.TryGetValue(texts, out var place))
        {
            _places[texts] = place = _texts.Count;
            _texts.Add(texts);
        }
        return new(place, row.Repeat, row.PromptIndex, row.BatchIndex ?? -1, row.InputTokens, row.OutputTokens, row.OutputWords, row.Piece,
            row.CachedTokens ?? -1, row.Correct, row.Valid, row.TtftSeconds ?? double.NaN, row.TpotSeconds ?? double.NaN,
            row.LatencySeconds ?? double.NaN,
            row.StartSeconds ?? double.NaN, row.QueueSeconds ?? double.NaN, row.ItlP99Seconds ?? double.NaN);
    }

    private PromptRecord Unpack(in Packed packed)
    {
        var texts = _texts[packed.Texts];
        return new()
        {
            RunId = texts.RunId,
            Repeat = packed.Repeat,
            Dataset = texts.Dataset,
            PromptIndex = packed.PromptIndex,
            BatchIndex = Number(packed.BatchIndex),
            InputTokens = packed.InputTokens,
            OutputTokens = packed.OutputTokens,
            OutputWords = packed.OutputWords,
            FinishReason = texts.FinishReason,
            TtftSeconds = Figure(packed.Ttft),
            TpotSeconds = Figure(packed.Tpot),
            LatencySeconds = Figure(packed.Latency),
            EnergySource = texts.EnergySource,
            Correct = packed.Correct,
            Valid = packed.Valid,
            InvalidReasons = texts.InvalidReasons,
            Category = texts.Category,
            StartSeconds = Figure(packed.Start),
            QueueSeconds = Figure(packed.Queue),
            Piece = packed.Piece,
            ItlP99Seconds = Figure(packed.ItlP99),
            Turn = texts.Turn,
            CachedTokens = Number(packed.CachedTokens),
        };
    }

    private static int? Number(int packed) => packed < 0 ? null : packed;

    private static double? Figure(double packed) => double.IsNaN(packed) ? null : packed;
}
