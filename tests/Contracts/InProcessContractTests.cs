using Harness.Sharding;
using Harness.Sharding.Communicators;
using Harness.Sharding.Waits;

namespace Harness.Tests.Contracts;

/// <summary>The contracts over ranks that share this process.</summary>
[Parallelizable]
public class InProcessContractTests
{
    private static IEnumerable<TestCaseData> Cases()
    {
        (string Name, Action<ICommunicator> Body)[] bodies =
            [.. CommunicatorContract.Bodies, .. HostLinkContract.Bodies, .. LaunchContract.Bodies];
        foreach (var (name, body) in bodies)
        {
            yield return new TestCaseData(0, body).SetArgDisplayNames("solo", name);
            foreach (var size in new[] { 1, 2, 3, 4, 5, 8 })
                yield return new TestCaseData(size, body).SetArgDisplayNames($"{size} threads", name);
            foreach (var size in new[] { 2, 3 })
                yield return new TestCaseData(-size, body).SetArgDisplayNames($"{size} threads without a core each", name);
        }
    }

    [TestCaseSource(nameof(Cases))]
    [CancelAfter(120_000)]
    public void Holds(int threads, Action<ICommunicator> body)
    {
        if (threads < 0) ThreadWorld.Run(-threads, () => new CoreShortage { Outnumbered = true }, body);
        else if (threads > 0) ThreadWorld.Run(threads, body);
        else body(new SoloCommunicator());
    }
}
