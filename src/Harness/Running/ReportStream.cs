using System.Runtime.InteropServices;
using Harness.Sharding;

namespace Harness.Running;

/// <summary>
/// Reports on their way from the replicas' first ranks to rank 0, within one pass over the prompts: rank 0 takes what comes, the other
/// replicas' first ranks send, and the rest have none.
/// </summary>
internal abstract class ReportStream
{
    private const int LengthTag = 90, BodyTag = 91;

    /// <param name="leads">Whether this rank is its replica's first.</param>
    public static ReportStream Of(ICommunicator world, ProcessGrid grid, bool leads, IRunRecorder recorder) =>
        world.Rank == 0 ? new Taken(world, grid, recorder) : leads ? new Sent(world) : new None();

    /// <summary>What this rank's replica has finished.</summary>
    public abstract void Deliver(BatchReport report);

    /// <summary>This rank's replica reports nothing more.</summary>
    public abstract void End();

    /// <summary>Rank 0 takes what has come from the others, and does not wait.</summary>
    /// <param name="before">Called first, if there is anything.</param>
    public abstract void TakeArrived(Action before);

    /// <summary>Rank 0 waits for everything that is still to come.</summary>
    public abstract void TakeRest();

    private sealed class None : ReportStream
    {
        public override void Deliver(BatchReport report)
        {
        }

        public override void End()
        {
        }

        public override void TakeArrived(Action before)
        {
        }

        public override void TakeRest()
        {
        }
    }

    private sealed class Sent(ICommunicator world) : ReportStream
    {
        public override void Deliver(BatchReport report)
        {
            var body = report.Serialize();
            SendLength(body.Length);
            world.Send(body, 0, BodyTag);
        }

        /// <summary>A last, empty report.</summary>
        public override void End() => SendLength(0);

        public override void TakeArrived(Action before)
        {
        }

        public override void TakeRest()
        {
        }

        private void SendLength(int length)
        {
            Span<int> message = [length];
            world.Send(MemoryMarshal.AsBytes(message), 0, LengthTag);
        }
    }

    private sealed class Taken(ICommunicator world, ProcessGrid grid, IRunRecorder recorder) : ReportStream
    {
        private readonly HashSet<int> _open = [.. Enumerable.Range(1, grid.Data - 1)];

        public override void Deliver(BatchReport report) => recorder.Take(report);

        public override void End()
        {
        }

        public override void TakeArrived(Action before)
        {
            foreach (var replica in _open.ToArray())
                while (_open.Contains(replica) && world.Probe(Source(replica), LengthTag))
                    if (Receive(replica) is { } report)
                    {
                        before();
                        recorder.Take(report);
                    }
        }

        public override void TakeRest()
        {
            foreach (var replica in _open.Order().ToArray())
                while (_open.Contains(replica))
                    if (Receive(replica) is { } report) recorder.Take(report);
        }

        private int Source(int replica) => grid.RankOf(new(0, 0, replica));

        /// <returns>Null where the replica has ended.</returns>
        private BatchReport? Receive(int replica)
        {
            var length = new int[1];
            world.Receive(MemoryMarshal.AsBytes(length.AsSpan()), Source(replica), LengthTag);
            if (length[0] == 0)
            {
                _open.Remove(replica);
                return null;
            }
            var body = new byte[length[0]];
            world.Receive(body, Source(replica), BodyTag);
            return BatchReport.Deserialize(body);
        }
    }
}
