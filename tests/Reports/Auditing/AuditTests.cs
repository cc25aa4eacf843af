using System.Globalization;
using System.Text.Json;
using Harness.Common;
using Harness.Energy;
using Harness.Energy.Accounting;
using Harness.Energy.Records;
using Harness.Reports.Auditing;

namespace Harness.Tests.Reports.Auditing;

[TestFixture]
public sealed class AuditTests
{
    /// <summary>2026-09-11T04:00:00Z.</summary>
    private const double Then = 1789099200;

    private const string Reference = "gpu-telemetry-two-exporters.jsonl";

    private ScratchDirectory _scratch = null!;

    [SetUp]
    public void SetUp() => _scratch = new ScratchDirectory();

    [TearDown]
    public void TearDown() => _scratch.Dispose();

    private static AuditFindings Of(params string[] files) => Audit.Of(new(files, [], [], null));

    private static AuditFindings In(string window, params string[] files) => Audit.Of(new(files, [window], [], null));

    /// <summary>A line of nvidia-smi each second: 100 W, 110 W, 120 W, …, nothing that slows the device.</summary>
    private string Ramp(string name, int seconds, string device = "GPU-a") => _scratch.File(name,
        "timestamp, uuid, power.draw.instant [W], clocks_event_reasons.active\n"
        + string.Concat(Enumerable.Range(0, seconds + 1).Select(s => string.Create(CultureInfo.InvariantCulture,
            $"{DateTime.UnixEpoch.AddSeconds(Then + s):yyyy/MM/dd HH:mm:ss.fff}, {device}, {100 + 10 * s:F2} W, 0x0000000000000000\n"))));

    [Test]
    public void ADeviceThatTwoExportersSeeIsOneWithJoulesByCounterAndByPower()
    {
        var findings = Of(SharedData.Path("data", "reference", Reference));

        var window = findings.Windows.Single();
        var device = window.Devices.Single();
        Assert.That((device.Domain.Device, device.Sources), Is.EqualTo(("GPU-00000000-1111-2222-3333-444444444444", 2)));
        Assert.That(window.CounterJoules, Is.EqualTo(253.0).Within(0.05));
        Assert.That(window.PowerJoules, Is.EqualTo(282.9).Within(0.05));
        Assert.That(window.DurationSeconds, Is.EqualTo(3.0).Within(0.05));
        Assert.That(window.CounterPowerRatio, Is.EqualTo(253.0 / 282.9).Within(5e-4));
        Assert.That(window.InvalidReasons, Is.EqualTo(new[] { InvalidReason.Throttled, InvalidReason.CounterPowerMismatch }),
            "10.6 % apart, and nothing tells what slowed the device");
        Assert.That((device.UpdateIsBound, findings.Valid), Is.EqualTo((true, false)));
    }

    [Test]
    public void TheDocumentShowsWhatIsPrinted()
    {
        var file = SharedData.Path("data", "reference", Reference);
        var printed = AuditText.Of(Of(file)).Replace(file, Reference, StringComparison.Ordinal);
        WrittenDocument.MustHold(Path.Combine(SharedData.RepositoryRoot, "docs", "audit.md"), "reference", $"```\n{printed}```\n");
    }

    [Test]
    public void PowerIsIntegratedByTrapezoidsBetweenTheEdges()
    {
        var window = Of(Ramp("a.csv", 20)).Windows.Single();

        Assert.That(window.PowerJoules, Is.EqualTo(20 * (100 + 300) / 2).Within(1e-6));
        Assert.That((window.CounterJoules, window.Valid), Is.EqualTo(((double?)null, true)));
        Assert.That(window.Devices.Single().Figures.Source, Is.EqualTo("nvidia-smi_power_instant"));
    }

    [Test]
    public void AShortWindowHasFewerUpdatesThanEight()
    {
        var window = Of(Ramp("a.csv", 7)).Windows.Single();

        Assert.That(window.InvalidReasons, Is.EqualTo(new[] { InvalidReason.WindowTooShort }), "7 s of a sensor of 1 s");
    }

