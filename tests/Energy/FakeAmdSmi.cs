using System.Diagnostics;
using Harness.Energy.AmdSmi;

namespace Harness.Tests.Energy;

/// <summary>The library with a script of its own, in a directory that stays as long as the test's.</summary>
internal sealed class FakeAmdSmi : IDisposable
{
    private static readonly Lazy<string?> s_compiled = new(() => NativeSource.Compile("FakeAmdSmi", "amdsmi.c"));

    public FakeAmdSmi(string root, string[] script)
    {
        if (s_compiled.Value is not { } compiled)
        {
            Assert.Ignore($"{NativeSource.NoCompiler}: not run");
            throw new UnreachableException();
        }
        var folder = Directory.CreateTempSubdirectory("harness-amdsmi-library-").FullName;
        var library = Path.Combine(folder, "libamd_smi.so");
        File.Copy(compiled, library);
        OriginSeconds = Stopwatch.GetTimestamp() / (double)Stopwatch.Frequency;
        File.WriteAllLines(Path.Combine(folder, "amdsmi.script"), [FormattableString.Invariant($"origin {OriginSeconds:R}"), .. script]);
        Places = new(library, Path.Combine(root, "devices"), Path.Combine(root, "kfd"));
        _folder = folder;
    }

    private readonly string _folder;

    public AmdSmiPlaces Places { get; }
    public double OriginSeconds { get; }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
