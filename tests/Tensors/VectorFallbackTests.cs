using System.Diagnostics;
using System.Runtime.Intrinsics.X86;
using Harness.Tensors.Cpu;

namespace Harness.Tests.Tensors;

/// <summary>The kernels on a processor that lacks wider vectors, as the runtime pretends in a process of its own.</summary>
[Parallelizable]
internal sealed class VectorFallbackTests
{
    private const string ExpectedWidest = "HARNESS_TEST_WIDEST_VECTOR";

    [TestCase("DOTNET_EnableAVX512", VectorWidth.Bits256)]
    [TestCase("DOTNET_EnableAVX2", VectorWidth.Bits128)]
    [TestCase("DOTNET_EnableHWIntrinsic", VectorWidth.Bits128)]
    public void TheContractHoldsWithoutWiderVectors(string setting, VectorWidth widest)
    {
        if (!X86Base.IsSupported) Assert.Ignore("the runtime's settings for narrower vectors are those of x86: not run");
        if (VectorWidths.Widest <= widest && setting != "DOTNET_EnableHWIntrinsic")
            Assert.Ignore($"this processor has no vectors of more than {(int)widest} bits that could be switched off: not run");
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var word in new[]
        {
            "vstest", typeof(VectorFallbackTests).Assembly.Location,
            $"--TestCaseFilter:FullyQualifiedName~{nameof(TheWidestVectorIsTheExpectedOne)}"
                + $"|(FullyQualifiedName~CpuBackendContractTests&FullyQualifiedName~{widest}&(FullyQualifiedName~Stacked|FullyQualifiedName~Subnormal"
                + "|FullyQualifiedName~StaysFinite|FullyQualifiedName~Sliding|FullyQualifiedName~RmsNorm|FullyQualifiedName~InIndexOrder))|FullyQualifiedName~Int8Tests",
        }) start.ArgumentList.Add(word);
        start.Environment[setting] = "0";
        start.Environment[ExpectedWidest] = widest.ToString();
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.That(process.ExitCode, Is.Zero, output + errors.Result);
        Assert.That(output, Does.Match("Passed: +([3-9][0-9]|[1-9][0-9]{2})\\b"), "dozens of tests ran");
    }

    [Test]
    public void TheWidestVectorIsTheExpectedOne()
    {
        var expected = Environment.GetEnvironmentVariable(ExpectedWidest)
            ?? (Avx512BW.IsSupported ? VectorWidth.Bits512 : Fma.IsSupported ? VectorWidth.Bits256 : VectorWidth.Bits128).ToString();
        Assert.That(VectorWidths.Widest.ToString(), Is.EqualTo(expected));
    }
}
