using System.Text.RegularExpressions;
using Harness.Common;
using Harness.Energy;
using Harness.Energy.Accounting;
using Harness.Energy.Records;
using Harness.Runs;
using Harness.Runs.Accounting;
using Harness.Runs.Carbon;
using Harness.Runs.Records;
using Harness.Tests.EndToEnd;

namespace Harness.Tests.Runs.Carbon;

[TestFixture]
[Parallelizable]
public sealed class CarbonTests
{
    private static readonly DateTimeOffset s_ten = new(2026, 11, 21, 10, 0, 0, TimeSpan.Zero);

    private ScratchDirectory _scratch = null!;

    [SetUp]
    public void SetUp() => _scratch = new();

    [TearDown]
    public void TearDown() => _scratch.Dispose();

    /// <summary>
    /// Two GPUs of 100 W and 300 W and a socket of 50 W beside them, measured from ten seconds before eleven until thirty after:
    /// 4 kJ in the first hour, 12 kJ in the second, 2 kJ beside. By hand: E = 18 kJ · 1.25 = 22.5 kJ = 6.25 Wh;
    /// I = (4 · 200 + 12 · 600) / 16 = 500 g/kWh; M = 2 · 150 kg · 40 s / (5 · 31,557,600 s) = 0.0760515 g.
    /// </summary>
    [Test]
    public void EveryTermByHand()
    {
        var terms = Terms(new(time => time.Hour == 10 ? 200 : 600, true, 1.25, 150, 5))!;
        Assert.Multiple(() =>
        {
            Assert.That(terms.Hours.Select(hour => (hour.HourUtc!.Value.Hour, Math.Round(hour.Joules, 2))),
                Is.EqualTo(new[] { (10, 4000.0), (11, 12000.0) }));
            Assert.That((terms.MeasuredJoules, Math.Round(terms.ReservedJoules, 6), Math.Round(terms.EnergyJoules, 6)),
                Is.EqualTo((16000.0, 2000.0, 22500.0)));
            Assert.That(terms.GramsPerKilowattHour, Is.EqualTo(500).Within(1e-5));
            Assert.That(terms.OperationalGrams, Is.EqualTo(3.125).Within(1e-6));
            Assert.That((terms.TotalEmbodiedGrams, terms.Devices), Is.EqualTo((300_000.0, 2)));
            Assert.That(terms.EmbodiedGrams, Is.EqualTo(0.0760515).Within(1e-6));
            Assert.That(terms.GramsPerResponse, Is.EqualTo(3.2010515 / 4).Within(1e-6));
            Assert.That(terms.GramsPerOutputToken, Is.EqualTo(3.2010515 / 100).Within(1e-7));
            Assert.That(terms.GramsPerCorrectAnswer, Is.EqualTo(3.2010515).Within(1e-6), "one of two judged answers is right");
        });
    }

    [Test]
    public void AnHourThatIsNotKnownLeavesTheColumnsEmptyAndTheEnergyThere()
    {
        var terms = Terms(new(time => time.Hour == 10 ? 200 : null, true, 1.25, 150, 5))!;
        var summary = terms.AddTo(s_summary);
        Assert.That((terms.OperationalGrams, terms.GramsPerResponse, summary.Carbon.EnergyJoules, summary.Carbon.GramsPerResponse),
            Is.EqualTo(((double?)null, (double?)null, (double?)null, (double?)null)));
        Assert.That(terms.EnergyJoules, Is.EqualTo(22_500).Within(1e-6));
    }

    [Test]
    public void WithoutEnergyThereIsNoCarbon() =>
        Assert.That(CarbonTerms.Of(new(_ => 1, false, 1, 1, 1), new([new(1, Evidence())]), s_summary with { Energy = new() }, []), Is.Null);

