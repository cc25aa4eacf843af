using System.ComponentModel;
using System.Diagnostics;
using System.Text;

namespace Harness.Tests.TorchSharp;

/// <summary>What tests/gpu.sh calls right and wrong. The check itself takes minutes: tests/gpu.sh --pack DIR, then DIR/gpu.sh.</summary>
[Parallelizable]
internal sealed class GpuCheckTests
{
    private ScratchDirectory _scratch = null!;

    [SetUp]
    public void Begin() => _scratch = new();

    [TearDown]
    public void End() => _scratch.Dispose();

    [TestCase("403, 407, 261", true, "3 of 3 ids are the reference's")]
    [TestCase("403, 408, 261", false, "id 2 of 3 is 408, not 407")]
    [TestCase("403, 407", false, "2 ids, not 3")]
    [TestCase("403, 407, 261, 2", false, "4 ids, not 3")]
    public void IdsAreTheReferencesOrTheFirstThatIsNotIsNamed(string ids, bool right, string line)
    {
        var responses = _scratch.File("responses.jsonl", $"{{\"output_ids\": [{ids}]}}\n");
        var reference = _scratch.File("reference.json", "{\"prompt_ids\": [1], \"output_ids\": [403, 407, 261]}");
        Assert.That(Compare("ids", responses, reference), Is.EqualTo((right, line)));
    }

    [TestCase(0.75f, true, "largest difference of 2 × 2 logits 0.25, below 0.3")]
    [TestCase(0.5f, false, "largest difference of 2 × 2 logits is 0.5, not below 0.3")]
    [TestCase(float.NaN, false, "actual.npy: 1 of 4 values are not finite")]
    [TestCase(float.NegativeInfinity, false, "actual.npy: 1 of 4 values are not finite")]
    public void LogitsAreNumbersAndCloseWhereverTheyStand(float last, bool right, string line)
    {
        var (actual, expected) = (Npy("actual.npy", 2, 2, 3, -1, 0.5f, last), Npy("expected.npy", 2, 2, 3, -1, 0.5f, 1));
        var (wasRight, said) = Compare("logits", actual, expected, "0.3");
        Assert.That(wasRight, Is.EqualTo(right), said);
        Assert.That(said.Replace(_scratch.Path + '/', "", StringComparison.Ordinal), Is.EqualTo(line));
    }

    [Test]
    public void LogitsOfAnotherShapeAreWrong()
    {
        var (right, line) = Compare("logits", Npy("actual.npy", 1, 2, 3, -1), Npy("expected.npy", 2, 1, 3, -1), "1");
        Assert.That(right, Is.False);
        Assert.That(line, Does.Contain("1 × 2").And.Contain("2 × 1"));
    }

    /// <summary>Three layers of twelve roundings: a bound of √36 · 2^-8 = 0.0234. Values of 3 and 4 have the length 5.</summary>
    [TestCase(0.1f, true, "0.02, below 0.0234")]
    [TestCase(0.125f, false, "0.025, not below 0.0234")]
    public void SixteenBitsAreHeldToTheRoundingsOfTheModelsLayers(float off, bool right, string end)
    {
        var config = _scratch.File("config.json", "{\"num_hidden_layers\": 3}");
        var (wasRight, line) = Compare("rounding", Npy("actual.npy", 1, 2, 3 + off, 4), Npy("expected.npy", 1, 2, 3, 4), "8", config);
        Assert.That(wasRight, Is.EqualTo(right));
        Assert.That(line, Does.EndWith(end));
    }

    [TestCase("complete", "500", "100", true)]
    [TestCase("complete", "510", "100", false)]
    [TestCase("complete", "", "", false)]
    [TestCase("interrupted", "500", "100", false)]
    public void JoulesAreThoseOfTheMeter(string status, string joules, string watts, bool right)
    {
        var summary = _scratch.File("summary.csv",
            "status,duration_s,total_energy_j,energy_per_output_token_j,idle_power_w,counter_vs_power_ratio,valid,invalid_reasons\n"
            + $"{status},5,{joules},2.5,60,1.01,false,throttled;mig\n");
        var (wasRight, line) = Compare("energy", summary, watts);
        Assert.That(wasRight, Is.EqualTo(right), line);
        const string figures = "500.0 J in 5.00 s = 100.00 W, 2.5 J/token, idle 60.0 W, counter ÷ power 1.010, not valid: throttled;mig";
        if (right) Assert.That(line, Is.EqualTo(figures));
    }

    [TestCase("0.5", true)]
    [TestCase("nan", false)]
    [TestCase("0", false)]
    public void EveryCaseOfTheSpeedHasItsFigures(string ratio, bool right)
    {
        const string columns = "model,dtype,device,case,batch,context,seconds,tokens_per_s,limit_ratio,host_seconds,operations\n";
        var rows = string.Concat(new[] { "decode,1,128", "decode,8,128", "decode,64,128", "prefill,1,2048" }
            .Select(words => $"synthetic:tiny,bf16,\"CPU, 2 threads\",{words},0.02,50.0,{ratio},0.01,170\n"));
        var (wasRight, lines) = Compare("speed", _scratch.File("speed.csv", columns + rows));
        Assert.That(wasRight, Is.EqualTo(right), lines);
        const string first = "decode at batch 1: 50.0 tokens/s, 0.500 of the device's measured memory rate, host 50% of the time";
        if (right) Assert.That(lines, Does.StartWith($"synthetic:tiny bf16, {first}"));
    }

    [Test]
    public void ACaseThatIsNotThereIsNamed()
    {
        var rows = _scratch.File("speed.csv", "case,batch\ndecode,1\ndecode,64\nprefill,1\n");
        Assert.That(Compare("speed", rows), Is.EqualTo((false, $"{rows} has no decode at batch 8")));
    }

    /// <summary>A float32 matrix in NumPy's format 1.0.</summary>
    private string Npy(string name, int rows, int columns, params float[] values)
    {
        var header = $"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}".PadRight(117) + "\n";
        File.WriteAllBytes(_scratch[name],
            [0x93, .. "NUMPY"u8, 1, 0, (byte)header.Length, 0, .. Encoding.ASCII.GetBytes(header),
                .. values.SelectMany(BitConverter.GetBytes)]);
        return _scratch[name];
    }

    private static (bool Right, string Lines) Compare(params string[] arguments)
    {
        var start = new ProcessStartInfo("python3", [Path.Combine(SharedData.RepositoryRoot, "tests", "gpu", "compare.py"), .. arguments])
        {
            RedirectStandardOutput = true,
            StandardOutputEncoding = Encoding.UTF8,
        };
        start.Environment["PYTHONIOENCODING"] = "utf-8";
        try
        {
            using var process = Process.Start(start)!;
            var lines = process.StandardOutput.ReadToEnd().Trim();
            process.WaitForExit();
            return (process.ExitCode == 0, lines);
        }
        catch (Win32Exception)
        {
            Assert.Ignore("this machine has no python3: not run");
            throw;
        }
    }
}
