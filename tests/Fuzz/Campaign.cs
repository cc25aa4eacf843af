using System.Diagnostics;
using Harness.Common;

namespace Harness.Fuzz;

/// <summary>What came of the inputs of one target.</summary>
/// <param name="Refused">Inputs that a <see cref="UserErrorException"/> answered.</param>
/// <param name="Wordings">Different objections, their numbers and quoted values aside.</param>
/// <param name="Seconds">By the wall clock.</param>
internal sealed record Outcome(Target Target, ulong Seed, int Inputs, int Refused, int Wordings, double Seconds,
    IReadOnlyList<Finding> Findings);

/// <summary>
/// Gives a target inputs that are made from its seeds. The same seed and number of inputs give the same inputs on every machine: nothing
/// hangs on the time. An input whose objection is worded as none was before joins those that others are made from, and so does now and
/// then one that is read without an objection: that leads behind the first check without looking into the program.
/// </summary>
internal sealed class Campaign
{
    private const int MostKept = 200, OneInAccepted = 8, OneInRefused = 3, MostUnended = 3, LeastRoom = 1 << 16, RoomPerByte = 3;

    private readonly Target _target;
    private readonly ulong _seed;
    private readonly int _inputs;
    private readonly Limits _limits;
    private readonly SplitMix64 _random;
    private readonly List<byte[]> _read, _refusedOnes = [];
    private readonly int _seeds, _room;
    private readonly HashSet<string> _wordings = [];
    private readonly Dictionary<string, Finding> _findings = [];
    private int _begun, _refused;

    public Campaign(Target target, ulong seed, int inputs, Limits limits)
    {
        (_target, _seed, _inputs, _limits) = (target, seed, Math.Max(1, inputs / target.Cost), limits);
        _random = new(seed ^ target.Name.Aggregate(14_695_981_039_346_656_037, (hash, c) => (hash ^ c) * 1_099_511_628_211));
        _read = [.. target.Seeds()];
        _seeds = _read.Count;
        _room = Math.Max(LeastRoom, RoomPerByte * _read.Max(one => one.Length));
    }

    public Outcome Run()
    {
        var watch = Stopwatch.StartNew();
        for (var unended = 0; unended < MostUnended; unended++)
        {
            var scratch = new Scratch();
            if (new Worker(_target.Open(scratch), _limits, Next, Done).Join() is not { } endless)
            {
                scratch.Dispose();
                break;
            }
            Add(endless);
        }
        return new(_target, _seed, _begun, _refused, _wordings.Count, watch.Elapsed.TotalSeconds, [.. _findings.Values]);
    }

    /// <summary>The seeds as they are, then what is made of them.</summary>
    private byte[]? Next()
    {
        if (_begun >= _inputs) return null;
        var number = _begun++;
        return number < _seeds ? _read[number] : _target.Grammar.Mutate(Known(), Known(), _room, _random);
    }

    /// <summary>What is refused is changed less often: its first mistake hides what comes behind.</summary>
    private byte[] Known() => _random.Of(_refusedOnes.Count > 0 && _random.Index(OneInRefused) == 0 ? _refusedOnes : _read);

    private void Done(byte[] input, Finding? finding, string? objection)
    {
        if (finding != null) Add(finding);
        if (objection != null) _refused++;
        if (objection != null && _wordings.Add(Wording(objection))) Keep(input, _refusedOnes, 0);
        if (objection == null && finding == null && _random.Index(OneInAccepted) == 0) Keep(input, _read, _seeds);
    }

    /// <param name="always">How many of the first are never given up for another.</param>
    private void Keep(byte[] input, List<byte[]> known, int always)
    {
        if (known.Count < MostKept) known.Add(input);
        else known[always + _random.Index(known.Count - always)] = input;
    }

    private void Add(Finding finding)
    {
        if (!_findings.TryAdd(finding.Kind, finding)) _findings[finding.Kind].Count++;
    }

    /// <summary>Letters and blanks outside quotation marks.</summary>
    private static string Wording(string objection)
    {
        var isQuoted = false;
        return string.Concat(objection.Where(c =>
        {
            if (c is '\'' or '"') isQuoted = !isQuoted;
            return !isQuoted && (char.IsAsciiLetter(c) || c == ' ');
        }));
    }
}
