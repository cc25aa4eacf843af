using Harness.Common;
using Harness.Energy;
using Harness.Energy.Meters;
using Harness.Energy.Recordings;

namespace Harness.Tests.Energy;

/// <summary>What other programs write, in the forms of their own documents and of public recordings.</summary>
[TestFixture]
public sealed class RecordingFileTests
{
    /// <summary>2026-09-11T04:19:41Z.</summary>
    private const double Then = 1789100381;

    private ScratchDirectory _scratch = null!;

    [SetUp]
    public void SetUp() => _scratch = new ScratchDirectory();

    [TearDown]
    public void TearDown() => _scratch.Dispose();

    private Recording Read(string text, string name = "node-1.txt") => RecordingFile.Read(_scratch.File(name, text));

    private static EnergyReading At(double seconds) => new() { TimeSeconds = seconds };

    [Test]
    public void NvidiaSmiTellsUnitsInItsHeaderAndCellsAndMayHaveNothingToTell()
    {
        var read = Read("""
            timestamp, uuid, power.draw [W], power.draw.instant [W], temperature.gpu, clocks.current.sm [MHz], clocks_event_reasons.active, memory.used [MiB], name, mig.mode.current
            2026/09/11 04:19:41.500, GPU-a, 180.00 W, 187.80 W, 33, 120 MHz, 0x0000000000000001, 2 MiB, NVIDIA H100, Disabled
            2026/09/11 04:19:41.504, GPU-b, 190.00 W, [N/A], 39, 120 MHz, 0x0000000000000000, 0 MiB, NVIDIA H100, [N/A]
            2026/09/11 04:19:42.500, GPU-a, 900.00 W, [Unknown Error], [N/A], 1965 MHz, [N/A], 2 MiB, NVIDIA H100, Disabled
            2026/09/11 04:19:42.504, GPU-b, 191.5, 1 kW, 39, 120, 0x8, 0, NVIDIA H100, [N/A]

            """);

        Assert.That((read.Format, read.Clock), Is.EqualTo(("nvidia-smi CSV", RecordedClock.Local)));
        Assert.That(read.Series.Select(series => series.Domain), Is.EqualTo(new[]
        {
            new EnergyDomain("node-1", "GPU-a", DomainKind.Gpu, "nvidia-smi", "NVIDIA H100"),
            new EnergyDomain("node-1", "GPU-b", DomainKind.Gpu, "nvidia-smi", "NVIDIA H100"),
        }));
        Assert.That(read.Series[0].Readings, Is.EqualTo(new[]
        {
            At(Then + 0.5) with
            {
                PowerWatts = 187.8, PowerField = PowerField.Instant, TemperatureCelsius = 33, SmClockMhz = 120, ThrottleReasons = 1,
                MemoryUsedBytes = 2 << 20,
            },
            At(Then + 1.5) with { SmClockMhz = 1965, MemoryUsedBytes = 2 << 20 },
        }), "the power that a device began with counts throughout");
        Assert.That(read.Series[1].Readings.Select(reading => (reading.PowerWatts, reading.PowerField)), Is.EqualTo(new[]
        {
            (190.0, PowerField.Unspecified), ((double?)191.5, (PowerField?)PowerField.Unspecified),
        }));
        Assert.That(read.Facts.Select(fact => (fact.Domain.Device, fact.MigEnabled)), Is.EqualTo(new[] { ("GPU-a", (bool?)false) }));
    }

    [Test]
    public void DevicesMayBeToldByTheirNumberAloneAndAFileMayBeGoneOnWith()
    {
        var read = Read("""
            index, power.draw.average [W], timestamp
            1, 100.5, 2026/09/11 04:19:41.000
            index, power.draw.average [W], timestamp
            1, 101.5, 2026/09/11 04:19:42.000
            """);

        var one = read.Series.Single();
        Assert.That(one.Domain.Key, Is.EqualTo("node-1/gpu-1"));
        Assert.That(one.Readings, Is.EqualTo(new[]
        {
            At(Then) with { PowerWatts = 100.5, PowerField = PowerField.Average1s },
            At(Then + 1) with { PowerWatts = 101.5, PowerField = PowerField.Average1s },
        }));
    }

