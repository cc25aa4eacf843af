using Harness.Sharding.Mpi;
using MPI;

namespace Harness.MpiNet;

/// <summary>Sends under way as requests of MPI.NET, each of which pins the array that it sends.</summary>
internal sealed class PendingRequests(bool fromAnyThread) : SerializedCalls<Request>(fromAnyThread)
{
    protected override bool HasLeft(ref Request send) => send.Test() != null;

    protected override void Wait(Request send) => send.Wait();
}
