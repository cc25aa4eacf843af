using System.Text.Json.Serialization;
using Harness.Common;
using Harness.Energy;
using Harness.Energy.Accounting;
using Harness.Energy.Statistics;
using Harness.Runs.Records;

namespace Harness.Runs.Accounting;

/// <summary>
/// The energy figures of a whole run: of its pieces (<see cref="EnergyAccount"/>), added up. A run has one piece, or several
/// where it was cut off and continued; a repeat may lie in two of them.
/// </summary>
public sealed class RunAccount
{
    /// <summary>By their numbers, in order.</summary>
    public IReadOnlyList<(int Number, EnergyAccount Energy)> Pieces { get; }

    /// <param name="pieces">That an earlier one was cut off says nothing against it: the next went on.</param>
    public RunAccount(IEnumerable<PieceEvidence> pieces)
    {
        var ordered = pieces.OrderBy(piece => piece.Number).ToList();
        Pieces = [.. ordered.Select(piece =>
            (piece.Number, new EnergyAccount(piece == ordered[^1] ? piece.Evidence : piece.Evidence with { RanToEnd = true })))];
    }

    private IEnumerable<(EnergyAccount Energy, WindowEnergy Window)> Measured =>
        Pieces.SelectMany(piece => piece.Energy.Repeats.Select(repeat => (piece.Energy, repeat)));

    public double DurationSeconds => Measured.Sum(part => part.Window.Window.DurationSeconds);

    /// <summary>GPUs of the run, each once; of its largest piece where they differ.</summary>
    public int Gpus => Pieces.Max(piece => piece.Energy.Gpus);

    public string? GpuName => Pieces.Select(piece => piece.Energy.GpuName).FirstOrDefault(name => name != null);

    /// <summary>The measured repeats by number, each with all its parts added up.</summary>
    public IReadOnlyList<RepeatFigures> Repeats =>
    [
        .. from part in Measured
           group part by part.Window.Window.Repeat!.Value into parts
           orderby parts.Key
           let seconds = parts.Sum(part => part.Window.Window.DurationSeconds)
           let joules = Sum(parts.Select(part => part.Window.Joules))
           select new RepeatFigures(parts.Key, seconds, joules, Sum(parts.Select(part => part.Window.NetJoules)), seconds > 0
               ? joules / seconds : null,
               InvalidReason.Ordered(parts.SelectMany(part => part.Energy.Reasons(part.Window)))),
    ];

    /// <summary>Gives every row its share of its repeat's joules, and its repeat's validity.</summary>
    /// <param name="stepsOf">The steps of a piece; their rows are numbered over the whole run.</param>
    /// <returns>The rows with energy, in the same order, and what was shared in each piece's repeats.</returns>
    public (List<PromptRecord> Rows, List<Attribution?> Attributions) Fill(
        IReadOnlyList<PromptRecord> rows, Func<int, IEnumerable<Step>> stepsOf)
    {
        var filled = rows.ToList();
        var placesOf = Enumerable.Range(0, rows.Count).ToLookup(i => (rows[i].Piece, rows[i].Repeat));
        var attributions = new List<Attribution?>();
        foreach (var (number, energy) in Pieces)
        {
            var stepsIn = stepsOf(number).ToLookup(step => step.Repeat);
            foreach (var repeat in energy.Repeats)
            {
                var attribution = energy.Attribute(repeat.Window, [.. stepsIn[repeat.Window.Repeat!.Value]]);
                var reasons = energy.Reasons(repeat);
                attributions.Add(attribution);
                foreach (var i in placesOf[(number, repeat.Window.Repeat.Value)])
                    filled[i] = Fill(filled[i], attribution?.Of(i), repeat.Source, reasons);
            }
        }
        return (filled, attributions);
    }

    private static PromptRecord Fill(PromptRecord row, PromptEnergy? share, string? source, IReadOnlyList<string> reasons) => row with
    {
        EnergyJoules = share?.Joules,
        PrefillEnergyJoules = share?.PrefillJoules,
        DecodeEnergyJoules = share?.DecodeJoules,
        NetEnergyJoules = share?.NetJoules,
        EnergySource = share != null ? source : null,
        Valid = reasons.Count == 0,
        InvalidReasons = Joined(reasons),
    };

