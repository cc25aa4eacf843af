using Harness.Energy;
using Harness.Energy.Accounting;
using Harness.Energy.Clocks;
using Harness.Energy.Sampling;
using Harness.Runs.Accounting;
using Harness.Runs.Carbon;
using Harness.Runs.Records;
using Harness.Tests.Runs.Records;

namespace Harness.Tests.Runs.Accounting;

/// <summary>
/// What a run's joules cover, and what stands beside them: constant watts over a repeat of 20 s, so that joules are watts × 20.
/// </summary>
[Parallelizable]
public sealed class ScopeTests
{
    private static readonly ClockMap s_clock = new(ClockOffset.Zero, ClockOffset.Zero);

    private static readonly Shown s_gpu = new("GPU-1", DomainKind.Gpu, "nvml", 100) { Watts = 100 };
    private static readonly Shown s_package = new("package-0", DomainKind.Package, "rapl", 50);
    private static readonly Shown s_dram = new("dram-0", DomainKind.Dram, "rapl", 10);
    private static readonly Shown s_node = new("node", DomainKind.Node, "craypm", 300);

    [Test]
    public void ARunOnGpusIsOfGpusAndTheOthersStandBesideIt()
    {
        var run = Summary(computesOnGpus: true, s_gpu, s_package, s_dram, s_node);
        Assert.That((run.EnergyScope, run.Energy.Total, run.Energy.PerResponse), Is.EqualTo(("gpu", 2000.0, 1000.0)));
        var scopes = run.Energy.Scopes;
        Assert.That((scopes.Gpu.Joules, scopes.Cpu.Joules, scopes.Memory.Joules, scopes.Node.Joules, scopes.Module.Joules),
            Is.EqualTo((2000.0, 1000.0, 200.0, 6000.0, (double?)null)));
        Assert.That((scopes.Cpu.PerResponse, scopes.Memory.PerResponse, scopes.Node.PerResponse), Is.EqualTo((500.0, 100.0, 3000.0)));
        Assert.That((run.Valid, scopes.InvalidReasons), Is.EqualTo((true, (string?)null)));
    }

    /// <summary>The idle GPU was counted in place of the sockets.</summary>
    [Test]
    public void ARunOnProcessorsIsOfSocketsAndMemoryBesideAnIdleGpu()
    {
        var run = Summary(computesOnGpus: false, s_gpu, s_package, s_dram);
        Assert.That((run.EnergyScope, run.Energy.Total, run.Energy.Scopes.Gpu.Joules), Is.EqualTo(("cpu+memory", 1200.0, 2000.0)));
        Assert.That((run.Valid, run.InvalidReasons), Is.EqualTo((true, (string?)null)));
    }

    [Test]
    public void WhatSpeaksAgainstJoulesBesideIsSaidAndTheRunsOwnStayValid()
    {
        var gap = s_package with { Keeps = t => t is < 14 or > 17 };
        var run = Summary(computesOnGpus: true, s_gpu, gap, s_dram with { Foreign = 1 });
        Assert.That((run.Valid, run.Energy.Scopes.InvalidReasons), Is.EqualTo((true, "cpu:sample_gap;memory:device_shared")));
    }

    /// <summary>Cray's counter and RAPL's are of the same socket: 52 W by the one and 50 W by the other.</summary>
    [Test]
    public void TwoMetersOfOneSocketAreNotAddedUp()
    {
        var cray = new Shown("cpu", DomainKind.Package, "craypm", 52);
        Assert.That(Summary(computesOnGpus: false, cray, s_package).Energy.Total, Is.EqualTo(1040));
        var gpus = Summary(computesOnGpus: true, s_gpu, cray, s_package);
        Assert.That((gpus.Energy.Total, gpus.Energy.Scopes.Cpu.Joules), Is.EqualTo((2000.0, 1040.0)));
    }

