namespace Harness.Energy;

/// <summary>Bits of <c>nvmlDeviceGetCurrentClocksEventReasons</c> (nvml.h, <c>nvmlClocksEventReason…</c>).</summary>
public static class ThrottleReasons
{
    public const ulong GpuIdle = 0x1;
    public const ulong ApplicationsClocksSetting = 0x2;
    public const ulong SoftwarePowerCap = 0x4;
    public const ulong HardwareSlowdown = 0x8;
    public const ulong SyncBoost = 0x10;
    public const ulong SoftwareThermalSlowdown = 0x20;
    public const ulong HardwareThermalSlowdown = 0x40;
    public const ulong HardwarePowerBrake = 0x80;
    public const ulong DisplayClockSetting = 0x100;

    /// <summary>
    /// The reasons that spoil a measurement: heat, or the supply's emergency brake. The power cap is not among them; it is
    /// how a GPU works at its limit, and the object of a power-limit sweep.
    /// </summary>
    public const ulong Spoiling = HardwareSlowdown | SoftwareThermalSlowdown | HardwareThermalSlowdown | HardwarePowerBrake;
}
