using System.Text.Json.Nodes;
using Harness.Common;
using Harness.Seams;
using Harness.TorchSharp.Loading;

namespace Harness.Tests.TorchSharp;

/// <summary>
/// Which libtorch is loaded, and what is said where none does: each in a process of its own, since one takes one libtorch.
/// </summary>
[Platform("Linux")]
[Parallelizable(ParallelScope.All), FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class LibTorchTests : IDisposable
{
    private readonly ScratchDirectory _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Test]
    public void TheOneOfThesePackagesIsTheOneThatTorchSharpWasMadeFor()
    {
        var loaded = TorchLibrary.Loaded;
        Assert.That(loaded.Version, Does.StartWith(LibTorch.MadeFor + "."));
        Assert.That(global::TorchSharp.torch.__version__, Does.StartWith(LibTorch.MadeFor + "."), "what the package says of itself");
        Assert.That((loaded.HasCuda, loaded.Cuda, loaded.Devices), Is.EqualTo((false, default(CudaVersion?), 0)));
        Assert.That(loaded.Folder, Is.EqualTo(TestLibTorch.Folder));
    }

    [Test]
    public void AProcessTakesOne()
    {
        var folder = TestLibTorch.Folder;
        Assert.That(LibTorch.Load(folder), Is.SameAs(TorchLibrary.Loaded));
        Assert.That(() => LibTorch.Load(_scratch.Path),
            Throws.TypeOf<UserErrorException>().With.Message.StartsWith(
            $"--libtorch '{_scratch.Path}': this process has loaded libtorch 2.10"));
    }

    /// <summary>The folder above it, and a link to it, are as good as the folder itself.</summary>
    [Test]
    public void DoctorLoadsIt()
    {
        Directory.CreateSymbolicLink(_scratch["lib"], TestLibTorch.Folder);
        foreach (var name in (string[])[TestLibTorch.Folder, _scratch.Path])
        {
            var (found, remedy) = Doctor("libtorch", "ok", "--libtorch", name);
            Assert.That(found, Does.StartWith("libtorch 2.10.0 for CPUs in /"));
            Assert.That(remedy, Is.Null);
            Assert.That(Doctor("backend torch", "ok", "--libtorch", name).Found,
                Is.EqualTo("computes on the CPU: libtorch 2.10.0 for CPUs knows no CUDA"));
        }
    }

    [Test]
    public void TheEnvironmentNamesItToo() =>
        Assert.That(Doctor("libtorch", "ok", [("HARNESS_Runtime__LibTorch", TestLibTorch.Folder)]).Found,
            Does.StartWith("libtorch 2.10.0"));

    [Test]
    public void TheLinkersPathIsEnough() =>
        Assert.That(Doctor("libtorch", "ok", [("LD_LIBRARY_PATH", TestLibTorch.Folder)]).Found, Does.StartWith("libtorch 2.10.0"));

    [Test]
    public void NoneIsSaidWithTheWaysToOne()
    {
        var (found, remedy) = Doctor("libtorch", "missing", [("LD_LIBRARY_PATH", "")]);
        Assert.That(found, Is.EqualTo("no libtorch: none is beside the program or on LD_LIBRARY_PATH"));
        Assert.That(remedy, Does.Contain("--libtorch").And.Contain("-p:LibTorch=cuda or cpu"));
    }

    [Test]
    public void AFolderWithoutOneIsNamed() =>
        Assert.That(Doctor("libtorch", "missing", "--libtorch", _scratch.Path).Found,
            Is.EqualTo($"--libtorch '{_scratch.Path}' has no libtorch_cpu.so"));

    [Test]
    public void AFileThatIsNoLibraryIsNamed()
    {
        foreach (var name in (string[])["libtorch.so", "libtorch_cpu.so", "libc10.so"])
            File.WriteAllText(_scratch[name], "version https://git-lfs");
        Assert.That(Doctor("libtorch", "missing", "--libtorch", _scratch.Path).Found,
            Does.StartWith($"libtorch in {_scratch.Path} does not load: ").And.Contain("libtorch.so"));
    }

    /// <summary>A libtorch without what TorchSharp's native part calls: the linker finds it at once, since it binds every symbol.</summary>
    [Test]
    public void AnotherVersionIsNamedWithTheSymbolThatItLacks()
    {
        var folder = TestLibTorch.Folder;   // ignores the test on a machine whose C library is too old for TorchSharp
        Assert.That(folder, Is.Not.Empty);
        Compiled.Library(_scratch["libc10.so"], "int a;", "-Wl,-soname,libc10.so");
        Compiled.Library(_scratch["libtorch_cpu.so"], "unsigned long aoti_torch_abi_version(void) { return 0x020b000000000000; }",
            "-Wl,-soname,libtorch_cpu.so");
        Compiled.Library(_scratch["libtorch.so"], "int b;", "-Wl,-soname,libtorch.so", "-Wl,--no-as-needed", _scratch["libtorch_cpu.so"],
            _scratch["libc10.so"], $"-Wl,-rpath,{_scratch.Path}");
        var (found, remedy) = Doctor("libtorch", "missing", "--libtorch", _scratch.Path);
        Assert.That(found, Does.Match($"^libtorch 2\\.11\\.0 in {_scratch.Path} lacks the symbol _Z\\w+, which TorchSharp 0\\.107\\.0 "
            + "needs$"));
        Assert.That(remedy, Does.Contain("libtorch 2.10"));
    }

    [Test]
    public void ACudaLibraryThatIsMissingIsNamed()
    {
        var runtime = Compiled.Library(_scratch["libcudart.so.13"], "int a(void) { return 1; }", "-Wl,-soname,libcudart.so.13");
        Compiled.Library(_scratch["libtorch_cuda.so"], "int a(void); int b(void) { return a(); }", runtime);
        Compiled.Library(_scratch["libtorch_cpu.so"], "int c;");
        File.Delete(runtime);
        var (found, remedy) = Doctor("libtorch", "missing", "--libtorch", _scratch.Path);
        Assert.That(found, Is.EqualTo($"libtorch in {_scratch.Path} needs libcudart.so.13, which is not found"));
        Assert.That(remedy, Does.Contain("LD_LIBRARY_PATH"));
    }

    /// <summary>The linker's own words, as glibc 2.36 gives them.</summary>
    [TestCase("/lib/x86_64-linux-gnu/libstdc++.so.6: version `GLIBCXX_3.4.32' not found (required by /x/libLibTorchSharp.so)",
        "X needs GLIBCXX_3.4.32, which /lib/x86_64-linux-gnu/libstdc++.so.6 does not have; put the lib64 folder of a newer GCC on "
            + "LD_LIBRARY_PATH (module load gcc/13), or run in a container")]
    [TestCase("/lib64/libc.so.6: version `GLIBC_2.34' not found (required by /x/libLibTorchSharp.so)",
        "X needs GLIBC_2.34, which /lib64/libc.so.6 does not have; run in a container")]
    [TestCase("/x/libLibTorchSharp.so: undefined symbol: _ZN2at4addE",
        "X lacks the symbol _ZN2at4addE, which TorchSharp 0.107.0 needs; take the version that it was made for, libtorch 2.10")]
    [TestCase("libcudnn.so.9: cannot open shared object file: No such file or directory",
        "X needs libcudnn.so.9, which is not found; load the module of that CUDA version")]
    [TestCase("libgomp.so.1: cannot open shared object file: No such file or directory",
        "X needs libgomp.so.1, which is not found; install it")]
    [TestCase("/x/libtorch.so: file too short", "X does not load: /x/libtorch.so: file too short; see 'ldd'")]
    public void TheLinkersWordsBecomeACauseAndARemedy(string linker, string line) =>
        Assert.That(LoadFailure.Of("X", linker).Message, Does.StartWith(line).And.Not.Contain("\n"));

    /// <summary>A driver without devices, one with a device and a libtorch that knows none, and none at all.</summary>
    [TestCase(null, "cpu: no CUDA device: libcuda.so.1 is not installed")]
    [TestCase("int cuInit(unsigned f) { return 0; } int cuDeviceGetCount(int *n) { *n = 0; return 0; }",
        "cpu: no CUDA device: the driver shows none (CUDA_VISIBLE_DEVICES is '')")]
    [TestCase("int cuInit(unsigned f) { return 999; } int cuDeviceGetCount(int *n) { return 1; }",
        "cpu: no CUDA device: the driver gives the error 999 (CUDA_VISIBLE_DEVICES is '')")]
    [TestCase("int cuInit(unsigned f) { return 0; } int cuDeviceGetCount(int *n) { *n = 1; return 0; }",
        "cpu: libtorch 2.10.0 for CPUs knows no CUDA")]
    public void AutoSaysWhyItIsNotTorch(string? driver, string reason)
    {
        if (driver != null) Compiled.Library(_scratch["libcuda.so.1"], driver);
        else if (System.Runtime.InteropServices.NativeLibrary.TryLoad("libcuda.so.1", out _))
            Assert.Ignore("this machine has a CUDA driver: its absence was not tried");
        Assert.That(Doctor("backend auto", "ok", [("LD_LIBRARY_PATH", _scratch.Path), ("CUDA_VISIBLE_DEVICES", "")], "--libtorch",
            TestLibTorch.Folder).Found, Is.EqualTo(reason));
    }

    [TestCase(12080, 12, "12.8")]
    [TestCase(13000, 13, "13.0")]
    [TestCase(11020, 11, "11.2")]
    public void VersionsOfCudaAreWrittenAsPeopleDo(int number, int major, string text) =>
        Assert.That((new CudaVersion(number).Major, new CudaVersion(number).ToString()), Is.EqualTo((major, text)));

    [Test]
    public void LoadedLibrariesAreFoundByTheirNames()
    {
        string[] maps = ["7f00-7f10 r-xp 00000000 08:01 99                 /opt/a b/libcudart.so.12.8.57",
            "7f20-7f30 rw-p 00000000 00:00 0 ", "7f40-7f50 r--p 00000000 08:01 3 [stack]"];
        Assert.That(LoadedLibraries.Of(maps, "libcudart.so"), Is.EqualTo("/opt/a b/libcudart.so.12.8.57"));
        Assert.That(LoadedLibraries.Of(maps, "libtorch_cuda.so"), Is.Null);
    }

    [Test]
    public void ARunSaysWhichBackendItTookAndWhy()
    {
        var folder = TestLibTorch.Folder;
        foreach (var (switches, backend, reason, library) in new (string[], string, string, bool)[]
        {
            (["--backend", "torch", "--libtorch", folder], "torch", "asked for", true),
            (["--backend", "cpu"], "cpu", "asked for", false),
        })
        {
            var result = HarnessProcess.Run(_scratch.Path,
                ["run", .. switches, "--limit", "1", "--max-new-tokens", "2", "--out", _scratch.Path, "--name", backend]);
            Assert.That(result.ExitCode, Is.Zero, result.Output);
            Assert.That(result.Error, Does.Contain($"backend {backend}: {reason}"));
            var manifest = JsonNode.Parse(File.ReadAllText(_scratch[backend, "manifest.json"]))!["backend"]!;
            Assert.That(((string)manifest["name"]!, (string)manifest["reason"]!, manifest["libtorch"] != null),
                Is.EqualTo((backend, reason, library)));
        }
    }

    private (string Found, string? Remedy) Doctor(string subject, string state, params string[] arguments) =>
        Doctor(subject, state, [], arguments);

    private (string Found, string? Remedy) Doctor(string subject, string state, (string, string)[] environment, params string[] arguments)
    {
        using var process = HarnessProcess.Start(_scratch.Path, ["doctor", "--format", "json", .. arguments], environment);
        var result = process.Wait();
        Assert.That(result.ExitCode, Is.Zero, result.Output + result.Error);
        var finding = JsonNode.Parse(result.Output)!["findings"]!.AsArray().Single(one => (string)one!["subject"]! == subject)!;
        Assert.That((string)finding["state"]!, Is.EqualTo(state), result.Output);
        return ((string)finding["found"]!, (string?)finding["remedy"]);
    }
}
