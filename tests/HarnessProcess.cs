using System.Collections;
using System.Diagnostics;
using System.Text;

namespace Harness.Tests;

/// <summary>What a finished process left.</summary>
internal sealed record HarnessResult(int ExitCode, string Output, string Error);

/// <summary>
/// The executable as people start it: <c>dotnet harness.dll …</c>, a child process with a time limit, in a working directory and
/// an environment without HARNESS_ or launcher variables of its parent.
/// </summary>
internal sealed class HarnessProcess : IDisposable
{
    /// <summary>Far above what any test takes, so that a loaded machine fails none.</summary>
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(5);

    private static readonly string[] s_foreign = ["HARNESS_", "OMPI_", "PMI_", "PMIX_", "SLURM_", "MPI_LOCALRANKID", "HYDI_"];

    private readonly Process _process;
    private readonly StringBuilder _output = new(), _error = new();
    private readonly string _command;

    private HarnessProcess(ProcessStartInfo start)
    {
        _command = string.Join(' ', start.ArgumentList);
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => Take(_output, line.Data);
        _process.ErrorDataReceived += (_, line) => Take(_error, line.Data);
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public bool HasExited => _process.HasExited;

    public int Id => _process.Id;

    /// <param name="environment">Variables of the child's own.</param>
    public static HarnessProcess Start(string workingDirectory, IEnumerable<string> arguments,
        params (string Name, string Value)[] environment) =>
        StartFrom(AppContext.BaseDirectory, workingDirectory, arguments, environment);

    /// <param name="program">The directory of the executable.</param>
    /// <param name="environment">Variables of the child's own.</param>
    public static HarnessProcess StartFrom(
        string program, string workingDirectory, IEnumerable<string> arguments, params (string Name, string Value)[] environment) =>
        // env gives signals their default action, which a parent in the background, or nohup, may have taken away for good.
        StartBehind(["env", "--default-signal=INT,HUP"], program, workingDirectory, arguments, environment);

    /// <summary>As <c>nohup</c> starts a program: SIGHUP is ignored.</summary>
    public static HarnessProcess StartUnderNohup(string workingDirectory, IEnumerable<string> arguments) =>
        StartBehind(["env", "--default-signal=INT", "--ignore-signal=HUP"], AppContext.BaseDirectory, workingDirectory, arguments, []);

    private static HarnessProcess StartBehind(string[] first, string program, string workingDirectory, IEnumerable<string> arguments,
        (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(first[0])
        {
            WorkingDirectory = workingDirectory,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
            StandardErrorEncoding = Encoding.UTF8,
        };
        string[] command = [.. first[1..], "dotnet", Path.Combine(program, "harness.dll"), .. arguments];
        foreach (var argument in command) start.ArgumentList.Add(argument);
        foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables())
            if (s_foreign.Any(((string)variable.Key).StartsWith)) start.Environment.Remove((string)variable.Key);
        foreach (var (name, value) in environment) start.Environment[name] = value;
        return new(start);
    }

    public static HarnessResult Run(string workingDirectory, params string[] arguments)
    {
        using var process = Start(workingDirectory, arguments);
        return process.Wait();
    }

    public HarnessResult Wait()
    {
        if (!_process.WaitForExit(s_limit)) Assert.Fail($"harness {_command} did not end within {s_limit}: {Result(-1)}");
        _process.WaitForExit();         // until both streams have been read to their ends
        return Result(_process.ExitCode);
    }

    /// <summary>Processes that it has started and that still run.</summary>
    public IEnumerable<int> Children =>
        from task in Directory.GetDirectories($"/proc/{_process.Id}/task")
        from child in File.ReadAllText(Path.Combine(task, "children")).Split(' ', StringSplitOptions.RemoveEmptyEntries)
        select int.Parse(child, System.Globalization.CultureInfo.InvariantCulture);

    /// <param name="name">INT, TERM, USR1.</param>
    /// <param name="children">To the processes that it has started too, as a terminal sends it to all in the foreground.</param>
    public void Signal(string name, bool children = false)
    {
        int[] all = [_process.Id, .. children ? Children : []];
        using var kill = Process.Start("kill",
            [$"-{name}", .. all.Select(id => id.ToString(System.Globalization.CultureInfo.InvariantCulture))]);
        kill.WaitForExit();
        Assert.That(kill.ExitCode, Is.Zero, "the process is still there");
    }

    public void Dispose()
    {
        if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        _process.Dispose();
    }

    private HarnessResult Result(int exitCode)
    {
        lock (_output)
            lock (_error) return new(exitCode, _output.ToString(), _error.ToString());
    }

    private static void Take(StringBuilder text, string? line)
    {
        lock (text)
            if (line != null) text.Append(line).Append('\n');
    }
}
