using System.Text.Json;
using Harness.Energy;
using Harness.Energy.Clocks;
using Harness.Running;

namespace Harness.Tests.Running;

/// <summary>The line with which a rank's journal of readings begins.</summary>
internal sealed class EnergyReportTests
{
    private static readonly EnergyDomain s_gpu = new("node-1", "GPU-0", DomainKind.Gpu, "nvml");

    private static string Line() => JsonSerializer.Serialize(new EnergyReport(0, [new(s_gpu.Key, 0.02, 1, null, 0.001)], [s_gpu],
        [new(s_gpu) { ForeignProcesses = 0 }], new(1, 0, 0, null, 1, 0), new(ClockOffset.Zero, ClockOffset.Zero),
        DateTimeOffset.UnixEpoch));

    [Test]
    public void ALineThatIsWholeIsRead() =>
        Assert.That(EnergyReport.FromJournal(Line(), [])?.Domains, Is.EqualTo(new[] { s_gpu }));

    [TestCase("\"Domains\":[", "\"Domains\":[null,")]
    [TestCase("\"Facts\":[", "\"Facts\":[null,")]
    [TestCase("\"Sensors\":[", "\"Sensors\":[null,")]
    [TestCase("\"Start\":{", "\"Start\":null,\"x\":{")]
    [TestCase("\"Host\":\"node-1\"", "\"Host\":null")]
    [TestCase("\"Clock\":{", "\"x\":{")]
    public void ALineThatLacksSomethingIsNone(string there, string instead)
    {
        var line = Line();
        Assert.That(line, Does.Contain(there));
        Assert.That(EnergyReport.FromJournal(line.Replace(there, instead), []), Is.Null);
    }
}
