using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Harness.Common;
using Harness.Diagnosing;
using Harness.Verbs;

namespace Harness.Tests.Diagnosing;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class DoctorTests : IDisposable
{
    private readonly ScratchDirectory _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Test]
    public void TheDefaultJobCanRunWhereTheseTestsDo()
    {
        var findings = Doctor.Examine(new Places { Output = _scratch["results"] });
        Assert.That(Doctor.CanRun(findings), Is.True, string.Join('\n', findings));
        Assert.That(findings.Where(f => f.State == FindingState.Missing && string.IsNullOrEmpty(f.Remedy)), Is.Empty);
        Assert.That(findings.Select(f => f.Subject),
            Is.SupersetOf(new[] { "backend cpu", "libtorch", "backend auto", "communicator mpinet", "tokenizer library ml", "demo model",
            "output directory", "shared storage", "clock", "launcher", "NCCL" }));
        Assert.That(Directory.EnumerateFileSystemEntries(_scratch.Path), Is.Empty, "what was tried is removed");
    }

    [Test]
    public void TheProcessorsThreadsAreNamed() =>
        Assert.That(Single(Software.CpuBackend()).Found, Does.Contain($"{Environment.ProcessorCount} thread"));

    [Test]
    public void AMissingDemoModelFailsTheDefaultJob()
    {
        var findings = Doctor.Examine(new Places { Output = _scratch.Path, DemoModel = _scratch["none"] });
        Assert.That(Doctor.CanRun(findings), Is.False);
        var failed = findings.Single(f => f.State == FindingState.Failed);
        Assert.That(failed.Subject, Is.EqualTo("demo model"));
        Assert.That(failed.Remedy, Is.Not.Empty);
        Assert.That(failed.Found, Does.Contain(_scratch["none"]));
    }

    [Test]
    public void AFileInPlaceOfTheOutputDirectoryFailsTheDefaultJob()
    {
        File.WriteAllText(_scratch["taken"], "");
        var findings = Doctor.Examine(new Places { Output = _scratch["taken", "results"] });
        var failed = findings.Single(f => f.State == FindingState.Failed);
        Assert.That(failed, Is.EqualTo(new Finding("output directory", FindingState.Failed, $"{_scratch["taken"]} is a file, not a "
            + "directory", "choose another directory with --out")));
    }

    [Test]
    public void ADirectoryThatMayNotBeWrittenIsNamed()
    {
        var findings = Doctor.Guarded("output directory", FindingState.Failed, () => Storage.Examine("/proc/harness"));
        Assert.That(findings.Single().State, Is.EqualTo(FindingState.Failed));
        Assert.That(findings.Single().Found, Does.StartWith("/proc/harness cannot be written"));
        Assert.That(findings.Single().Remedy, Does.Contain("--out"));
    }

    [Test]
    public void WhatThrowsIsAFinding()
    {
        var finding = Doctor.Guarded("x", FindingState.Missing, () => throw new InvalidDataException("two\nlines")).Single();
        Assert.That(finding,
            Is.EqualTo(new Finding("x", FindingState.Missing, "could not be examined: InvalidDataException: two lines",
            "please report it")));
    }

    [Test]
    public void LibrariesThatAreNotThereAreNamedWithTheirRemedies()
    {
        Finding[] findings =
        [
            Single(Messaging.Nccl("/no/such/libnccl.so.2")),
            Single(Messaging.Mpi(["/no/such/libmpi.so", "/nor/libmpich.so"])),
            Single(Meters.Nvml("/no/such/libnvidia-ml.so.1")),
        ];
        Assert.That(findings.Select(f => f.State), Has.All.EqualTo(FindingState.Missing));
        Assert.That(findings.Select(f => f.Found), Is.EqualTo(new[]
        {
            "/no/such/libnccl.so.2 is not found or not loadable",
            "none of /no/such/libmpi.so, /nor/libmpich.so is installed",
            "NVML: /no/such/libnvidia-ml.so.1 was not found or not loadable",
        }));
        Assert.That(findings.Select(f => f.Remedy), Has.All.Contains("install"));
    }

    [Test]
    public void LibrariesOfAnotherKindAreNoMistakes()
    {
        Assert.That(Single(Messaging.Nccl("libm.so.6")).Found, Is.EqualTo("libm.so.6 has no ncclGetVersion: it is not NCCL"));
        Assert.That(Single(Messaging.Mpi(["libm.so.6"])).Found,
            Does.StartWith("'libm.so.6' has no MPI_").And.EndsWith("it is not an MPI library"));
    }

    /// <summary>The versions are compared with those that the packages' own programs print.</summary>
    [TestCase("libmpi.so.40", "Open MPI", "ompi_info")]
    [TestCase("libmpich.so.12", "MPICH", "mpichversion")]
    public void EachMpiSaysItsVersionAndAbi(string name, string abi, string program)
    {
        if (!NativeLibrary.TryLoad(name, out _)) Assert.Ignore($"{name} is not installed: not run");
        var finding = Single(Messaging.Mpi([name, name]));
        Assert.That((finding.Subject, finding.State), Is.EqualTo(($"MPI {name}", FindingState.Ok)));
        Assert.That(finding.Found, Does.StartWith($"{abi} ABI: "));
        if (Printed(program) is { } text)
            Assert.That(text, Does.Contain(System.Text.RegularExpressions.Regex.Match(finding.Found, @"\d+\.\d+\.\d+").Value));
    }

    [Test]
    public void RaplZonesAreListed()
    {
        var zone = Directory.CreateDirectory(_scratch["intel-rapl:0"]).FullName;
        File.WriteAllText(Path.Combine(zone, "name"), "package-0\n");
        File.WriteAllText(Path.Combine(zone, "energy_uj"), "5000000\n");
        File.WriteAllText(Path.Combine(zone, "max_energy_range_uj"), "262143328850\n");
        Assert.That(Single(Meters.Rapl(_scratch.Path)), Is.EqualTo(Finding.Ok("RAPL package-0", "energy counter")));
        Assert.That(Single(Meters.Rapl(_scratch["empty"])).State, Is.EqualTo(FindingState.Missing));
    }

    [Test]
    public void MpiNetIsUsableWhereALibraryOfItsAbiIs()
    {
        Assert.That(Single(Messaging.MpiNet(["libm.so.6"])).State, Is.EqualTo(FindingState.Missing));
        if (!NativeLibrary.TryLoad("libmpich.so.12", out _)) Assert.Ignore("libmpich.so.12 is not installed: not run");
        Assert.That(Single(Messaging.MpiNet(["libm.so.6", "libmpich.so.12"])),
            Is.EqualTo(Finding.Ok("communicator mpinet", "MPI.NET over libmpich.so.12")));
    }

    [Test]
    public void JsonHoldsTheSame()
    {
        using var text = new StringWriter();
        var code = DoctorVerb.Create().Parse(["--out", _scratch.Path, "--format", "json"]).Invoke(new() { Output = text });
        var json = JsonNode.Parse(text.ToString())!;
        Assert.That((code, (bool)json["can_run_default_job"]!), Is.EqualTo((0, true)));
        var findings = json["findings"]!.AsArray();
        Assert.That(findings, Has.Count.EqualTo(Doctor.Examine(new Places { Output = _scratch.Path }).Count));
        Assert.That(findings.Select(f => (string)f!["state"]!).Distinct(), Is.SubsetOf(new[] { "ok", "missing" }));
    }

    [Test]
    public void TheTableHoldsALineForEachAndARemedyForEachMissing()
    {
        using var text = new StringWriter();
        Assert.That(DoctorVerb.Create().Parse(["--out", _scratch.Path]).Invoke(new() { Output = text }), Is.Zero);
        var lines = text.ToString().Split('\n');
        Assert.That(lines.Count(l => l.StartsWith("missing  ", StringComparison.Ordinal)), Is.EqualTo(lines.Count(l => l.Contains('→'))));
        Assert.That(lines, Has.One.EqualTo("harness run works here"));
    }

    [Test]
    public void AnUnknownFormatIsRefused() =>
        Assert.That(() => DoctorVerb.Create().Parse(["--format", "xml"]).Invoke(new() { EnableDefaultExceptionHandler = false }),
            Throws.TypeOf<UserErrorException>().With.Message.EqualTo("--format is 'xml', but table or json is expected"));

    private static Finding Single(IEnumerable<Finding> findings) => findings.Single();

    private static string? Printed(string program)
    {
        try
        {
            using var process = System.Diagnostics.Process.Start(
                new System.Diagnostics.ProcessStartInfo(program) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            return process.StandardOutput.ReadToEnd();
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }
}
