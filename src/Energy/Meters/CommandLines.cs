using System.Globalization;
using System.Text.RegularExpressions;
using Harness.Common;

namespace Harness.Energy.Meters;

/// <summary>One line of a program that is a meter: <c>[@SECONDS] [DOMAIN] J joules</c>, <c>W watts</c> or both.</summary>
/// <param name="UnixSeconds">When the value was current, in s since 1970 (UTC); null where it is when the line arrives.</param>
/// <param name="Domain">A scope, or one with a name of its own behind a dash (<c>cpu-0</c>); null for the node.</param>
internal readonly partial record struct CommandLine(double? UnixSeconds, string? Domain, double? Joules, double? Watts)
{
    public const string Form = "a line is 'J joules', 'W watts' or both, where '@SECONDS' may stand in front, and gpu, module, cpu, memory "
        + "or node";

    /// <returns>Null for what is no such line.</returns>
    public static CommandLine? Parse(string line)
    {
        var words = line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).AsSpan();
        var read = new CommandLine();
        if (words is [['@', ..] time, ..])
        {
            if (Number(time[1..]) is not { } seconds) return null;
            read = read with { UnixSeconds = seconds };
            words = words[1..];
        }
        if (words is [var name, ..] && name is not ("J" or "W"))
        {
            if (!Names().IsMatch(name)) return null;
            read = read with { Domain = name };
            words = words[1..];
        }
        if (words.Length is not (2 or 4)) return null;
        for (; words.Length > 0; words = words[2..])
        {
            if (Number(words[1]) is not { } value) return null;
            if (words[0] == "J" && read.Joules is null) read = read with { Joules = value };
            else if (words[0] == "W" && read.Watts is null) read = read with { Watts = value };
            else return null;
        }
        return read;
    }

    public DomainKind Kind => Domain == null ? DomainKind.Node
        : EnergyScopes.KindOf(EnumWord.Find<EnergyScope>(Domain.Split('-')[0]) ?? EnergyScope.Node);

    private static double? Number(string text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && double.IsFinite(value) ? value : null;

    [GeneratedRegex(@"^(gpu|module|cpu|memory|node)(-[A-Za-z0-9._-]+)?$", RegexOptions.CultureInvariant)]
    private static partial Regex Names();
}

/// <summary>
/// The readings of a program's lines. Which domains it has is known once the first comes again: a program tells all of them in turn. One
/// that names none has a node, known from its first line. Lines of one time may come several at once: each is a reading. Not thread-safe.
/// </summary>
/// <param name="unixSeconds">The machine's own time of day, in s since 1970 (UTC).</param>
internal sealed class CommandLines(IRunClock clock, Func<double> unixSeconds)
{
    /// <summary>A line's time may be ahead of this machine's by so much: to what clocks of one network agree.</summary>
    private const double MostSecondsAhead = 0.5;

    /// <summary>And behind it by so much: a later reading is of no use to a run that has ended.</summary>
    private const double MostSecondsBehind = 60;

    private readonly List<Told> _domains = [];

    /// <summary>Names and kinds, in the order in which they came first.</summary>
    public IReadOnlyList<(string Name, DomainKind Kind)> Domains => [.. _domains.Select(domain => (domain.Name, domain.Kind))];

    /// <summary>Every domain has come: a line of another one is not understood any more.</summary>
    public bool AreAllKnown { get; private set; }

    /// <summary>No more domains are waited for.</summary>
    public void Close() => AreAllKnown = true;

    /// <returns>What is wrong with the line; null where it was taken.</returns>
    public string? Take(string line)
    {
        if (CommandLine.Parse(line) is not { } read) return CommandLine.Form;
        if (read.Watts < 0) return "but nothing draws less than 0 W; see to its unit and its sign";
        var domain = _domains.Find(one => one.Name == (read.Domain ?? "node"));
        if (domain == null)
        {
            if (AreAllKnown) return $"but its domains were {string.Join(", ", _domains.Select(one => one.Name))}";
            _domains.Add(domain = new(read.Domain ?? "node", read.Kind));
            AreAllKnown = read.Domain == null;
        }
        else AreAllKnown = true;
        var seconds = clock.Seconds;
        if (read.UnixSeconds is { } told)
        {
            var behind = unixSeconds() - told;
            if (behind < -MostSecondsAhead || behind > MostSecondsBehind)
                return string.Create(CultureInfo.InvariantCulture,
                    $"whose time is {Math.Abs(behind):F1} s {(behind < 0 ? "ahead of" : "behind")} this machine's; let both follow ")
                    + "one clock (NTP)";
            seconds -= behind;
        }
        return domain.Take(seconds, read);
    }

    /// <summary>Of each domain the next reading that has not been read yet, else the latest.</summary>
    public void Read(Span<EnergyReading> readings)
    {
        for (var i = 0; i < readings.Length; i++) readings[i] = _domains[i].Next();
    }

    private sealed class Told(string name, DomainKind kind)
    {
        /// <summary>Lines that come at once, as of a rack's controller that hands on half a minute of them.</summary>
        private const int MostWaiting = 32;

        /// <summary>One time of day on the run's clock, from one line to the next: the two clocks are read one after the other.</summary>
        private const double SameSeconds = 1e-3;

        private readonly List<EnergyReading> _waiting = [];
        private EnergyReading _shown;
        private EnergyReading? _last;

        public string Name => name;
        public DomainKind Kind => kind;

        public string? Take(double seconds, in CommandLine line)
        {
            if (line.UnixSeconds != null && seconds - _last?.TimeSeconds is { } later and <= SameSeconds)
                return later < -SameSeconds ? "whose time is before that of the line before it" : null;     // an update that is told twice
            var reading = new EnergyReading
            {
                TimeSeconds = seconds,
                EnergyJoules = line.Joules ?? _last?.EnergyJoules,
                PowerWatts = line.Watts ?? _last?.PowerWatts,
                PowerField = line.Watts is null ? _last?.PowerField : PowerField.Unspecified,
            };
            _last = reading;
            if (line.UnixSeconds == null) _waiting.Clear();        // current now: what came before it is not wanted any more
            _waiting.Add(reading);
            if (_waiting.Count > MostWaiting)      // a program that tells more often than it is asked
                for (var i = _waiting.Count - 2; i >= 0; i -= 2) _waiting.RemoveAt(i);
            return null;
        }

        public EnergyReading Next()
        {
            if (_waiting.Count > 0)
            {
                _shown = _waiting[0];
                _waiting.RemoveAt(0);
            }
            return _shown;
        }
    }
}