    [Test]
    public void AmdSmiCountsJoulesAndQuotesItsLists()
    {
        var read = Read("""
            timestamp,gpu,xcp,vcn_activity,socket_power,throttle_status,gfx_0_clk,hotspot,total_energy_consumption
            1789100381,0,0,"['N/A', 'N/A']",238,UNTHROTTLED,1404,40,1000.125
            1789100381,0,1,"['N/A', 'N/A']",N/A,N/A,N/A,N/A,N/A
            1789100382,0,0,"['N/A', 'N/A']",240,THROTTLED,1404,N/A,1239.5
            """);

        Assert.That((read.Format, read.Clock), Is.EqualTo(("amd-smi CSV", RecordedClock.Utc)));
        Assert.That(read.Series.Single().Readings, Is.EqualTo(new[]
        {
            At(Then) with
            {
                PowerWatts = 238, PowerField = PowerField.Unspecified, EnergyJoules = 1000.125, SmClockMhz = 1404, TemperatureCelsius = 40,
                ThrottleReasons = 0,
            },
            At(Then + 1) with { PowerWatts = 240, PowerField = PowerField.Unspecified, EnergyJoules = 1239.5, SmClockMhz = 1404 },
        }), "a partition of the device has no figures of its own; which limit held it back is not told");
    }

    [Test]
    public void TheDcgmExporterCountsMillijoulesAndHasItsTimeInALineBefore()
    {
        const string labels = """gpu="0",UUID="GPU-a",modelName="Tesla T4",Hostname="node \"7\"" """;
        var read = Read($$"""
            1789100381.25
            # HELP DCGM_FI_DEV_POWER_USAGE Power draw (in W).
            # TYPE DCGM_FI_DEV_POWER_USAGE gauge
            DCGM_FI_DEV_POWER_USAGE{{{labels}}} 68.244000
            DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{{{labels}}} 15152422938
            # 2026-09-11T06:19:42.25+02:00
            DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{{{labels}}} 15152492938
            DCGM_FI_DEV_POWER_USAGE{{{labels}}} NaN

            """);

        var one = read.Series.Single();
        Assert.That(one.Domain, Is.EqualTo(new EnergyDomain("node \"7\"", "GPU-a", DomainKind.Gpu, "dcgm", "Tesla T4")));
        Assert.That(one.Readings, Is.EqualTo(new[]
        {
            At(Then + 0.25) with { PowerWatts = 68.244, PowerField = PowerField.Unspecified, EnergyJoules = 15152422938 * 1e-3 },
            At(Then + 1.25) with { EnergyJoules = 15152492938 * 1e-3 },
        }));
    }

    [Test]
    public void SlicesOfOneDeviceShowTheWhole()
    {
        var read = Read("""
            # 1789100381
            DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{gpu="0",UUID="GPU-a",GPU_I_ID="3"} 257858316
            DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{gpu="0",UUID="GPU-a",GPU_I_ID="4"} 257858316

            """);

        Assert.That(read.Series.Single().Readings.Single().EnergyJoules, Is.EqualTo(257858.316));
        Assert.That(read.Facts.Single().MigEnabled, Is.True);
    }

    [Test]
    public void AmdsExporterCountsMicrojoulesAndSamplesMayBearTheirTimes()
    {
        const string labels = """gpu_id="0",card_model="Instinct MI300X",serial_number="SN-0",hostname="node-a" """;
        var read = Read($$"""
            gpu_energy_consumed{{{labels}}} 1.4e12 1789100381500
            gpu_package_power{{{labels}}} 748 1789100381500
            gpu_energy_consumed{{{labels}}} 1.4e12 1789100382500

            """);

        var one = read.Series.Single();
        Assert.That(one.Domain, Is.EqualTo(new EnergyDomain("node-a", "SN-0", DomainKind.Gpu, "amd-exporter", "Instinct MI300X")));
        Assert.That(one.Readings, Is.EqualTo(new[]
        {
            At(Then + 0.5) with { PowerWatts = 748, PowerField = PowerField.Instant, EnergyJoules = 1.4e6 },
            At(Then + 1.5) with { EnergyJoules = 1.4e6 },
        }));
    }

