using System.Runtime.InteropServices;
using Harness.Common;
using Harness.TorchSharp.Loading;

namespace Harness.Tests.TorchSharp;

/// <summary>A needed symbol version made weak, judged by the linker of this machine.</summary>
[Platform("Linux")]
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class SharedObjectTests : IDisposable
{
    private const string Provides = "int old(void) { return 1; } int recent(void) { return 2; }";

    private readonly ScratchDirectory _scratch = new();

    public void Dispose() => _scratch.Dispose();

    /// <summary>As GCC 13 does with the standard streams: the symbol is in the file's table, and nothing refers to it.</summary>
    [Test]
    public void AVersionThatIsNamedAndNotUsedIsDoneWithout()
    {
        var user = User("__asm__(\".globl recent\"); int old(void); int ask(void) { return 41 + old(); }");
        Assert.That(DynamicLinker.Load(user, out var error), Is.EqualTo((nint)0));
        Assert.That(LoadFailure.VersionOf(error), Is.EqualTo("PART_2"), error);

        var bytes = File.ReadAllBytes(user);
        Assert.That(SharedObject.Weaken(bytes, "PART_2"), Is.True);
        Assert.That(bytes.Zip(File.ReadAllBytes(user)).Count(pair => pair.First != pair.Second), Is.EqualTo(1), "one byte is another");
        File.WriteAllBytes(user, bytes);
        var handle = DynamicLinker.Load(user, out error);
        Assert.That(handle, Is.Not.EqualTo((nint)0), error);
        Assert.That(Marshal.GetDelegateForFunctionPointer<Ask>(NativeLibrary.GetExport(handle, "ask"))(), Is.EqualTo(42));
    }

    [Test]
    public void ASymbolThatIsUsedIsStillFoundMissing()
    {
        var user = User("int recent(void); int ask(void) { return recent(); }");
        var bytes = File.ReadAllBytes(user);
        Assert.That(SharedObject.Weaken(bytes, "PART_2"), Is.True);
        File.WriteAllBytes(user, bytes);
        Assert.That(DynamicLinker.Load(user, out var error), Is.EqualTo((nint)0));
        Assert.That(error, Does.Contain("undefined symbol: recent"));
    }

    [Test]
    public void WhatNeedsNoSuchVersionIsLeftAsItIs()
    {
        var file = File.ReadAllBytes(Compiled.Library(_scratch["libplain.so"], Provides));
        foreach (var bytes in (byte[][])[file, file[..64], file[..(file.Length / 2)], [], [.. "not an ELF file"u8],
            [.. "\u007fELF\u0002\u0001"u8, .. new byte[100]]])
        {
            var copy = bytes.ToArray();
            Assert.That(SharedObject.Weaken(copy, "PART_2"), Is.False);
            Assert.That(copy, Is.EqualTo(bytes));
        }
    }

    /// <summary>A library that was linked against a newer one than the machine has.</summary>
    private string User(string source)
    {
        var part = _scratch["libpart.so"];
        File.WriteAllText(_scratch["both.map"], "PART_1 { global: old; local: *; };\nPART_2 { global: recent; } PART_1;\n");
        File.WriteAllText(_scratch["first.map"], "PART_1 { global: old; local: *; };\n");
        Compiled.Library(part, Provides, $"-Wl,--version-script={_scratch["both.map"]}", "-Wl,-soname,libpart.so");
        var user = Compiled.Library(_scratch["libuser.so"], source, part, $"-Wl,-rpath,{_scratch.Path}");
        Compiled.Library(part, Provides, $"-Wl,--version-script={_scratch["first.map"]}", "-Wl,-soname,libpart.so");
        return user;
    }

    private delegate int Ask();
}
