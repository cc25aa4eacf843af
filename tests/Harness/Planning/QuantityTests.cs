using Harness.Common;
using Harness.Planning;

namespace Harness.Tests.Planning;

[TestFixture]
public sealed class QuantityTests
{
    [TestCase("32GB", 34_359_738_368)]
    [TestCase("32gb", 34_359_738_368)]
    [TestCase("32 GiB", 34_359_738_368)]
    [TestCase("0.5TiB", 549_755_813_888)]
    [TestCase("512MiB", 536_870_912)]
    [TestCase("31.75GiB", 34_091_302_912)]
    [TestCase("1e9", 1_000_000_000)]
    [TestCase("2000000B", 2_000_000)]
    public void Memory(string text, long bytes) => Assert.That(Quantity.Bytes(text, "--memory"), Is.EqualTo(bytes));

    [TestCase("900GB/s", 900e9)]
    [TestCase("2.039TB/s", 2.039e12)]
    [TestCase("9e11", 9e11)]
    [TestCase("9e11B/s", 9e11)]
    [TestCase("200Gbit/s", 25e9)]
    [TestCase("1GiB/s", 1_073_741_824)]
    public void Rates(string text, double rate) =>
        Assert.That(Quantity.BytesPerSecond(text, "--link"), Is.EqualTo(rate).Within(1e-12).Percent);

    [TestCase("125TFLOPS", 125e12)]
    [TestCase("1.979 PFLOP/s", 1.979e15)]
    [TestCase("500gflops", 5e11)]
    public void Operations(string text, double rate) =>
        Assert.That(Quantity.Flops(text, "--flops"), Is.EqualTo(rate).Within(1e-12).Percent);

    [TestCase("10us", 1e-5)]
    [TestCase("0.01ms", 1e-5)]
    [TestCase("5min", 300)]
    [TestCase("0", 0)]
    public void Times(string text, double seconds) =>
        Assert.That(Quantity.Seconds(text, "--link-latency"), Is.EqualTo(seconds).Within(1e-15));

    [TestCase("5%", 0.05)]
    [TestCase("0.05", 0.05)]
    [TestCase("0", 0)]
    public void Shares(string text, double share) => Assert.That(Quantity.Fraction(text, "--reserve"), Is.EqualTo(share).Within(1e-15));

    [TestCase("32XB")]
    [TestCase("GB")]
    [TestCase("-1GB")]
    [TestCase("0")]
    [TestCase("32", Description = "32 what?")]
    [TestCase("1e400")]
    [TestCase("32,5GB")]
    [TestCase("NaN")]
    [TestCase("")]
    public void WrongMemoryIsNamed(string text)
    {
        var error = Assert.Throws<UserErrorException>(() => Quantity.Bytes(text, "--memory"));
        Assert.That(error!.Message, Is.EqualTo($"--memory is '{text}', but at least a MiB, written as 32GB, 31.7GiB or 34359738368, is "
            + "expected"));
    }

    [TestCase("100Gb/s", Description = "bits or bytes?")]
    [TestCase("100GB", Description = "in what time?")]
    [TestCase("0GB/s")]
    public void WrongRatesAreNamed(string text)
    {
        var error = Assert.Throws<UserErrorException>(() => Quantity.BytesPerSecond(text, "--link"));
        Assert.That(error!.Message, Does.StartWith($"--link is '{text}', but bytes per second such as 900GB/s, 200Gbit/s"));
    }

    [Test]
    public void BytesForPeople()
    {
        Assert.That(Quantity.Text(34_359_738_368), Is.EqualTo("32.00 GiB"));
        Assert.That(Quantity.Text(286_261_248), Is.EqualTo("273.0 MiB"));
        Assert.That(Quantity.Text(12), Is.EqualTo("12 B"));
    }
}
