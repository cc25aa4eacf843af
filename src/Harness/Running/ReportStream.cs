using System.Runtime.InteropServices;
using Harness.Sharding;

namespace Harness.Running;

/// <summary>
/// Finished batches on their way from the replicas' first ranks to rank 0. A replica sends one message per round, and a
/// last, empty one; rank 0 receives a round behind its own, so that it seldom waits.
/// </summary>
internal sealed class ReportStream(ICommunicator world, ProcessGrid grid)
{
    private const int LengthTag = 90, BodyTag = 91;

    private readonly HashSet<int> _open = [.. Enumerable.Range(1, grid.Data - 1)];

    /// <summary>Whether any replica gave up its batches.</summary>
    public bool AnyStopped { get; private set; }
    public bool AnyOpen => _open.Count > 0;

    public void Send(BatchReport report)
    {
        var body = report.Serialize();
        SendLength(body.Length);
        world.Send(body, 0, BodyTag);
    }

    public void SendEnd(bool stopped) => SendLength(stopped ? -1 : 0);

    /// <summary>One message of every replica that has not ended.</summary>
    public IEnumerable<BatchReport> ReceiveRound()
    {
        foreach (var replica in _open.Order().ToArray())
        {
            var source = grid.RankOf(new(0, 0, replica));
            var length = new int[1];
            world.Receive(MemoryMarshal.AsBytes(length.AsSpan()), source, LengthTag);
            if (length[0] <= 0)
            {
                AnyStopped |= length[0] < 0;
                _open.Remove(replica);
                continue;
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
