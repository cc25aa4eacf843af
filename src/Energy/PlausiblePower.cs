namespace Harness.Energy;

/// <summary>
/// More than any device of a kind draws: what a counter or a sensor says beyond it is a fault of the reading. The bounds are at
/// least twice the largest rating on sale in 2026, since peaks of milliseconds go to twice a rating (Intel's PL4, the
/// excursions that ATX 3.0 and NVIDIA's boards allow for); a fault is mostly larger by orders: a counter of 262 kJ that is
/// taken for wrapped between two readings 0.1 s apart shows megawatts.
/// </summary>
public static class PlausiblePower
{
    /// <summary>
    /// Seconds that a counter may be late beyond the pause between two readings: what it then shows at once was drawn over this time,
    /// too. RAPL counters move every millisecond (Intel SDM, RAPL interfaces), those of GPUs every 20 to 100 ms.
    /// </summary>
    public const double LateSeconds = 0.1;

    /// <summary>W.</summary>
    public static double Watts(DomainKind kind) => kind switch
    {
        DomainKind.Gpu => 6_000,        // a GB200 module of two GPUs and a CPU: 2,700 W; the whole of a GB300's is less than 3,000 W
        DomainKind.Module => 6_000,
        DomainKind.Package => 2_000,    // AMD EPYC 9965 and Intel Xeon 6980P: 500 W; 800 W is announced
        DomainKind.Dram => 2_000,       // 24 modules of 20 W beside one socket: 480 W
        _ => 30_000,                    // a node of eight B300: 14.5 kW
    };

    /// <summary>The most that a counter of this kind can have risen within so many seconds, in J.</summary>
    public static double Joules(DomainKind kind, double seconds) => Watts(kind) * (seconds + LateSeconds);
}
