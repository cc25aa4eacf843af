using System.Globalization;
using System.Text.Json;
using Harness.Energy;
using Harness.Energy.Accounting;
using Harness.Energy.Control;
using Harness.Energy.Meters;
using Harness.Energy.Records;
using Harness.Energy.Sampling;

// measure METER DIRECTORY INTERVAL SECONDS…   windows of these lengths, a tenth of a second apart; records into DIRECTORY
// limit DIRECTORY WATTS exit|throw|wait       sets power limit and clock, then ends in the given way
return args[0] switch
{
    "measure" => Measure(args[1], args[2], Number(args[3]), [.. args.Skip(4).Select(Number)]),
    "limit" => Limit(args[1], Number(args[2]), args[3]),
    _ => throw new ArgumentException(args[0]),
};

static int Measure(string word, string directory, double interval, double[] lengths)
{
    var rank = FromEnvironment("PROBE_RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK");
    var clock = new MonotonicClock(0);   // CLOCK_MONOTONIC itself, as in the fake library's script
    var context = new MeterContext("probe-host", clock) { LocalRank = rank };
    using var meter = MeterFactory.Open(word, context);
    var sensors = SensorCharacteristics.Measure(meter, clock);
    using var sampler = new EnergySampler(meter, clock, interval, sensors);
    sampler.Start();
    WaitForAll(directory, rank, FromEnvironment("PROBE_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE"));
    var windows = new List<WindowRecord>();
    foreach (var length in lengths)
    {
        Thread.Sleep(100);
        var start = sampler.MarkEdge();
        clock.Wait(start + length, null);
        windows.Add(new WindowRecord(
            new EnergyWindow($"repeat-{windows.Count + 1}", WindowKind.Measured, start, sampler.MarkEdge(), windows.Count + 1), []));
    }
    sampler.Stop();
    PowerRecords.Write(Path.Combine(directory, $"power-{rank}.csv"), sampler.Series(rank));
    using (var file = new StreamWriter(Path.Combine(directory, $"windows-{rank}.jsonl"))) WindowRecords.Write(file, windows);
    File.WriteAllText(Path.Combine(directory, $"sensors-{rank}.json"), JsonSerializer.Serialize(sensors));
    File.WriteAllText(Path.Combine(directory, $"cost-{rank}.json"), JsonSerializer.Serialize(sampler.Cost));
    File.WriteAllText(Path.Combine(directory, $"facts-{rank}.json"), JsonSerializer.Serialize(meter.Inspect([Environment.ProcessId])));
    foreach (var notice in meter.Notices) Console.WriteLine(notice);
    return 0;
}

static int Limit(string directory, double watts, string ending)
{
    try
    {
        using var meter = MeterFactory.Open("nvml:all", new MeterContext("probe-host", new MonotonicClock()));
        using var control = PowerControl.Open(meter, [.. meter.Domains.Select(d => d.Key)],
            Path.Combine(directory, PowerControl.FileName(0)));
        Console.WriteLine(control.SetPowerLimit(watts));
        Console.WriteLine(control.LockSmClock(1410));
        Console.WriteLine("set");
        if (ending == "throw") throw new InvalidOperationException("the run failed");
        if (ending == "wait") Thread.Sleep(Timeout.Infinite);
        return 0;
    }
    catch (InvalidOperationException)
    {
        return 1;
    }
}

// a barrier of files
static void WaitForAll(string directory, int rank, int size)
{
    File.WriteAllText(Path.Combine(directory, $"ready-{rank}"), "");
    while (Enumerable.Range(0, size).Any(r => !File.Exists(Path.Combine(directory, $"ready-{r}")))) Thread.Sleep(5);
}

static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);

static int FromEnvironment(params string[] names) =>
    names.Select(Environment.GetEnvironmentVariable).FirstOrDefault(v => v != null) is { } text
        ? int.Parse(text, CultureInfo.InvariantCulture) : 0;
