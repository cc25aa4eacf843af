using System.Diagnostics;
using System.Globalization;
using Harness.Common;

namespace Harness.Energy.Meters;

/// <summary>
/// A program that prints what a node draws, or parts of it, so that a rack PDU, a wall meter or a management controller can join. Every
/// line holds one or two pairs of a unit and a decimal number with a point: <c>J 15310.25</c> is a cumulative counter of joules (its origin
/// is free), <c>W 250.1</c> is power now and never negative, <c>J 15310.25 W 250.1</c> is both. Before them may stand the time at which the
/// value was current (<c>@1764381600.25</c>: seconds since 1970, UTC, by the machine's own clock), and what it is of: a scope, or one with
/// a name of its own (<c>cpu-0 W 120</c>, <c>gpu-3 J 7</c>; nothing: the node). A program with several domains tells all of them in turn.
/// Empty lines and lines that begin with <c>#</c> are skipped. A value without a time counts from the moment its line arrives. The meter is
/// lost when the program ends or prints anything else. The program must flush its output after each line; it is ended with the meter.
/// </summary>
public sealed class CommandMeter : IEnergyMeter
{
    private readonly IRunClock _clock;
    private readonly CommandLines _lines;
    private readonly Process _process;
    private readonly Lock _gate = new();
    private readonly ManualResetEventSlim _known = new();
    private readonly string _command;
    private string? _lost;

    private CommandMeter(IRunClock clock, string command, Process process)
    {
        (_clock, _command, _process) = (clock, command, process);
        _lines = new(clock, () => (DateTimeOffset.UtcNow - DateTimeOffset.UnixEpoch).TotalSeconds);
    }

    public IReadOnlyList<EnergyDomain> Domains { get; private set; } = [];

    public IReadOnlyList<string> Notices
    {
        get { lock (_gate) return _lost == null ? [] : [_lost]; }
    }

    /// <summary>
    /// Starts the program, without a shell: words are separated by blanks, and quotation marks hold blanks together. Waits
    /// for the first line, and where it names a domain until a domain comes again; where no line comes in
    /// <paramref name="patienceSeconds"/>, there is no meter, and the notice says so.
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
            meter = new CommandMeter(clock, command, Process.Start(start)!);
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new UserErrorException(
                $"command:{command}: the program '{words[0]}' cannot be started ({e.Message}); give its full path", e);
        }
        meter._process.StandardInput.Close();
        new Thread(meter.Listen) { IsBackground = true, Name = "command meter" }.Start();
        meter._known.Wait(TimeSpan.FromSeconds(patienceSeconds));
        if (meter.Notices.Count == 0 && meter.CloseDomains(host)) return meter;
        var notice = meter.Notices is [var first, ..] ? first
            : $"command:{command}: printed no reading within {patienceSeconds.ToString(CultureInfo.InvariantCulture)} s; does it flush "
            + "its output after each line?";
        meter.Dispose();
        return new NullMeter(notice);
    }

    public void Read(Span<EnergyReading> readings)
    {
        lock (_gate)
        {
            if (_lost == null) _lines.Read(readings);
            else readings.Fill(new EnergyReading { TimeSeconds = _clock.Seconds });
        }
    }

    public IReadOnlyList<DomainFacts> Inspect(IReadOnlyCollection<int> runProcessIds) =>
        [.. Domains.Select(DomainFacts.OfNumbersAlone)];

    private void Listen()
    {
        try
        {
            while (_process.StandardOutput.ReadLine() is { } line)
            {
                if (string.IsNullOrWhiteSpace(line) || line.StartsWith('#')) continue;
                string? wrong;
                lock (_gate) wrong = _lines.Take(line);
                if (wrong != null)
                {
                    Lose($"command:{_command}: printed '{line}'{(wrong == CommandLine.Form ? "; " : ", ")}{wrong}");
                    return;
                }
                if (_lines.AreAllKnown) _known.Set();
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
        _known.Set();
    }

    /// <returns>Whether there is any domain.</returns>
    private bool CloseDomains(string host)
    {
        lock (_gate)
        {
            _lines.Close();
            Domains = [.. _lines.Domains.Select(domain =>
                new EnergyDomain(host, domain.Name, domain.Kind, EnergyDomain.Program, _command))];
            return Domains.Count > 0;
        }
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
