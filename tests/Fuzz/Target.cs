using Harness.Common;

namespace Harness.Fuzz;

/// <summary>
/// One parser: where inputs begin, how they are changed, and what reads them. A new parser is one row of <see cref="Targets"/>.
/// </summary>
/// <param name="Name">On the command line and of its folder of inputs.</param>
/// <param name="Grammar">How its inputs are changed so that they get past the first byte.</param>
/// <param name="Seeds">Inputs that are read without an objection.</param>
/// <param name="Open">
/// Makes the entry: bytes in, nothing or a <see cref="UserErrorException"/> out. The directory is the entry's own.
/// </param>
internal sealed record Target(string Name, Grammar Grammar, Func<IReadOnlyList<byte[]>> Seeds, Func<Scratch, Action<byte[]>> Open)
{
    /// <summary>How many inputs of the cheapest targets take as long as one of this: it gets as many times fewer.</summary>
    public int Cost { get; init; } = 1;

    public override string ToString() => Name;
}

/// <summary>A directory of one entry's own, gone with it.</summary>
internal sealed class Scratch : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("harness-fuzz-").FullName;

    public string this[params string[] parts] => System.IO.Path.Combine([Path, .. parts]);

    /// <returns>Where the file lies, with these bytes alone in it.</returns>
    public string Write(string name, ReadOnlySpan<byte> content)
    {
        var path = this[name];
        File.WriteAllBytes(path, content);
        return path;
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
