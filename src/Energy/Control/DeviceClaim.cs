using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Harness.Common;

namespace Harness.Energy.Control;

/// <summary>
/// One process's hold on the settings of one device of this machine: a file that is locked for as long as the process lives, and
/// that says what the device was like. It lies in memory (<c>/run</c>), so that it goes with a restart of the machine, as the
/// settings do. A line per note; one that is not whole was never acted upon, since a note is on file before anything is set.
/// </summary>
/// <remarks>The kernel lets go of a lock, however a process ends. It is a lock of this machine, never of shared storage.</remarks>
internal sealed class DeviceClaim : IDisposable
{
    private static readonly Lazy<string?> s_directory = new(FindDirectory);

    private readonly FileStream _file;
    private readonly string _uuid;

    private DeviceClaim(FileStream file, string uuid) => (_file, _uuid) = (file, uuid);

    /// <summary>What a process that was killed left: how the device had been; null where it left nothing.</summary>
    public RestoredDevice? Left { get; private set; }

    public bool IsOf(string uuid) => uuid == _uuid;

    /// <param name="library">The driver's library: a UUID means something to that driver.</param>
    /// <param name="isHeld">Another process, or another part of this one, has the device.</param>
    /// <returns>Null as well where this machine has no place for such files.</returns>
    public static DeviceClaim? TryTake(string library, string uuid, out bool isHeld)
    {
        isHeld = false;
        if (PathOf(library, uuid) is not { } path) return null;
        while (true)
        {
            FileStream file;
            try { file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None); }
            catch (IOException) when (File.Exists(path))
            {
                isHeld = true;
                return null;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException) { return null; }
            if (File.Exists(path)) return new DeviceClaim(file, uuid) { Left = ReadLeft(file) };
            file.Dispose();     // whoever had it has let go of it just now, and of its name
        }
    }

    /// <summary>Puts on file how the device was, before it is changed.</summary>
    /// <exception cref="UserErrorException">There is no room for it.</exception>
    public void Note(RestoredDevice device)
    {
        try
        {
            _file.Position = _file.Length;
            _file.Write(Encoding.UTF8.GetBytes("\n" + JsonSerializer.Serialize(device) + "\n"));
            _file.Flush(flushToDisk: true);
        }
        catch (IOException e)
        {
            throw new UserErrorException($"{_file.Name}: the GPU's power limit cannot be written down ({e.Message.TrimEnd('.')}), "
                + "so none was set; free some space", e);
        }
    }

    /// <summary>The device is as it was.</summary>
    public void Settle()
    {
        try { _file.SetLength(0); }
        catch (IOException) { }     // its originals are those that the device has
        Dispose();
    }

    /// <summary>Lets go; what was noted stays.</summary>
    public void Dispose()
    {
        try
        {
            if (_file.CanRead && _file.Length == 0) File.Delete(_file.Name);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { }
        _file.Dispose();
    }

    /// <summary>Null where this machine has no place for it.</summary>
    private static string? PathOf(string library, string uuid)
    {
        var digest = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(library)))[..12];
        return s_directory.Value is not { } directory
            ? null : Path.Combine(directory, $"{string.Concat(uuid.Where(c => char.IsAsciiLetterOrDigit(c) || c == '-'))}.{digest}");
    }

    /// <summary>The limit of the first note, and whether any tells of a lock.</summary>
    private static RestoredDevice? ReadLeft(FileStream file)
    {
        using var text = new StreamReader(file, leaveOpen: true);
        RestoredDevice? left = null;
        while (text.ReadLine() is { } line)
        {
            try
            {
                if (line.Length == 0 || JsonSerializer.Deserialize<RestoredDevice>(line) is not { Uuid: not null } note) continue;
                left = left == null ? note : left with { SmClockLocked = left.SmClockLocked || note.SmClockLocked };
            }
            catch (JsonException) { }
        }
        return left;
    }

    /// <summary>
    /// Setting limits needs root, to whom /run is open; else a directory of this user's own, which nobody else can have put there.
    /// </summary>
    private static string? FindDirectory()
    {
        string[] places = OperatingSystem.IsLinux() ? ["/run/harness", Path.Combine(Path.GetTempPath(), $"harness-{Environment.UserName}")]
            : [Path.Combine(Path.GetTempPath(), $"harness-{Environment.UserName}")];
        foreach (var place in places)
        {
            try
            {
                Directory.CreateDirectory(place);
                // refused to all but the owner
                if (!OperatingSystem.IsWindows())
                    File.SetUnixFileMode(place, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
                return place;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException) { }
        }
        return null;
    }
}