    private const string Telemetry =
        """
        {"timestamp_ns": 1789100381500000000, "gpu_index": 0, "gpu_uuid": "GPU-a", "gpu_model_name": "M", "hostname": "x", "telemetry_data": {"gpu_power_usage": 30.25, "energy_consumption": 32.5}, "telemetry_source_url": "u1"}
        {"timestamp_ns": 1789100381600000000, "gpu_index": 0, "gpu_uuid": "GPU-a", "gpu_model_name": "M", "hostname": "y", "telemetry_data": {"amd_power": null, "amd_energy_consumption": 32.5}, "telemetry_source_url": "u2"}

        """;

    [Test]
    public void TwoExportersOfOneDeviceAreTwoSeriesOfIt()
    {
        var read = Read(Telemetry);

        Assert.That(read.Series.Select(series => (series.Domain, series.Rank)), Is.EqualTo(new[]
        {
            (new EnergyDomain("x", "GPU-a", DomainKind.Gpu, "aiperf", "M"), 0),
            (new EnergyDomain("x", "GPU-a", DomainKind.Gpu, "aiperf", "M"), 1),
        }));
        Assert.That(read.Series[0].Readings.Single(), Is.EqualTo(At(Then + 0.5) with
        {
            PowerWatts = 30.25,
            PowerField = PowerField.Unspecified,
            EnergyJoules = 32.5e6,
        }));
        Assert.That(read.Series[1].Readings.Single(), Is.EqualTo(At(Then + 0.6) with { EnergyJoules = 32.5e6 }));
    }

    [Test]
    public void WhatWasBeingWrittenWhenTheProgramEndedIsLeftOutWithALine()
    {
        var read = Read(Telemetry + """{"timestamp_ns": 17891003""");

        Assert.That(read.Series, Has.Count.EqualTo(2));
        Assert.That(read.Remarks.Single(), Does.EndWith("node-1.txt: its last line is cut off and was left out"));
    }

    private const string Header = "timestamp, index, power.draw [W]\n2026/09/11 04:19:41.000, 0, 1.00 W\n";
    private const string Alone = "timestamp, power.draw [W]\n2026/09/11 04:19:41.000, 1.00 W\n2026/09/11 04:19:41.003, 1.00 W\n"
        + "2026/09/11 04:19:42.000, 1.00 W\n2026/09/11 04:19:42.003, 1.00 W\n";

    [TestCase(Header + "2026/09/11 04:19:40.000, 0, 1.00 W\n", "line 3: its time is before that of the line",
        TestName = "Time that goes back")]
    [TestCase(Header + "2026/09/11 04:19:42.000, 0, 1.00 C\n", "line 3: '1.00 C' is in no unit", TestName = "Another unit")]
    [TestCase(Header + "2026/09/11 04:19:42.000, 0, high\n", "line 3: 'high' is no number", TestName = "A word")]
    [TestCase(Header + "2026/09/11 04:19:42.000, 1.00 W\n", "line 3: it has 2 cells, the header 3", TestName = "A cell too few")]
    [TestCase(Header + "yesterday, 0, 1.00 W\n", "line 3: 'yesterday' is no time", TestName = "No time")]
    [TestCase(Header + "1789100382, 0, 1.00 W\n", "line 3: its time is told in another way", TestName = "Two clocks")]
    [TestCase("index, power.draw [W]\n0, 1\n", "line 1: there is no column of times; record timestamp", TestName = "No column of times")]
    [TestCase("timestamp, index, temperature.gpu\n", "not a recording of power or energy that is known",
        TestName = "Neither power nor joules")]
    [TestCase("timestamp, index, power.draw [W]\n", "the recording holds no readings", TestName = "A header alone")]
    [TestCase(Alone, "no column tells its devices apart, and its rows come in bundles", TestName = "Devices that cannot be told apart")]
    [TestCase("DCGM_FI_DEV_POWER_USAGE{gpu=\"0\"} 1\n", "line 1: its scrape has no time", TestName = "A scrape without a time")]
    [TestCase("# 2\nDCGM_FI_DEV_POWER_USAGE{gpu=\"0\"} 1\n# 1\nDCGM_FI_DEV_POWER_USAGE{gpu=\"0\"} 1\n",
        "line 4: its time is before that of", TestName = "A last scrape before the one before")]
    [TestCase("DCGM_FI_DEV_POWER_USAGE{gpu=\"0} 1 2\n", "line 1: not a sample: its label gpu does not end",
        TestName = "A label without an end")]
    [TestCase("# 1\nDCGM_FI_DEV_POWER_USAGE{gpu=\"0\"} 1\nDCGM_FI_DEV_POWER_USAGE{gpu=\"0\"} 2\n",
        "line 3: DCGM_FI_DEV_POWER_USAGE of gpu-0 a second time", TestName = "Two scrapes of one time")]
    [TestCase("{\"telemetry_data\": {}}\n", "line 1: timestamp_ns is no time", TestName = "Telemetry without a time")]
    [TestCase("{\"telemetry_data\": {\n", "line 1: not a line of JSON", TestName = "A line that is not whole")]
    [TestCase("", "not a recording of power or energy that is known", TestName = "An empty file")]
    public void WhatCannotBeReadIsNamedWithItsLine(string text, string expected) =>
        Assert.That(() => Read(text), Throws.InstanceOf<UserErrorException>().With.Message.Contains(expected));

