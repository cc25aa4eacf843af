using Harness.Sharding;
using Harness.Sharding.Launch;

namespace Harness.PlugIns;

/// <summary>The ways to bring ranks together that the libraries do not hold themselves, by the word after <c>--communicator</c>.</summary>
internal static class OtherWorlds
{
    /// <summary>Null where <see cref="Worlds"/> knows the word.</summary>
    /// <param name="name">From <see cref="Worlds.Choose"/>.</param>
    /// <param name="launcher">Who started this process: of several that lack the assembly, one says so.</param>
    public static IWorldFactory? Find(string name, Launcher launcher)
    {
        if (name != Worlds.MpiNet) return null;
        try
        {
            return PlugIn.Load<IWorldFactory>("Harness.PlugIns.MpiNet", $"communicator '{name}'", "-p:WithMpiNet=true");
        }
        catch (Tensors.UserErrorException)
        {
            RankFailure.LetRankZeroSpeak(launcher);
            throw;
        }
    }
}