    [TestCase("timestamp_utc,g_per_kwh\n2026-11-21T10:00Z,431.5\n2026-11-21T11:00:00Z,77\n")]
    [TestCase("datetime,Country,Carbon intensity gCO₂eq/kWh (direct),Carbon intensity gCO₂eq/kWh (LCA)\n2026-11-21 "
        + "10:00:00,Germany,1,431.5\n2026-11-21 11:00:00,Germany,2,77\n")]
    [TestCase("Datetime (UTC);Carbon intensity gCO₂eq/kWh (direct)\n2026-11-21 10:00:00;431.5\n2026-11-21 11:00:00;77\n")]
    public void HourlyValuesAreReadInTheFormsThatPeopleHave(string csv)
    {
        var intensity = CarbonIntensity.Parse(_scratch.File("hours.csv", csv), "Carbon:Intensity");
        Assert.That((intensity.At(s_ten.AddMinutes(59)), intensity.At(s_ten.AddMinutes(60)), intensity.At(s_ten.AddHours(2))),
            Is.EqualTo(((double?)431.5, (double?)77, (double?)null)));
        Assert.That(() => intensity.MustCover(s_ten.AddHours(2)),
            Throws.TypeOf<UserErrorException>().With.Message.Contains(
            "no carbon intensity for 2026-11-21T12:00Z (it has 2026-11-21T10:00Z to 2026-11-21T11:00Z)"));
    }

    [TestCase("a,b\n1,2\n", "has the columns a, b")]
    [TestCase("time,g_per_kwh\nyesterday,2\n", "hours.csv:2: time is 'yesterday'")]
    [TestCase("time,g_per_kwh\n2026-11-21T10:00Z,lots\n", "hours.csv:2: g_per_kwh is 'lots'")]
    [TestCase("time,g_per_kwh\n2026-11-21T10:00Z\n", "hours.csv:2: g_per_kwh is ''")]
    [TestCase("time,g_per_kwh\n2026-11-21T10:00Z,NaN\n", "hours.csv:2: g_per_kwh is 'NaN'")]
    [TestCase("time,g_per_kwh\n2026-11-21T10:00Z,-1\n", "hours.csv:2: g_per_kwh is '-1'")]
    [TestCase("time,g_per_kwh\n2026-11-21T10:00Z,5\n2026-11-21T10:30Z,900\n", "hours.csv:3: a second value for the hour 2026-11-21T10:00Z")]
    [TestCase("time,g_per_kwh\n2026-11-21T10:00Z,5\"\n", "is no CSV file")]
    [TestCase("time,g_per_kwh\n", "holds no hour")]
    public void ADamagedFileIsNamedWithItsLine(string csv, string message) =>
        Assert.That(() => CarbonIntensity.Parse(_scratch.File("hours.csv", csv), "Carbon:Intensity"),
            Throws.TypeOf<UserErrorException>().With.Message.Contains(message));

    [TestCase("--carbon-intensity=400", "need Carbon:Pue (--pue) and Carbon:Embodied (--embodied) as well")]
    [TestCase("--pue=1.2", "need Carbon:Intensity (--carbon-intensity) and Carbon:Embodied (--embodied) as well")]
    [TestCase("--carbon-intensity=400 --pue=0.9 --embodied=1", "Carbon:Pue (--pue) is '0.9'")]
    [TestCase("--carbon-intensity=grid.csv --pue=1.2 --embodied=1",
        "Carbon:Intensity (--carbon-intensity) is 'grid.csv', but grams of CO2e per kWh, or a CSV file")]
    public void WhatIsMissingIsNamedBeforeAnythingIsLoaded(string switches, string message)
    {
        var result = HarnessProcess.Run(_scratch.Path, ["run", .. switches.Split(' ')]);
        Assert.That((result.ExitCode, result.Error.TrimEnd().Split('\n').Length), Is.EqualTo((1, 1)), result.Error);
        Assert.That(result.Error, Does.Contain(message).And.Not.Contain("loading"));
    }