    /// <summary>
    /// A GH200: the counter is the module's, 170 W; the driver shows 168 W for the module and 100 W for the GPU. Beside it the board's own
    /// sensors of the module and of Grace, which the module covers.
    /// </summary>
    [Test]
    public void ASuperchipsCounterIsComparedWithThePowerOfItsModule()
    {
        var gpu = s_gpu with { Counter = 170, Watts = 100, ModuleWatts = 168, Name = "NVIDIA GH200 480GB" };
        var run = Summary(computesOnGpus: true, out var account, gpu, new("module-0", DomainKind.Module, "hwmon", null) { Watts = 175 },
            new("grace-0", DomainKind.Package, "hwmon", null) { Watts = 60 });
        Assert.Multiple(() =>
        {
            Assert.That((run.EnergyScope, run.EnergySource, run.Energy.Total), Is.EqualTo(("module", "nvml_module_counter", 3400.0)));
            Assert.That(run.Energy.CounterVsPowerRatio, Is.EqualTo(170.0 / 168).Within(1e-9));
            Assert.That((run.Energy.Scopes.Gpu.Joules, run.Energy.Scopes.Module.Joules, run.Energy.Scopes.Cpu.Joules),
                Is.EqualTo((2000.0, 3400.0, 1200.0)).Using<double>((a, b) => Math.Abs(a - b) < 1e-6));
            Assert.That(account.PaperJoules(), Is.EqualTo(2000).Within(1e-6), "by the GPU's power");
            Assert.That(CarbonEnergy.Reserved(account), Is.Zero, "the module holds Grace");
            Assert.That((run.Valid, run.InvalidReasons), Is.EqualTo((true, (string?)null)));
        });
    }

    /// <summary>The scope is decided once: while the GPU draws all but a twentieth, too, joules are those of the module.</summary>
    [TestCase(735.0, 700.0, 736.0, "module")]
    [TestCase(701.0, 700.0, 736.0, "gpu")]
    [TestCase(700.0, 700.0, 700.0, "gpu", Description = "a board without a CPU")]
    public void ACounterIsOfTheScopeWhosePowerItFollows(double counter, double gpu, double module, string scope)
    {
        var run = Summary(computesOnGpus: true, s_gpu with { Counter = counter, Watts = gpu, ModuleWatts = module, Name = "NVIDIA GH200" });
        Assert.That((run.EnergyScope, run.Valid), Is.EqualTo((scope, true)));
    }

    /// <summary>
    /// A driver that shows the GPU's power alone: there is nothing of the module's scope to compare with, and the ratio is empty.
    /// </summary>
    [Test]
    public void WithoutAPowerOfItsScopeACounterIsComparedWithNone()
    {
        var run = Summary(computesOnGpus: true, s_gpu with { Counter = 170, Name = "NVIDIA GH200 480GB" });
        Assert.That((run.EnergyScope, run.Energy.Total, run.Energy.CounterVsPowerRatio, run.Valid),
            Is.EqualTo(("module", 3400.0, (double?)null, true)));
        Assert.That(run.Energy.Scopes.Gpu.Joules, Is.EqualTo(2000).Within(1e-6));
    }

    /// <summary>A GB200: both GPUs show the module that they share, 900 W; a second module has its own 500 W.</summary>
    [Test]
    public void TheModuleOfTwoGpusIsCountedOnce()
    {
        Shown Gpu(string uuid, string module, double watts, int rank) => new(uuid, DomainKind.Gpu, "nvml", watts)
        {
            Watts = 300,
            ModuleWatts = watts,
            Module = module,
            Rank = rank,
        };
        var run = Summary(computesOnGpus: true, out var account, Gpu("GPU-1", "module-0", 900, 0), Gpu("GPU-2", "module-0", 900, 1),
            Gpu("GPU-3", "module-1", 500, 2));
        Assert.Multiple(() =>
        {
            Assert.That((run.EnergyScope, run.Energy.Total, run.Energy.Scopes.Module.Joules), Is.EqualTo(("module", 28_000.0, 28_000.0)));
            Assert.That(run.Energy.Scopes.Gpu.Joules, Is.EqualTo(18_000).Within(1e-6), "three GPUs");
            Assert.That((account.Gpus, run.Valid, run.InvalidReasons), Is.EqualTo((3, true, (string?)null)));
            Assert.That(account.Pieces[0].Energy.JoulesOfRank(1, "measured-1"), Is.EqualTo(18_000), "its module's");
            Assert.That(account.Pieces[0].Energy.Remarks, Has.Some.Contains("GPU-2 is a GPU of the superchip of GPU-1"));
            Assert.That(CarbonEnergy.Reserved(account), Is.Zero);
        });
    }

