using System.Diagnostics;
using System.Globalization;
using Harness.Common;

namespace Harness.Energy.Meters;

/// <summary>
/// A program that prints what a node draws, so that a rack PDU or a wall meter can join. Every line holds one or two pairs
/// of a unit and a decimal number with a point: <c>J 15310.25</c> is a cumulative counter of joules (its origin is free),
/// <c>W 250.1</c> is power now and never negative, <c>J 15310.25 W 250.1</c> is both. Empty lines and lines that begin with <c>#</c> are
/// skipped. A value counts from the moment its line arrives. The meter is lost when the program ends or prints anything
/// else. The program must flush its output after each line; it is ended with the meter.
/// </summary>
public sealed class CommandMeter : IEnergyMeter
{
    private readonly IRunClock _clock;
    private readonly Process _process;
    private readonly Lock _gate = new();
    private readonly ManualResetEventSlim _first = new();
    private readonly string _command;
    private EnergyReading _latest;
    private string? _lost;

    private CommandMeter(string host, IRunClock clock, string command, Process process)
    {
        (_clock, _command, _process) = (clock, command, process);
        Domains = [new EnergyDomain(host, "node", DomainKind.Node, EnergyDomain.Program, command)];
    }

    public IReadOnlyList<EnergyDomain> Domains { get; }

    public IReadOnlyList<string> Notices
    {
        get { lock (_gate) return _lost == null ? [] : [_lost]; }
    }

    /// <summary>
    /// Starts the program, without a shell: words are separated by blanks, and quotation marks hold blanks together. Waits
    /// for the first line; where none comes in <paramref name="patienceSeconds"/>, there is no meter, and the notice says so.
    /// </summary>
    /// <exception cref="UserErrorException">The program cannot be started.</exception>
    public static IEnergyMeter Open(string host, IRunClock clock, string command, double patienceSeconds = 10)
    {
        var words = SplitWords(command);
        if (words.Count == 0) throw new UserErrorException("command: needs a program, e.g. 'command:./read-pdu --outlet 4'");
        var start = new ProcessStartInfo(words[0], words.Skip(1)) { RedirectStandardOutput = true, RedirectStandardInput = true };
        CommandMeter meter;
        try
        {
            meter = new CommandMeter(host, clock, command, Process.Start(start)!);
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new UserErrorException(
                $"command:{command}: the program '{words[0]}' cannot be started ({e.Message}); give its full path", e);
        }
        meter._process.StandardInput.Close();
        new Thread(meter.Listen) { IsBackground = true, Name = "command meter" }.Start();
        if (meter._first.Wait(TimeSpan.FromSeconds(patienceSeconds)) && meter.Notices.Count == 0) return meter;
        var notice = meter.Notices is [var first, ..] ? first
            : $"command:{command}: printed no reading within {patienceSeconds.ToString(CultureInfo.InvariantCulture)} s; does it flush "
            + "its output after each line?";
        meter.Dispose();
        return new NullMeter(notice);
    }

    public void Read(Span<EnergyReading> readings)
    {
        lock (_gate) readings[0] = _lost == null ? _latest : new EnergyReading { TimeSeconds = _clock.Seconds };
    }

    public IReadOnlyList<DomainFacts> Inspect(IReadOnlyCollection<int> runProcessIds) =>
        [.. Domains.Select(DomainFacts.NotApplicable)];

    private void Listen()
    {
        try
        {
            while (_process.StandardOutput.ReadLine() is { } line)
            {
                if (string.IsNullOrWhiteSpace(line) || line.StartsWith('#')) continue;
                if (!TryParse(line, out var joules, out var watts))
                {
                    Lose($"command:{_command}: printed '{line}'; a line is 'J joules', 'W watts' or both");
                    return;
                }
                if (watts < 0)
                {
                    Lose($"command:{_command}: printed '{line}', but nothing draws less than 0 W; see to its unit and its sign");
                    return;
                }
                lock (_gate)
                {
                    _latest = new EnergyReading
                    {
                        TimeSeconds = _clock.Seconds,
                        EnergyJoules = joules ?? _latest.EnergyJoules,
                        PowerWatts = watts ?? _latest.PowerWatts,
                        PowerField = watts is null ? _latest.PowerField : PowerField.Unspecified,
                    };
                }
                _first.Set();
            }
            Lose($"command:{_command}: the program ended, and the meter with it");
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or InvalidOperationException)
        {
            Lose($"command:{_command}: {e.Message}");
        }
    }

    private void Lose(string why)
    {
        lock (_gate) _lost = why;
        _first.Set();
    }

    internal static bool TryParse(string line, out double? joules, out double? watts)
    {
        (joules, watts) = (null, null);
        var words = line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        if (words.Length is not (2 or 4)) return false;
        for (var i = 0; i < words.Length; i += 2)
        {
            if (!double.TryParse(words[i + 1], NumberStyles.Float, CultureInfo.InvariantCulture, out var value) || !double.IsFinite(value))
                return false;
            if (words[i] == "J" && joules is null) joules = value;
            else if (words[i] == "W" && watts is null) watts = value;
            else return false;
        }
        return true;
    }

    internal static List<string> SplitWords(string command)
    {
        var words = new List<string>();
        var word = new System.Text.StringBuilder();
        var (quoted, begun) = (false, false);
        foreach (var c in command)
        {
            if (c == '"') (quoted, begun) = (!quoted, true);
            else if (char.IsWhiteSpace(c) && !quoted)
            {
                if (begun) words.Add(word.ToString());
                word.Clear();
                begun = false;
            }
            else
            {
                word.Append(c);
                begun = true;
            }
        }
        if (begun) words.Add(word.ToString());
        return words;
    }

    public void Dispose()
    {
        try
        {
            if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        }
        catch (Exception e) when (e is InvalidOperationException or System.ComponentModel.Win32Exception)
        {
            // it ended by itself between the question and the kill
        }
        _process.WaitForExit(2000);
        _process.Dispose();
    }
}
