using System.Globalization;
using Harness.Common;
using Harness.Energy;
using Harness.Energy.Control;
using Harness.Sharding;
using Harness.Sharding.Launch;

namespace Harness.Running;

/// <summary>
/// The devices of one power setting from the moment they are changed until they are back as they were, whichever way out is
/// taken: in order, by an exception, or where the world is aborted and no <c>finally</c> runs. Every rank makes it together.
/// </summary>
internal sealed class CellDevices : IDisposable
{
    private readonly ICommunicator _world;
    private readonly PowerControl? _control;
    private readonly IDisposable? _lastAct;
    private string[] _originals;

    /// <summary>Why the setting cannot be measured, in one line, equal on every rank; null where it can.</summary>
    public string? Refusal { get; }

    /// <summary>The run was told to end before anything was set; equal on every rank.</summary>
    public bool IsEnding { get; }

    /// <exception cref="UserErrorException">On every rank: another run has a device, or what it was like cannot be known or written
    /// down.</exception>
    public CellDevices(PowerCell cell, RankModel model, RankEnergy energy, string directory)
    {
        _world = model.World;
        _originals = [.. Enumerable.Repeat("", _world.Size)];
        if (cell.ChangesNothing) return;
        var owned = Owned(energy.Meter);
        if (!_world.Any(owned.Count > 0))
        {
            Refusal = "no rank measures a GPU whose limits it could set; use --meter nvml";
            return;
        }
        if (owned.Count > 0)
            _control = PowerControl.Open(energy.Meter, [.. owned.Select(domain => domain.Key)],
                Path.Combine(directory, PowerControl.FileName(_world.Rank)), OtherRuns(directory), Say);
        var neighbours = Neighbour.Others(_world, [.. owned.Select(domain => domain.Device)]);
        _lastAct = LastActs.Add(() =>
        {
            _control?.Dispose();
            LastActs.Warn([.. neighbours.Select(one => one.Process)], () =>
                !neighbours.SelectMany(one => one.Devices).Any(PowerControl.IsSetElsewhere));
            foreach (var problem in neighbours.SelectMany(one => PowerControl.PutBackInPlaceOf(_originals[one.Rank], directory)))
                Say(problem);
        });
        try
        {
            var result = LaunchChecks.OnEveryRank(_world, () => Apply(cell));
            _originals = _world.AllTexts(_control?.Originals() ?? "");
            IsEnding = _world.Any(result.Outcome == ControlOutcome.Ending);
            if (!IsEnding) Refusal = _world.AllTexts(result.Message).FirstOrDefault(text => text.Length > 0);
            // What one rank has set is not kept for the sake of a cell that another rank refuses.
            if (IsEnding || Refusal != null) PutBack();
        }
        catch
        {
            // On every rank alike, so that each puts back its own.
            Dispose();
            _lastAct.Dispose();
            throw;
        }
    }

    /// <summary>Before anything is written: whatever the storage does, the devices are back.</summary>
    /// <returns>Whether all of every rank's devices are as they were; what is not has been said.</returns>
    public bool PutBack()
    {
        var problems = _control?.Restore() ?? [];
        foreach (var problem in problems) Say(problem);
        if (_world.Any(problems.Count > 0)) return false;
        _lastAct?.Dispose();
        return true;
    }

    /// <summary>
    /// Puts back this rank's own. Where an exception brought it here, the other ranks' are still as the setting made them: the last act
    /// stays, to be performed before the world is aborted.
    /// </summary>
    public void Dispose() => _control?.Dispose();

    private ControlResult Apply(PowerCell cell)
    {
        try { return _control == null ? new(ControlOutcome.Applied) : cell.Apply(_control); }
        catch (UserErrorException e) { throw new UserErrorException(e.Message, e); }
    }

    /// <summary>Devices of which this rank is the lowest that reads them: it alone changes their limits. A GPU is its UUID.</summary>
    private List<EnergyDomain> Owned(IEnergyMeter meter)
    {
        List<EnergyDomain> gpus = [.. meter.Domains.Where(domain => domain.Kind == DomainKind.Gpu)];
        var lower = _world.AllTexts(string.Join('\n', gpus.Select(domain => domain.Device))).Take(_world.Rank)
            .SelectMany(text => text.Split('\n')).ToHashSet();
        return [.. gpus.Where(domain => !lower.Contains(domain.Device))];
    }

    /// <summary>Runs that were killed lie beside this one.</summary>
    private static IEnumerable<string> OtherRuns(string directory)
    {
        try { return Directory.GetDirectories(Path.GetDirectoryName(Path.GetFullPath(directory))!); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { return []; }
    }

    /// <summary>On whatever rank, and also where the run directory is gone: a device that stays changed is somebody else's.</summary>
    private static void Say(string line) => Console.Error.WriteLine($"harness: {line}");

    /// <param name="Devices">UUIDs of those that it sets.</param>
    private sealed record Neighbour(int Rank, int Process, string[] Devices)
    {
        /// <summary>The processes of other ranks that set devices where process ids mean what they mean here. A collective call.</summary>
        public static List<Neighbour> Others(ICommunicator world, string[] devices)
        {
            var place = Machine.ProcessPlace;
            var all = world.AllTexts(string.Join('\n', [place, Environment.ProcessId.ToString(CultureInfo.InvariantCulture), .. devices]))
                .Select(text => text.Split('\n'));
            return [.. all.Select((one, rank) => (Texts: one, Rank: rank))
                .Where(one => one.Texts.Length > 2 && place.Length > 0 && one.Texts[0] == place)
                .Select(one => new Neighbour(one.Rank, int.Parse(one.Texts[1], CultureInfo.InvariantCulture), one.Texts[2..]))
                .Where(one => one.Process != Environment.ProcessId)];
        }
    }
}
