using Harness.Sharding.Mpi;
using Harness.Sharding.Waits;
using MPI;

namespace Harness.MpiNet;

/// <summary>Sends under way as requests of MPI.NET, each of which pins the array that it sends.</summary>
internal sealed class PendingRequests(bool fromAnyThread, CoreShortage shortage) : SerializedCalls<Request>(fromAnyThread, shortage)
{
    protected override bool HasLeft(ref Request send) => send.Test() != null;
}