    /// <summary>A whole run at a known power, then <c>verify</c>.</summary>
    [Test, Platform("Linux"), System.Runtime.Versioning.SupportedOSPlatform("linux")]
    public void ARunWritesItsTermsAndVerifyComputesThemAgain()
    {
        var meter = _scratch.File("meter.sh",
            "#!/bin/sh\nwhile kill -0 $PPID 2>/dev/null; do awk '{ printf \"J %.3f\\n\", $1 * 80; fflush() }' /proc/uptime; sleep 0.02; "
            + "done\n");
        File.SetUnixFileMode(meter, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var result = HarnessProcess.Run(_scratch.Path, "run", "--limit", "16", "--ignore-eos", "--max-new-tokens", "100", "--meter",
            $"command:{meter}", "--name", "r",
            "--carbon-intensity", "400", "--pue", "1.5", "--embodied", "100", "--lifetime", "4");
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        var summary = new RunReader(_scratch["results", "r"]).Summary();
        Assert.Multiple(() =>
        {
            Assert.That(summary.Carbon.EnergyJoules, Is.EqualTo(summary.Energy.Total * 1.5).Within(1e-9).Percent);
            Assert.That(summary.Carbon.EmbodiedGrams, Is.EqualTo(100_000 * summary.DurationSeconds / (4 * 365.25 * 86_400))
                .Within(1e-9).Percent);
            Assert.That(summary.Carbon.GramsPerResponse,
                Is.EqualTo((summary.Carbon.EnergyJoules / 3.6e6 * 400 + summary.Carbon.EmbodiedGrams) / 16).Within(1e-9).Percent);
            Assert.That(result.Output, Does.Contain("g CO2e/response"));
        });
        var run = new RunOutput(_scratch["results", "r"]);
        run.Verify();
        var path = _scratch["results", "r", RunFile.Carbon.Name];
        var text = File.ReadAllText(path);
        foreach (var (term, other) in new[]
        {
            ("\"pue\": [^,]*", "\"pue\": 1.1"), ("\"sci_g_per_response\": [^,]*", "\"sci_g_per_response\": 99"),
                ("\"operational_g\": [^,]*", "\"operational_g\": 99"),
            ("\"devices\": [^,]*", "\"devices\": 2"), ("\"resource_share\": [^,]*", "\"resource_share\": 0.5"),
                ("\"hours\": [^]]*]", "\"hours\": []"),
        })
        {
            Assert.That(text, Does.Match(term));
            File.WriteAllText(path, Regex.Replace(text, term, other));
            Assert.That(ProblemsOrRefusal(), Has.Some.Contains("carbon.json"), other);
        }

        IReadOnlyList<string> ProblemsOrRefusal()
        {
            try
            {
                return run.Problems();
            }
            catch (UserErrorException e)
            {
                return [e.Message];
            }
        }
    }

    private static readonly SummaryRecord s_summary = new()
    {
        RunId = "r",
        Status = RunStatus.Complete,
        Energy = new() { Total = 16_000 },
        Completed = 4,
        TotalOutputTokens = 100,
        Nodes = 1
    };

    private static CarbonTerms? Terms(CarbonInputs inputs) => CarbonTerms.Of(inputs, new([new(1, Evidence())]), s_summary,
        [Samples(true), Samples(false), Samples(null), Samples(null)]);

    private static PromptRecord Samples(bool? correct) =>
        new() { RunId = "r", Repeat = 1, Dataset = "d", PromptIndex = 0, FinishReason = FinishReason.Eos, Correct = correct };

    private static EnergyEvidence Evidence()
    {
        SampleSeries Series(string device, DomainKind kind, double watts) => new(new("h", device, kind, "nvml"), 0,
            [.. Enumerable.Range(0, 200).Select(i => new EnergyReading { TimeSeconds = 3500 + i, EnergyJoules = watts * i })]);
        SampleSeries[] series =
            [Series("GPU-1", DomainKind.Gpu, 100), Series("GPU-2", DomainKind.Gpu, 300), Series("package-0", DomainKind.Package, 50)];
        return new()
        {
            SampleIntervalSeconds = 1,
            Limits = new(),
            Domains = [.. series.Select(one => one.Domain)],
            Sensors = [],
            Facts = [],
            Ranks = [],
            WorldSize = 1,
            ComputesOnGpus = true,
            RanToEnd = true,
            OriginUtc = s_ten,
            Series = series,
            Windows = [new("measured-1", WindowKind.Measured, 3590, 3630, 1)],
        };
    }
}
