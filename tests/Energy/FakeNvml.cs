using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

namespace Harness.Tests.Energy;

/// <summary>
/// The fake NVML library (FakeNvml/nvml.c), compiled once with the system's compiler and installed with a script into a
/// directory of its own, where it keeps its state too. Without a compiler the tests that need it are not run.
/// </summary>
public sealed class FakeNvml : IDisposable
{
    private static readonly Lazy<string?> s_compiled = new(() => NativeSource.Compile("FakeNvml", "nvml.c"));

    private readonly string[] _script;

    /// <param name="script">Lines of nvml.script; <c>origin</c> is added: second 0 of the curves is now.</param>
    public FakeNvml(params string[] script)
    {
        if (s_compiled.Value is not { } library)
        {
            Assert.Ignore($"{NativeSource.NoCompiler}: not run");
            throw new UnreachableException();
        }
        _script = script;
        Folder = Directory.CreateTempSubdirectory("harness-nvml-").FullName;
        Library = Path.Combine(Folder, "libnvidia-ml.so.1");
        File.Copy(library, Library);
        OriginSeconds = Stopwatch.GetTimestamp() / (double)Stopwatch.Frequency;
        WriteScript();
    }

    /// <summary>Where the library, its state and whatever a test records lie.</summary>
    public string Folder { get; }
    public string Library { get; }

    /// <summary>CLOCK_MONOTONIC at second 0 of the curves.</summary>
    public double OriginSeconds { get; }

    /// <summary>Power limit in mW and locked clock in MHz (0: unlocked) as all processes see them; null when never set.</summary>
    public (int LimitMilliwatts, int LockedMhz)? State(string uuid)
    {
        var path = Path.Combine(Folder, $"nvml.state-{uuid}");
        if (!File.Exists(path)) return null;
        var numbers = File.ReadAllText(path).Split(' ').Select(n => int.Parse(n, CultureInfo.InvariantCulture)).ToArray();
        return (numbers[0], numbers[1]);
    }

    /// <summary>From now on every reading of a device with <c>fail_on_file 1</c> says that the GPU is lost.</summary>
    public void Fail(string uuid) => File.WriteAllText(Path.Combine(Folder, $"nvml.fail-{uuid}"), "");

    /// <summary>As if somebody else had set a device so; clock in MHz, 0: not locked.</summary>
    public void Set(string uuid, int limitMilliwatts, int lockedMhz = 0) =>
        File.WriteAllText(Path.Combine(Folder, $"nvml.state-{uuid}"),
            string.Create(CultureInfo.InvariantCulture, $"{limitMilliwatts} {lockedMhz}\n"));

    /// <summary>
    /// From now on changes of a device return this code and change nothing (0: they are said to have been made); null: they are made
    /// again.
    /// </summary>
    public void Refuse(string uuid, int? code)
    {
        var path = Path.Combine(Folder, $"nvml.refuse-{uuid}");
        if (code is { } number) File.WriteAllText(path, number.ToString(CultureInfo.InvariantCulture));
        else File.Delete(path);
    }

    /// <summary>Accepted changes, one line each.</summary>
    public string[] Log() => File.Exists(Path.Combine(Folder, "nvml.log")) ? File.ReadAllLines(Path.Combine(Folder, "nvml.log")) : [];

    private void WriteScript() => File.WriteAllLines(Path.Combine(Folder, "nvml.script"),
        [FormattableString.Invariant($"origin {OriginSeconds:R}"), .. _script]);

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}

/// <summary>Stand-ins for libraries of drivers, in C, built once with the system's compiler.</summary>
internal static class NativeSource
{
    public const string NoCompiler = "this machine has no C compiler (cc, gcc or clang) to build the stand-ins for drivers' libraries";

    /// <returns>The shared library; null where there is no compiler.</returns>
    public static string? Compile(string folder, string file)
    {
        var source = Path.Combine(AppContext.BaseDirectory, "Energy", folder, file);
        var output = Path.Combine(Directory.CreateTempSubdirectory($"harness-{folder}-").FullName, "library.so");
        foreach (var compiler in (string[])["cc", "gcc", "clang"])
        {
            try
            {
                var (code, text) = Processes.Run(compiler, ["-shared", "-fPIC", "-O2", "-o", output, source, "-lm", "-ldl", "-lpthread"]);
                Assert.That(code, Is.Zero, text);
                return output;
            }
            catch (Win32Exception)
            {
                // not installed under this name
            }
        }
        return null;
    }
}

/// <summary>Child processes with their output.</summary>
internal static class Processes
{
    public static ProcessStartInfo Start(string program, IEnumerable<string> arguments, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment) start.Environment[name] = value;
        return start;
    }

    /// <summary>Runs to the end; fails the test after a minute.</summary>
    public static (int ExitCode, string Output) Run(string program, IEnumerable<string> arguments,
        params (string Name, string Value)[] environment)
    {
        using var process = Process.Start(Start(program, arguments, environment))!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEndAsync();
        if (!process.WaitForExit(60_000))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"{program} did not end within a minute");
        }
        return (process.ExitCode, output.Result + errors.Result);
    }

    /// <summary>The probe of tests/EnergyProbe with the arguments of its own.</summary>
    public static string[] Probe(params string[] arguments) => [Path.Combine(AppContext.BaseDirectory, "EnergyProbe.dll"), .. arguments];
}