    [TestCase("2026-09-11T04:00:02..2026-09-11T04:00:12")]
    [TestCase("2..12")]
    public void AWindowIsCutOutOfTheRecording(string window)
    {
        var audited = In(window, Ramp("a.csv", 20)).Windows.Single();

        Assert.That((audited.DurationSeconds, audited.PowerJoules!.Value), Is.EqualTo((10.0, 10 * (120 + 220) / 2.0)).Within(1e-6));
    }

    [Test]
    public void AWindowBeyondTheRecordingHasNoJoules()
    {
        var audited = In("2..30", Ramp("a.csv", 20)).Windows.Single();

        Assert.That(audited.EnergyJoules, Is.Null);
        Assert.That(audited.InvalidReasons, Does.Contain(InvalidReason.MeterLost));
    }

    [Test]
    public void NodesAreAddedUpAndADeviceOfBothCountsOnce()
    {
        var window = Of(Ramp("a.csv", 20), Ramp("b.csv", 20, "GPU-b"), Ramp("c.csv", 20)).Windows.Single();

        Assert.That(window.Devices.Select(device => (device.Domain.Key, device.Sources)),
            Is.EqualTo(new[] { ("a/GPU-a", 2), ("b/GPU-b", 1) }));
        Assert.That(window.EnergyJoules, Is.EqualTo(8000).Within(1e-6));
    }

    [Test]
    public void LocalTimesMeetUtcOnlyWhereTheirZoneIsGiven()
    {
        var file = Ramp("a.csv", 20);
        const string window = "2026-09-11T02:00:02Z..2026-09-11T02:00:12Z";

        Assert.That(() => In(window, file), Throws.InstanceOf<UserErrorException>().With.Message.Contains("add --utc-offset"));
        var audited = Audit.Of(new([file], [window], [], TimeSpan.FromHours(2))).Windows.Single();
        Assert.That(audited.PowerJoules!.Value, Is.EqualTo(10 * (120 + 220) / 2.0).Within(1e-6));
    }

    [Test]
    public void AResultOfMlEnergyTellsItsWindows()
    {
        var result = _scratch.File("results.json", string.Create(CultureInfo.InvariantCulture,
            $$$"""
            { "timeline": {"benchmark_start_time": {{{Then}}}, "benchmark_end_time": {{{Then + 20}}},
            "steady_state_start_time": {{{Then + 2}}}, "steady_state_end_time": {{{Then + 12}}}, "power": { } } }
            """));
        var windows = Audit.Of(new([Ramp("a.csv", 20)], [], [result], TimeSpan.Zero)).Windows;

        Assert.That(windows.Select(window => (window.Name, Math.Round(window.PowerJoules!.Value, 6))),
            Is.EqualTo(new[] { ("steady_state", 1700.0), ("benchmark", 4000.0) }));
    }

    [Test]
    public void AResultOfVllmEndsToTheSecondWhichAShortWindowDoesNotBear()
    {
        var result = _scratch.File("vllm.json", """{"date": "20260911-040012", "duration": 10.0, "completed": 3}""");
        var window = Audit.Of(new([Ramp("a.csv", 20)], [], [result], null)).Windows.Single();

        Assert.That(window.PowerJoules!.Value, Is.EqualTo(1700).Within(1e-6));
        Assert.That(window.InvalidReasons, Is.EqualTo(new[] { InvalidReason.ClockOffset }), "a second of ten");
    }

    [Test]
    public void ResetsAreCountedAndTheirJoulesNotMadeUp()
    {
        var lines = Enumerable.Range(0, 21)
            .Select(s => (Time: Then + s, Millijoules: s < 10 ? 1_000_000 + 100_000 * s : 100_000 * s - 900_000))
            .Select(scrape => string.Create(CultureInfo.InvariantCulture,
                $"{scrape.Time}\nDCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{{gpu=\"0\",UUID=\"GPU-a\"}} {scrape.Millijoules}\n"));
        var findings = Of(_scratch.File("dcgm.prom", string.Concat(lines)));

        var device = findings.Windows.Single().Devices.Single();
        Assert.That((device.Resets, device.Figures.CounterJoules), Is.EqualTo((1, (double?)null)));
        Assert.That(findings.Windows.Single().InvalidReasons, Does.Contain(InvalidReason.CounterDecreased));
    }

