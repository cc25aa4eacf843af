using Harness.MpiNet;
using Harness.Sharding.Launch;
using Harness.Sharding.World;

namespace Harness.Seams;

/// <summary>The ways to bring ranks together that the libraries do not hold themselves, by the word after <c>--communicator</c>.</summary>
internal static class OtherWorlds
{
    /// <summary>Null where <see cref="Worlds"/> knows the word.</summary>
    /// <param name="name">From <see cref="Worlds.Choose"/>.</param>
    public static IWorldFactory? Find(string name) => name == Worlds.MpiNet ? new MpiNetWorld() : null;
}
