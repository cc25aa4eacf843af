using System.Runtime.InteropServices;
using Harness.Sharding;

namespace Harness.Running;

/// <summary>
/// Reports on their way from the replicas' first ranks to rank 0. A replica sends a last, empty one; rank 0 takes what has
/// come whenever it has something to report itself, and waits for the rest at its own end.
/// </summary>
internal sealed class ReportStream(ICommunicator world, ProcessGrid grid)
{
    private const int LengthTag = 90, BodyTag = 91;

    private readonly HashSet<int> _open = [.. Enumerable.Range(1, grid.Data - 1)];

    /// <summary>Whether any replica gave up some of its prompts.</summary>
    public bool AnyStopped { get; private set; }

    public void Send(BatchReport report)
    {
        var body = report.Serialize();
        SendLength(body.Length);
        world.Send(body, 0, BodyTag);
    }

    public void SendEnd(bool stopped) => SendLength(stopped ? -1 : 0);

    /// <summary>What has come.</summary>
    public IEnumerable<BatchReport> TakeArrived() => _open.Order().ToArray().SelectMany(replica => Receive(replica, goOn: () => world.Probe(Source(replica), LengthTag)));

    /// <summary>Everything that is still to come, replica by replica.</summary>
    public IEnumerable<BatchReport> TakeRest() => _open.Order().ToArray().SelectMany(replica => Receive(replica, goOn: () => true));

    private int Source(int replica) => grid.RankOf(new(0, 0, replica));

    /// <param name="replica">Until it has ended.</param>
    /// <param name="goOn">Asked before each message.</param>
    private IEnumerable<BatchReport> Receive(int replica, Func<bool> goOn)
    {
        var source = Source(replica);
        while (_open.Contains(replica) && goOn())
        {
            var length = new int[1];
            world.Receive(MemoryMarshal.AsBytes(length.AsSpan()), source, LengthTag);
            if (length[0] <= 0)
            {
                AnyStopped |= length[0] < 0;
                _open.Remove(replica);
                yield break;
            }
            var body = new byte[length[0]];
            world.Receive(body, source, BodyTag);
            yield return BatchReport.Deserialize(body);
        }
    }

    private void SendLength(int length)
    {
        Span<int> message = [length];
        world.Send(MemoryMarshal.AsBytes(message), 0, LengthTag);
    }
}
