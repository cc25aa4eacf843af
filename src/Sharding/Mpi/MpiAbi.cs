namespace Harness.Sharding.Mpi;

/// <summary>
/// The constants that MPI's C headers turn into numbers or addresses, for one of the two ABIs in use. A handle is
/// passed as a machine word in both: an address in Open MPI; in the MPICH ABI (MPICH, Intel MPI, MVAPICH, Cray) a 32-bit integer,
/// whose upper half neither the x86-64 nor the AArch64 calling convention looks at.
/// </summary>
internal sealed record MpiAbi(
    string Family, nint World, nint Byte, nint Float, nint Sum, nint ErrorsReturn, nint InPlace)
{
    /// <summary>MPI_THREAD_SERIALIZED: any thread may call, one at a time.</summary>
    public const int ThreadSerialized = 2;

    /// <summary>Room for an MPI_Status of either ABI (24 and 20 bytes); it is only handed back to MPI.</summary>
    public const int StatusBytes = 64;

    /// <summary>Room for any text that MPI returns (MPI_MAX_LIBRARY_VERSION_STRING is 8,192 in MPICH).</summary>
    public const int TextBytes = 16384;

    /// <summary>The highest tag that every MPI allows (the standard's least MPI_TAG_UB).</summary>
    public const int HighestTag = 32767;

    /// <summary>Open MPI's predefined objects are variables of the library (ompi/include/mpi.h.in).</summary>
    public static MpiAbi OpenMpi(Func<string, nint> symbol) => new("Open MPI",
        symbol("ompi_mpi_comm_world"), symbol("ompi_mpi_byte"), symbol("ompi_mpi_float"), symbol("ompi_mpi_op_sum"),
        symbol("ompi_mpi_errors_return"), 1);

    /// <summary>From MPICH's mpi.h; fixed since the MPICH ABI Compatibility Initiative (2013).</summary>
    public static MpiAbi Mpich { get; } = new("MPICH",
        0x44000000, 0x4c00010d, 0x4c00040a, 0x58000003, 0x54000001, -1);
}
