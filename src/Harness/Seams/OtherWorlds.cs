using Harness.MpiNet;
using Harness.Sharding.Launch;
using Harness.Sharding.World;

namespace Harness.Seams;

/// <summary>The ways to bring ranks together that the libraries do not hold themselves, by what <c>--communicator</c> names.</summary>
internal static class OtherWorlds
{
    /// <summary>Null where <see cref="Worlds"/> has it.</summary>
    /// <param name="kind">From <see cref="Worlds.Choose"/>.</param>
    public static IWorldFactory? Find(CommunicatorKind kind) => kind == CommunicatorKind.MpiNet ? new MpiNetWorld() : null;
}
