namespace Harness.Models.Llama.Generation;

/// <summary>One prompt on its way through the model: what goes in, and what has come out so far.</summary>
/// <param name="id">Its number in the workload.</param>
/// <param name="stream">With the seed it fixes the random draws: the prompt's place in its data set, whatever was drawn with it.</param>
/// <param name="prompt">Token ids, beginning-of-text included; at least one.</param>
/// <param name="maxNewTokens">Tokens after which generation ends with reason length; 0 for one that has no room and is not
/// generated.</param>
public sealed class Sequence(int id, int stream, int[] prompt, int maxNewTokens)
{
    private readonly List<int> _tokens = [.. prompt];

    public int Id => id;
    public int Stream => stream;
    public int PromptLength => prompt.Length;
    public int MaxNewTokens => maxNewTokens;

    /// <summary>Prompt and output, as the repetition penalty sees them.</summary>
    public IReadOnlyList<int> Tokens => _tokens;
    public int OutputLength => _tokens.Count - prompt.Length;
    public int[] Output => [.. _tokens.Skip(prompt.Length)];

    /// <summary>When its clock began, in Stopwatch ticks: the batch's start, or its own arrival, or when it got a slot.</summary>
    public long StartTicks { get; private set; }

    /// <summary>From its arrival until it got a slot; null where requests do not arrive.</summary>
    public long? QueueTicks { get; private set; }

    /// <summary>When each output token was known, in Stopwatch ticks.</summary>
    public List<long> TokenTicks { get; } = [];

    /// <summary>How it ended: with an end-of-text token, or (false) at its number of tokens; null while it goes on.</summary>
    public bool? ReachedEndOfText { get; private set; }
    public bool IsFinished => ReachedEndOfText != null;

    /// <summary>Tokens whose keys and values are in the cache.</summary>
    internal int Cached { get; set; }
    internal int Slot { get; private set; }
    internal bool InPrefill => Cached < PromptLength;

    /// <summary>Tokens of the prompt whose keys and values were there already, of the turn before.</summary>
    public int FromCache { get; private set; }

    /// <summary>
    /// The next turn of a conversation: it arrives when the answer before it is known, has the same slot, and computes what of its prompt
    /// is not there yet; the last token at least, whose logits are the first of the answer.
    /// </summary>
    internal void Follow(Sequence before)
    {
        TakeSlot(before.Slot, before.TokenTicks[^1], before.QueueTicks == null ? null : 0);
        if (MaxNewTokens == 0) return;
        var most = Math.Min(before.Cached, PromptLength - 1);
        while (FromCache < most && before._tokens[FromCache] == _tokens[FromCache]) FromCache++;
        Cached = FromCache;
    }

    internal void TakeSlot(int slot, long startTicks, long? queueTicks = null) =>
        (Slot, StartTicks, QueueTicks) = (slot, startTicks, queueTicks);

    internal void Append(int token, long ticks, IReadOnlySet<int> endOfText)
    {
        _tokens.Add(token);
        TokenTicks.Add(ticks);
        if (endOfText.Contains(token)) ReachedEndOfText = true;
        else if (OutputLength == maxNewTokens) ReachedEndOfText = false;
    }
}