    /// <summary>The summary with what was measured: joules, where they come from, and whether they are valid.</summary>
    /// <param name="attributions">What was shared in each piece's repeats.</param>
    public SummaryRecord Describe(SummaryRecord run, IReadOnlyList<Attribution?> attributions) => run with
    {
        Energy = new()
        {
            Total = Sum(Measured.Select(part => part.Window.Joules)),
            Net = Sum(Measured.Select(part => part.Window.NetJoules)),
            IdleWatts = Measured.Select(part => part.Window.IdleWatts).FirstOrDefault(),
            Prefill = Sum(attributions.Select(a => a?.PrefillJoules)),
            Decode = Sum(attributions.Select(a => a?.DecodeJoules)),
            Unattributed = Sum(attributions.Select(a => a?.UnattributedJoules)),
            CounterVsPowerRatio = Sum(Counted(device => device.PowerJoules)) is > 0 and var integrated
                ? Sum(Counted(device => device.CounterJoules)) / integrated : null,
            Scopes = JoulesByScope.From(scope => Sum(Measured.Select(part => part.Window.JoulesOf(scope))), ReasonsBeside()),
        },
        EnergyScope = string.Join('+', Measured.Select(part => part.Window.Scope).OfType<string>().Distinct()) is { Length: > 0 } scope
            ? scope : null,
        EnergySource = string.Join('+', Measured.Select(part => part.Window.Source).OfType<string>().Distinct()) is { Length: > 0 } source
            ? source : null,
        Valid = Repeats.Count > 0 && Repeats.All(repeat => repeat.InvalidReasons.Count == 0),
        InvalidReasons = Repeats.Count == 0 ? InvalidReason.Interrupted : Joined(Repeats.SelectMany(repeat => repeat.InvalidReasons)),
    };

    /// <summary>Counted joules of the repeats by what ranks did; null where that is not known of one.</summary>
    public PhaseJoules? Phases => PhaseJoules.Sum(Measured.Select(part => part.Energy.Phases(part.Window.Window)));

    /// <summary>The figure of 'From Words to Watts'; null where a piece has none.</summary>
    public double? PaperJoules() => Sum(Pieces.Where(piece => piece.Energy.Repeats.Count > 0).Select(piece => piece.Energy.PaperJoules()));

    /// <summary>
    /// Joules per output token over the repeats, with its 95 % interval; null for fewer than two repeats or without energy.
    /// </summary>
    public ConfidenceInterval? JoulesPerToken(IEnumerable<PromptRecord> rows)
    {
        var values = JoulesPerTokenOf(rows).Values;
        return values.All(value => value != null) ? ConfidenceInterval.Of([.. values.OfType<double>()]) : null;
    }

    /// <summary>Of each repeat, by its number; null where its joules are not known, or it has no tokens.</summary>
    public IReadOnlyDictionary<int, double?> JoulesPerTokenOf(IEnumerable<PromptRecord> rows)
    {
        var tokens = rows.GroupBy(row => row.Repeat).ToDictionary(group => group.Key, group => group.Sum(row => (long)row.OutputTokens));
        return Repeats.ToDictionary(repeat => repeat.Repeat,
            repeat => tokens.GetValueOrDefault(repeat.Repeat) is > 0 and var count ? repeat.Joules / count : null);
    }

    /// <summary>As in the column <c>beside_invalid_reasons</c>.</summary>
    private string? ReasonsBeside() => string.Join(';', from scope in Enum.GetValues<EnergyScope>()
                                                        from reason in InvalidReason.Ordered(Measured.SelectMany(part =>
                                                            part.Energy.ReasonsBeside(part.Window, scope)))
                                                        select $"{EnumWord.Of(scope)}:{reason}") is { Length: > 0 } text
            ? text : null;

    private IEnumerable<double?> Counted(Func<DomainEnergy, double?> value) =>
        Measured.SelectMany(part => part.Window.Counted).Select(value);

    /// <inheritdoc cref="EnergyAccount.Sum"/>
    public static double? Sum(IEnumerable<double?> values) => EnergyAccount.Sum(values);

    private static string? Joined(IEnumerable<string> reasons) => InvalidReason.Join(reasons) is { Length: > 0 } text ? text : null;
}

/// <summary>One measured repeat as <c>energy.json</c> tells it.</summary>
public sealed record RepeatFigures(
    int Repeat,
    [property: JsonPropertyName("duration_s")] double DurationSeconds,
    [property: JsonPropertyName("energy_j")] double? Joules,
    [property: JsonPropertyName("net_energy_j")] double? NetJoules,
    [property: JsonPropertyName("average_power_w")] double? AverageWatts,
    IReadOnlyList<string> InvalidReasons);

/// <summary>The figures of <c>energy.json</c> that are of the whole run.</summary>
/// <param name="Phases">Of the repeats together.</param>
public sealed record EnergyFigures(IReadOnlyList<RepeatFigures> Repeats, ConfidenceInterval? EnergyPerOutputToken, PhaseJoules? Phases);
