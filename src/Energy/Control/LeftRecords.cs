using Harness.Common;

namespace Harness.Energy.Control;

/// <summary>
/// The records of limits that lie in run directories: of runs that were killed, or of other ranks of this one. Where two tell
/// different originals of a device, the older is right: the other was written while the device was changed.
/// </summary>
internal sealed class LeftRecords
{
    private readonly List<(string Path, RestoreState State)> _oldestFirst = [];

    /// <param name="directory">The run's own: a damaged record in it is an error, since what it told cannot be known.</param>
    /// <param name="others">Where other runs may have left some.</param>
    /// <exception cref="UserErrorException">A record of this run is damaged.</exception>
    public LeftRecords(string directory, IEnumerable<string> others)
    {
        Add(directory, mustBeWhole: true);
        foreach (var other in others)
            if (Path.GetFullPath(other) != Path.GetFullPath(directory)) Add(other, mustBeWhole: false);
        _oldestFirst = [.. _oldestFirst.OrderBy(record => File.GetLastWriteTimeUtc(record.Path))];
    }

    /// <summary>Damaged ones of other runs.</summary>
    public List<string> Unreadable { get; } = [];

    /// <summary>How a device was; null where no record tells. A GPU is its UUID, whatever its host is called.</summary>
    public RestoredDevice? Of(string uuid)
    {
        var all = _oldestFirst.SelectMany(record => record.State.Devices).Where(device => device.Uuid == uuid).ToList();
        return all.Count == 0 ? null : all[0] with { SmClockLocked = all.Any(device => device.SmClockLocked) };
    }

    /// <summary>Deletes those that tell of one of these devices, once everything that they tell of reads as it was.</summary>
    /// <param name="mine">UUIDs of the devices that were put back: what tells of others alone belongs to whoever sets those.</param>
    /// <param name="now">The power limit of a device, mW; null where it cannot be read here.</param>
    public void DeleteSettled(IReadOnlyCollection<string> mine, Func<string, uint?> now)
    {
        foreach (var (path, state) in _oldestFirst.ToList())
        {
            if (!state.Devices.Any(device => mine.Contains(device.Uuid))) continue;
            if (!state.Devices.All(device => Of(device.Uuid)!.PowerLimitMilliwatts is not { } limit || now(device.Uuid) == limit)) continue;
            if (TryDelete(path)) _oldestFirst.RemoveAll(record => record.Path == path);
        }
    }

    /// <returns>Whether it is gone; one that stays tells what is true.</returns>
    public static bool TryDelete(string path)
    {
        try
        {
            File.Delete(path);
            return true;
        }
        catch (DirectoryNotFoundException) { return true; }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { return false; }
    }

    private void Add(string directory, bool mustBeWhole)
    {
        string[] files;
        try { files = Directory.Exists(directory) ? Directory.GetFiles(directory, RestoreState.Pattern) : []; }
        catch (Exception e) when (!mustBeWhole && (e is IOException or UnauthorizedAccessException)) { return; }
        foreach (var file in files)
        {
            try { _oldestFirst.Add((file, RestoreState.Read(file))); }
            catch (UserErrorException e) when (!mustBeWhole) { Unreadable.Add(e.Message); }
            catch (UserErrorException) when (!File.Exists(file)) { }      // another rank has put its devices back meanwhile
        }
    }
}