    [Test]
    public void OneDeviceMayGoWithoutAColumnThatTellsIt()
    {
        var read = Read(Alone.Replace(".003", ".500", StringComparison.Ordinal));

        Assert.That(read.Series.Single().Readings, Has.Count.EqualTo(4));
        Assert.That(read.Remarks.Single(), Does.Contain("taken for those of one device"));
    }

    [Test]
    public void AReplayPlaysWhatOtherProgramsRecorded()
    {
        using var meter = new ReplayMeter(_scratch.File("x.jsonl", Telemetry), new MonotonicClock());
        var readings = new EnergyReading[1];
        meter.Read(readings);

        Assert.That(meter.Domains, Is.EqualTo(new[] { new EnergyDomain("x", "GPU-a", DomainKind.Gpu, "replay", "M") }), "once");
        Assert.That(readings[0].EnergyJoules, Is.EqualTo(32.5e6).Or.Null, "a recording of one moment is soon over");
    }

    [TestCase("2026-09-11T04:19:41Z", Then, RecordedClock.Utc)]
    [TestCase("2026-09-11T06:19:41.5+02:00", Then + 0.5, RecordedClock.Utc)]
    [TestCase("2026-09-10T23:49:41,500000000-0430", Then + 0.5, RecordedClock.Utc)]
    [TestCase("2026/09/11 04:19:41.982", Then + 0.982, RecordedClock.Local)]
    [TestCase("2026-09-11 04:19", Then - 41, RecordedClock.Local)]
    [TestCase("20260911-041941", Then, RecordedClock.Local)]
    [TestCase("1789100381.5", Then + 0.5, RecordedClock.Utc)]
    [TestCase("1789100381500", Then + 0.5, RecordedClock.Utc)]
    [TestCase("1789100381500000", Then + 0.5, RecordedClock.Utc)]
    [TestCase("1789100381500000000", Then + 0.5, RecordedClock.Utc)]
    [TestCase("12.5", 12.5, RecordedClock.Own)]
    public void TimesAreToldInManyWays(string text, double seconds, RecordedClock clock)
    {
        Assert.That(RecordedTime.TryParse(text, out var time));
        Assert.That((Math.Round(time.Seconds, 6), time.Clock), Is.EqualTo((seconds, clock)));
    }

    [TestCase("")]
    [TestCase("-5")]
    [TestCase("NaN")]
    [TestCase("2026-13-01T00:00:00Z")]
    [TestCase("2026-09-11T04:19:41+99:00")]
    [TestCase("11.09.2026 04:19")]
    public void SomeTextsAreNoTime(string text) => Assert.That(RecordedTime.TryParse(text, out _), Is.False);
}
