namespace Harness.Models.Llama.Generation;

/// <summary>
/// Which sequences take part in a micro-batch's next pass, and with how many tokens. Every rank of a replica keeps a copy of
/// its own, and all copies decide alike: by the tokens, and by what the sampling rank says has arrived.
/// </summary>
public abstract class Schedule
{
    /// <summary>Sequences that have begun and not finished.</summary>
    public abstract IEnumerable<Sequence> InFlight { get; }

    /// <summary>Sequences whose output stands, each once: those of which that is so since the last call.</summary>
    public abstract IReadOnlyList<Sequence> TakeFinished();

    /// <summary>Sequences that have got their last token.</summary>
    public int FinishedCount { get; private set; }

    /// <summary>Output tokens of those.</summary>
    public long FinishedTokens { get; private set; }

    /// <summary>Whether every sequence has finished.</summary>
    internal abstract bool IsDone { get; }

    /// <summary>Called once, before everything else.</summary>
    /// <returns>The number of micro-batches.</returns>
    internal abstract int Begin(GenerationSettings settings, long startTicks);

    /// <summary>
    /// What a micro-batch passes now: decoding sequences, one token each, then parts of prompts; empty while it has nothing to do.
    /// </summary>
    internal abstract List<(Sequence Sequence, int Tokens)> Next(int microBatch, long ticks);

    /// <summary>Whether a micro-batch will never have anything to do again.</summary>
    internal abstract bool IsOver(int microBatch);

    /// <summary>A sequence has got its last token.</summary>
    internal virtual void Finished(Sequence sequence)
    {
        FinishedCount++;
        FinishedTokens += sequence.OutputLength;
    }

    /// <summary>Whether requests arrive by a clock (open loop), rather than all wait from the start.</summary>
    internal virtual bool HasArrivals => false;

    /// <summary>Requests that have arrived by this rank's clock.</summary>
    internal virtual int ArrivedBy(long ticks) => 0;

    /// <summary>What the sampling rank says of <see cref="ArrivedBy"/>.</summary>
    internal virtual void Admit(int arrived) { }

    /// <summary>When the first request arrives that is not admitted yet, by this rank's clock.</summary>
    internal virtual long NextArrivalTicks => 0;

    /// <summary>Adds parts of prompts, in order, until there is no room for another token.</summary>
    private protected static void AddPrompts(List<(Sequence Sequence, int Tokens)> chosen, IEnumerable<Sequence> prompts, int room)
    {
        foreach (var sequence in prompts)
        {
            if (room <= 0) return;
            var count = Math.Min(room, sequence.PromptLength - sequence.Cached);
            chosen.Add((sequence, count));
            room -= count;
        }
    }
}