    [Test]
    public void APauseIsAGap()
    {
        var whole = File.ReadAllLines(Ramp("a.csv", 40));
        var file = _scratch.File("b.csv", string.Join('\n', whole.Where((_, at) => at is < 10 or > 18)) + "\n");

        var window = Of(file).Windows.Single();
        Assert.That((window.Devices.Single().Figures.LongestGapSeconds, window.InvalidReasons),
            Is.EqualTo(((double?)10.0, new[] { InvalidReason.SampleGap })));
    }

    [Test]
    public void OurOwnRecordingIsJudgedInItsSecondsAndByItsWindows()
    {
        // a counter that updates every 100 ms by 20 J, read every 20 ms: 200 W
        var readings = Enumerable.Range(0, 501).Select(i => new EnergyReading
        {
            TimeSeconds = 5 + i * 0.02,
            EnergyJoules = 1000 + i / 5 * 20,
            PowerWatts = 200,
            PowerField = PowerField.Instant,
            ThrottleReasons = 0,
        }).ToArray();
        var file = _scratch["power.csv"];
        PowerRecords.Write(file, [new(new("n", "GPU-a", DomainKind.Gpu, "nvml"), 0, readings)]);
        var windows = _scratch.File("windows.jsonl",
            """{"window":{"window":"measured-1","kind":"measured","start_s":7,"end_s":12,"repeat":1},"devices":[]}""" + "\n");

        var window = Audit.Of(new([file], [], [windows], null)).Windows.Single();
        Assert.That((window.Name, window.Valid, window.Devices.Single().UpdateIsBound), Is.EqualTo(("measured-1", true, false)));
        Assert.That(window.Devices.Single().UpdateSeconds, Is.EqualTo(0.1).Within(1e-3));
        Assert.That(window.CounterJoules!.Value, Is.EqualTo(1000).Within(1));

        Assert.That(() => Of(file, Ramp("a.csv", 20)), Throws.InstanceOf<UserErrorException>().With.Message.Contains("audit it by itself"));
        Assert.That(() => Audit.Of(new([Ramp("a.csv", 20)], [], [windows], null)),
            Throws.InstanceOf<UserErrorException>().With.Message.Contains("on the clock of their run"));
    }

    [TestCase("5")]
    [TestCase("12..2")]
    [TestCase("2..2026-09-11T04:00:12")]
    [TestCase("a..b")]
    public void AWindowThatIsNoneIsRefused(string window) =>
        Assert.That(() => In(window, Ramp("a.csv", 20)), Throws.InstanceOf<UserErrorException>().With.Message.Contains(window));

    [TestCase("{}", "no window in it")]
    [TestCase("[1", "no JSON of a benchmark")]
    [TestCase("""{"date": "20260911-040012", "duration": 0}""", "ends at or before its start")]
    public void AResultWithoutAWindowIsRefused(string json, string expected)
    {
        var result = _scratch.File("r.json", json);
        Assert.That(() => Audit.Of(new([Ramp("a.csv", 20)], [], [result], null)),
            Throws.InstanceOf<UserErrorException>().With.Message.Contains(expected));
    }

    [Test]
    public void ProgramsReadTheSame()
    {
        using var json = JsonDocument.Parse(JsonSerializer.Serialize(Of(Ramp("a.csv", 20)), JsonRows.Document));

        var root = json.RootElement;
        Assert.That(root.GetProperty("valid").GetBoolean());
        Assert.That(root.GetProperty("windows")[0].GetProperty("power_joules").GetDouble(), Is.EqualTo(4000).Within(1e-6));
        Assert.That(root.GetProperty("recordings")[0].GetProperty("clock").GetString(), Is.EqualTo("local"));
    }
}
