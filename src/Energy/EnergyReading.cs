namespace Harness.Energy;

/// <summary>What a GPU's power reading means, which decides how it may be integrated.</summary>
public enum PowerField
{
    /// <summary>Power at (nearly) the time of the sensor's last update.</summary>
    Instant,
    /// <summary>The mean of the last second; integrated as the power half a second ago.</summary>
    Average1s,
    /// <summary>The driver does not say; integrated as it stands.</summary>
    Unspecified,
}

/// <summary>Processor time of a machine in s, cumulative, all processors added up.</summary>
/// <param name="AllSeconds">Idle time included.</param>
/// <param name="BusySeconds">In which anybody's program or kernel work ran; interrupts, which nobody owns, are not in it.</param>
/// <param name="RunSeconds">Of the processes of this run.</param>
public readonly record struct ProcessorTime(double AllSeconds, double BusySeconds, double RunSeconds)
{
    /// <summary>Of everybody else. The two clocks differ by ticks, so that the run's may show more than all.</summary>
    public double OthersSeconds => Math.Max(0, BusySeconds - RunSeconds);
}

/// <summary>
/// What one domain showed at one time. A value that was not there is null, never 0 and never NaN; a reading with neither
/// joules nor watts is a lost one.
/// </summary>
public readonly record struct EnergyReading
{
    /// <summary>Seconds on the run's clock: the middle of the call that read the values.</summary>
    public double TimeSeconds { get; init; }

    /// <summary>
    /// Cumulative counter with an origin of its own; wrap-around is already undone, so it never falls unless the hardware's counter was
    /// reset.
    /// </summary>
    public double? EnergyJoules { get; init; }

    public double? PowerWatts { get; init; }

    /// <summary>
    /// Of the superchip that a GPU is a part of, in the same field; where it is shown, <see cref="PowerWatts"/> is the GPU's alone.
    /// </summary>
    public double? ModulePowerWatts { get; init; }
    public PowerField? PowerField { get; init; }
    public int? TemperatureCelsius { get; init; }
    public int? SmClockMhz { get; init; }
    public int? MemoryClockMhz { get; init; }

    /// <summary>Share of the driver's sampling period in which a kernel ran, 0 … 100.</summary>
    public int? UtilizationPercent { get; init; }

    /// <summary>Bits of <see cref="Harness.Energy.ThrottleReasons"/>.</summary>
    public ulong? ThrottleReasons { get; init; }

    public double? PowerLimitWatts { get; init; }
    public long? MemoryUsedBytes { get; init; }

    /// <summary>
    /// What the processors of the machine did until then; in readings of its sockets and of the whole node, about ten times a second.
    /// </summary>
    public ProcessorTime? Processors { get; init; }

    public bool IsLost => EnergyJoules is null && PowerWatts is null;
}
