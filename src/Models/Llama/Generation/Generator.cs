using System.Diagnostics;
using Harness.Tensors;

namespace Harness.Models.Llama.Generation;

/// <param name="EndOfText">Token ids that end a sequence; empty to ignore end-of-text.</param>
/// <param name="MicroBatches">Parts into which a batch is cut so that pipeline stages work at the same time.</param>
/// <param name="PrefillRows">Prompt tokens per pass, which bounds the activations' memory; where decoding sequences share the pass, they
/// count, too.</param>
public sealed record GenerationSettings(SamplingParameters Sampling, ulong Seed, IReadOnlySet<int> EndOfText, int MicroBatches = 1,
    int PrefillRows = GenerationSettings.DefaultPrefillRows)
{
    public const int DefaultPrefillRows = 1024;
}

/// <param name="Stopped">It was given up before all its sequences had finished.</param>
public readonly record struct Outcome(long StartTicks, long EndTicks, bool Stopped);

/// <summary>
/// Generates what a <see cref="Schedule"/> asks for. Every rank of a replica runs this same loop on the same sequences; only the
/// tokens travel, with what the sampling rank has to say.
/// </summary>
public sealed class Generator(ITensorBackend ops, LlamaStage stage, ReplicaGroup group, GenerationSettings settings)
{
    /// <summary>How long ranks sleep at most before they ask whether to stop.</summary>
    private static readonly long s_longestSleep = Stopwatch.Frequency;

    private readonly TokenSampler _sampler =
        new(ops, group.TensorLink, group.TensorRanks, group.VocabularyWidths, settings.Sampling, settings.Seed);
    private readonly Queue<(int[] Tokens, long Ticks, Notice Notice)> _sampled = [];

    /// <summary>Runs the schedule's sequences to their ends.</summary>
    /// <param name="schedule">New, with no more sequences in flight than the cache has slots.</param>
    /// <param name="stepDone">Called after each pass, in the order in which this rank completes them, on its thread.</param>
    /// <param name="stopRequested">Asked once per pass on the sampling rank; true ends the work on every rank.</param>
    /// <param name="waited">Called now and then, on every rank, while no request has arrived.</param>
    /// <param name="turnEnded">Told what this rank did with its time, turn after turn.</param>
    /// <exception cref="NonFiniteLogitsException">On every rank, where no token can be chosen.</exception>
    public Outcome Run(Schedule schedule, KvCache cache, Action<Step>? stepDone = null, Func<bool>? stopRequested = null,
        Action? waited = null, Action<Turn>? turnEnded = null)
    {
        var start = Begin(schedule);
        var running = new Queue<MicroBatch>(Enumerable.Range(0, schedule.Begin(settings, start)).Select(number => new MicroBatch(number)));
        var stopped = false;

        // The order of this loop is the pipeline's schedule: a micro-batch's tokens are awaited only when its turn comes
        // again, so that in the meantime this stage works on the others.
        while (running.TryDequeue(out var part))
        {
            if (part.UnderWay != null) Await(part);
            if (stopped || schedule.IsOver(part.Number)) continue;
            var now = Stopwatch.GetTimestamp();
            var chosen = schedule.Next(part.Number, now);
            if (chosen.Count > 0) Advance(part, part.Begin(chosen, now));
            else if (running.All(other => other.UnderWay == null)) AwaitArrival();
            running.Enqueue(part);
        }
        // A stop that was asked for during the last pass gives nothing up.
        return new(start, Stopwatch.GetTimestamp(), stopped && !schedule.IsDone);

        void Await(MicroBatch part)
        {
            var begin = Stopwatch.GetTimestamp();
            var (tokens, ticks, notice) = TokensOf(part);
            if (!group.Tokens.IsSampler) turnEnded?.Invoke(Turn.Waiting(begin, ticks));
            if (notice?.BrokenRow is { } row) throw Broken(part.UnderWay!.Value.Yields[row], cache);
            var (step, finished) = part.Complete(tokens, ticks, settings.EndOfText);
            finished.ForEach(schedule.Finished);
            if (notice is { } said) Take(said);
            stepDone?.Invoke(step);
        }

        void Advance(MicroBatch part, ForwardPass pass)
        {
            var before = group.LinkStatistics;
            Compute(part, pass);
            turnEnded?.Invoke(Turn.Of(part.UnderWay!.Value.Step, Stopwatch.GetTimestamp(), group.LinkStatistics - before));
        }

        // One pass through this stage; the last stage also samples, and tells the others.
        void Compute(MicroBatch part, ForwardPass pass)
        {
            using var scope = ops.Scope();
            if (stage.Forward(pass, cache) is not { } logits) return;
            var (tokens, broken) = _sampler.Sample(logits, part.UnderWay!.Value.Yields);
            if (!group.Tokens.IsSampler) return;
            var notice = Say(Stopwatch.GetTimestamp()) with { BrokenRow = broken };
            _sampled.Enqueue((tokens, Stopwatch.GetTimestamp(), notice));
            group.Tokens.Send(tokens, notice);
        }

        // Nothing is in flight: all ranks sleep, by their own clocks, and then hear whether somebody has come.
        void AwaitArrival()
        {
            var begin = Stopwatch.GetTimestamp();
            var until = Math.Min(schedule.NextArrivalTicks, begin + s_longestSleep);
            for (long left; (left = until - Stopwatch.GetTimestamp()) > 0;) Thread.Sleep((int)(left * 1000 / Stopwatch.Frequency) + 1);
            if (!group.Tokens.IsSampler) Take(group.Tokens.Receive(0).Notice);
            else
            {
                var notice = Say(Stopwatch.GetTimestamp());
                group.Tokens.Send([], notice);
                Take(notice);
            }
            turnEnded?.Invoke(Turn.Waiting(begin, Stopwatch.GetTimestamp()));
            waited?.Invoke();
        }

        Notice Say(long ticks) => new(stopRequested?.Invoke() == true, schedule.ArrivedBy(ticks));

        void Take(Notice notice)
        {
            stopped |= notice.Stop;
            schedule.Admit(notice.Arrived);
        }
    }

    /// <summary>
    /// When the schedule's clock begins. Where requests arrive, the sampling rank's begins behind all others': a request that has arrived
    /// by it has arrived by theirs, and gets no token before that.
    /// </summary>
    private long Begin(Schedule schedule)
    {
        var start = Stopwatch.GetTimestamp();
        if (!schedule.HasArrivals) return start;
        group.Tokens.AwaitOthers();
        return group.Tokens.IsSampler ? Stopwatch.GetTimestamp() : start;
    }

    /// <summary>
    /// Every rank awaits the same pass here, and nothing of a later one is under way between stages: what a stage has sent, the next has
    /// received in its turn.
    /// </summary>
    private NonFiniteLogitsException Broken(Sequence sequence, KvCache cache) =>
        new(sequence.Id, sequence.OutputLength, new NonFiniteSearch(ops, stage, group).Find(sequence, cache, settings.PrefillRows));

    /// <returns>No notice for a pass that only cached part of a prompt: nothing travels then.</returns>
    private (int[] Tokens, long Ticks, Notice? Notice) TokensOf(MicroBatch part)
    {
        var count = part.UnderWay!.Value.Yields.Count;
        if (count == 0) return ([], Stopwatch.GetTimestamp(), null);
        if (group.Tokens.IsSampler) return _sampled.Dequeue();
        var (tokens, notice) = group.Tokens.Receive(count);
        return (tokens, Stopwatch.GetTimestamp(), notice);
    }
}