    /// <summary>Of a Cray node's accelerators, all of which its counters cover, it does not matter which is a rank's.</summary>
    [Test]
    public void RanksWithoutAMeterOfTheirOwnAreCoveredByCountersOfAllAccelerators()
    {
        Shown Accelerator(int number) => new($"accel{number}", DomainKind.Gpu, "craypm", 200);
        var run = Summary(computesOnGpus: true, Accelerator(0), Accelerator(1), s_node, s_package with { Rank = 1, Source = "perf" });
        Assert.That((run.EnergyScope, run.Energy.Total, run.Energy.Scopes.Node.Joules, run.Valid),
            Is.EqualTo(("gpu", 8000.0, 6000.0, true)));
    }

    /// <summary>A domain that draws these watts throughout.</summary>
    /// <param name="Counter">W by its counter; null for none.</param>
    private sealed record Shown(string Device, DomainKind Kind, string Source, double? Counter)
    {
        public double? Watts { get; init; }
        public double? ModuleWatts { get; init; }
        public string Name { get; init; } = "";
        public string? Module { get; init; }
        public int Rank { get; init; }
        public int Foreign { get; init; }
        public Func<double, bool> Keeps { get; init; } = _ => true;

        public EnergyDomain Domain => new("n", Device, Kind, Source, Name) { Module = Module };

        public SampleSeries Series => new(Domain, Rank, [.. Enumerable.Range(0, 400).Select(i => i * 0.1).Where(Keeps).Select(At)]);

        private EnergyReading At(double seconds) => new()
        {
            TimeSeconds = seconds,
            EnergyJoules = Counter * seconds,
            PowerWatts = Watts,
            ModulePowerWatts = ModuleWatts,
            PowerField = Watts == null ? null : PowerField.Instant,
            ThrottleReasons = 0,
            Processors = Kind == DomainKind.Gpu ? null : new ProcessorTime(8 * seconds, 4 * seconds, 4 * seconds),
        };
    }

    private static SummaryRecord Summary(bool computesOnGpus, params Shown[] shown) => Summary(computesOnGpus, out _, shown);

    private static SummaryRecord Summary(bool computesOnGpus, out RunAccount account, params Shown[] shown)
    {
        var ranks = shown.Max(one => one.Rank) + 1;
        account = new RunAccount([new(1, new()
        {
            SampleIntervalSeconds = 0.1,
            Limits = new(),
            Domains = [.. shown.Select(one => one.Domain)],
            Sensors = [.. shown.Select(one => new SensorCharacteristics(one.Domain.Key, one.Counter == null ? null : 0.1, 1,
                one.Watts == null ? null : 0.1, 0.001))],
            Facts = [.. shown.Select(one => DomainFacts.NotApplicable(one.Domain) with { ForeignProcesses = one.Foreign })],
            Ranks = [.. Enumerable.Range(0, ranks).Select(rank => new RankPlace(rank, "n", 0,
                [.. shown.Where(one => one.Rank == rank).Select(one => one.Domain.Key)], s_clock, new(0, 0, 0, null, 0, 0)))],
            WorldSize = ranks,
            ComputesOnGpus = computesOnGpus,
            RanToEnd = true,
            Series = [.. shown.Select(one => one.Series)],
            Windows = [new("measured-1", WindowKind.Measured, 10, 30, 1)],
        })]);
        var rows = new List<PromptRecord> { Samples.Prompt(0), Samples.Prompt(1) };
        var described = account.Describe(Samples.Summary("r"), [null]);
        var run = Harness.Runs.Records.Summary.Compute(described, rows, account.DurationSeconds);
        return run with { Energy = Rounded(run.Energy) };
    }

    /// <summary>To a millionth of a joule: the counter's points are dated to within rounding.</summary>
    private static RunJoules Rounded(RunJoules joules) => joules with
    {
        Total = Rounded(joules.Total),
        PerResponse = Rounded(joules.PerResponse),
        Scopes = joules.Scopes with
        {
            Gpu = Rounded(joules.Scopes.Gpu),
            Module = Rounded(joules.Scopes.Module),
            Cpu = Rounded(joules.Scopes.Cpu),
            Memory = Rounded(joules.Scopes.Memory),
            Node = Rounded(joules.Scopes.Node),
        },
    };

    private static ScopeJoules Rounded(ScopeJoules of) => of with { Joules = Rounded(of.Joules), PerResponse = Rounded(of.PerResponse) };

    private static double? Rounded(double? value) => value is { } there ? Math.Round(there, 6) : null;
}
