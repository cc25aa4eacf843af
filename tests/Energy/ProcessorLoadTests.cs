using Harness.Energy;
using Harness.Energy.Meters;
using Harness.Energy.Sampling;

namespace Harness.Tests.Energy;

/// <summary>On files in the form of proc(5).</summary>
public sealed class ProcessorLoadTests
{
    private ScratchDirectory _proc = null!;

    [SetUp]
    public void SetUp() => _proc = new();

    [TearDown]
    public void TearDown() => _proc.Dispose();

    [Test]
    public void Ticks_are_hundredths_of_a_second()
    {
        // user 100, nice 20, system 30: busy 1.5 s; with idle 800, iowait 40, irq 5, softirq 5, steal 0: 10 s; guest time is in user
        _proc.File("stat", "cpu  100 20 30 800 40 5 5 0 7 0\ncpu0 1 2 3 4\n");
        _proc.File("17/stat", Process("harness", 60, 15));
        _proc.File("18/stat", Process("a) R 1 (b", 5, 2));
        using var load = ProcessorLoad.Open([17, 18, 17, 99], _proc.Path)!;
        Assert.That(load.Read(), Is.EqualTo(new ProcessorTime(10, 1.5, 0.82)));
        _proc.File("18/stat", "");
        Assert.That(load.Read()!.Value.RunSeconds, Is.EqualTo(0.82).Within(1e-9), "what ended keeps what it used");
    }

    [Test]
    public void A_system_that_does_not_tell() => Assert.That(ProcessorLoad.Open([1], _proc.Path), Is.Null);

    [Test, Platform("Linux")]
    public void Of_this_machine_and_without_allocating()
    {
        using var load = ProcessorLoad.Open([Environment.ProcessId])!;
        var first = load.Read()!.Value;
        for (var i = 0; i < 50; i++) load.Read();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 200; i++) load.Read();
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
        var last = load.Read()!.Value;
        Assert.That(first.BusySeconds, Is.InRange(first.RunSeconds, first.AllSeconds));
        Assert.That(last.RunSeconds, Is.EqualTo(Environment.CpuUsage.TotalTime.TotalSeconds).Within(0.5));
    }

    [Test]
    public void Readings_of_a_node_bear_it_about_ten_times_a_second()
    {
        _proc.File("stat", "cpu  100 0 0 900\n");
        var clock = new SimulatedClock();
        using var meter = new MeterWithLoad(
            new SimulatedMeter(clock,
            new SimulatedSensor(new("n", "node", DomainKind.Node, "command"), ScriptedCurve.Constant(100), 0.01)
            {
                Processors = _ =>
            null
            }),
            ProcessorLoad.Open([], _proc.Path));
        var readings = new EnergyReading[1];
        var with = 0;
        for (var i = 0; i < 100; i++, clock.Seconds += 0.03)
        {
            meter.Read(readings);
            if (readings[0].Processors is { } time)
            {
                with++;
                Assert.That(time, Is.EqualTo(new ProcessorTime(10, 1, 0)));
            }
        }
        Assert.That(with, Is.EqualTo(25), "every fourth of 100 readings 0.03 s apart");
    }

    private static string Process(string name, int user, int system) =>
        $"17 ({name}) R 1 1 1 0 -1 4194304 99 0 0 0 {user} {system} 0 0 20 0 1 0 1655927\n";
}
