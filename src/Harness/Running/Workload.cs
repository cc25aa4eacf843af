using System.Runtime.InteropServices;
using System.Text;
using Harness.Common;
using Harness.Configuration;
using Harness.Datasets;
using Harness.Models.Llama.Configuration;
using Harness.Models.Llama.Templates;
using Harness.Models.Llama.Tokenizers;
using Harness.Sharding;

namespace Harness.Running;

/// <summary>One prompt as every rank needs it.</summary>
/// <param name="Number">Its place in the workload.</param>
/// <param name="PromptIndex">Its place in its data set.</param>
/// <param name="Tokens">Beginning-of-text first.</param>
/// <param name="MaxNewTokens">0 for a prompt that does not fit the context.</param>
/// <param name="ArrivalSeconds">After the first of a file of arrivals; null without one.</param>
internal sealed record WorkItem(int Number, int PromptIndex, int[] Tokens, int MaxNewTokens, double? ArrivalSeconds = null)
{
    public bool Fits => MaxNewTokens > 0;

    /// <summary>
    /// Of its conversation, from 1. Later ones follow the first in the workload, and have no tokens before they are asked.
    /// </summary>
    public int Turn { get; init; } = 1;

    /// <summary>What the user says, where conversations have several turns; else empty.</summary>
    public string Question { get; init; } = "";

    /// <summary>Tokens of prompt and output together; of a conversation's first turn those of all its turns, at most.</summary>
    public int Room { get; init; } = Tokens.Length + MaxNewTokens;
}

/// <summary>The run's prompts in order. Rank 0 reads and tokenises them once and tells the others.</summary>
internal sealed record Workload(IReadOnlyList<WorkItem> Items, IReadOnlySet<int> EndOfText)
{
    /// <summary>Batches of prompts that fit; the last may be smaller.</summary>
    public IReadOnlyList<WorkItem[]> Batches(int size) => [.. Items.Where(item => item.Fits).Chunk(size)];

    /// <summary>Tokens of the longest sequence, prompt and output.</summary>
    public int LongestSequence => Items.Where(item => item.Fits).Select(item => item.Room).DefaultIfEmpty(1).Max();

    /// <summary>Whether a conversation goes on after its first answer.</summary>
    public bool HasTurns { get; } = Items.Any(item => item.Turn > 1);

    /// <summary>Numbers of the turns of a conversation.</summary>
    /// <param name="first">Of its first.</param>
    public IEnumerable<int> TurnsOf(int first) =>
        Enumerable.Range(first, Items.Count - first).TakeWhile((number, i) => Items[number].Turn == i + 1);

    /// <summary>What was said up to a turn's question.</summary>
    /// <param name="answers">To the turns before it.</param>
    public IReadOnlyList<ChatMessage> Conversation(WorkItem turn, IReadOnlyList<string> answers)
    {
        var first = turn.Number - turn.Turn + 1;
        return [.. Enumerable.Range(0, turn.Turn - 1).SelectMany(i => (ChatMessage[])
            [new("user", Items[first + i].Question), new("assistant", answers[i])]), new("user", turn.Question)];
    }

    /// <param name="inputTokens">Tokens to which every prompt is brought; 0 leaves them as they are.</param>
    /// <param name="arrivals">Of each prompt, with the lengths that it is to have; null where no file says when they arrive.</param>
    public static Workload Of(IReadOnlyList<Prompt> prompts, PromptForm form, GenerationOptions generation, int inputTokens,
        LlamaConfig model, IProgressReporter progress, ArrivalTrace? arrivals = null)
    {
        var tokenizer = form.Tokenizer;
        if (generation.Lengths == OutputLengths.Reference && prompts.All(prompt => prompt.ReferenceOutput == null))
            throw Settings.Of(options => options.Generation.Lengths).Wrong(EnumWord.Of(OutputLengths.Reference),
                "limit, since these prompts have no replies of their own whose lengths could be taken,");
        var limit = generation.MaxLength > 0 ? Math.Min(generation.MaxLength, model.MaxPositions) : model.MaxPositions;
        if (inputTokens >= limit)
            throw new UserErrorException($"--input-tokens is {inputTokens}, but prompt and output together have room for {limit} tokens; "
                + "use fewer, or a larger --max-length where the model allows it");
        // Of fixed lengths, both are: an output that ends early for lack of room would be of another length than the study says.
        if (inputTokens > 0 && generation.IgnoreEos && generation.Lengths != OutputLengths.Reference
            && (long)inputTokens + generation.MaxNewTokens > limit)
            throw new UserErrorException($"--input-tokens {inputTokens} and --max-new-tokens {generation.MaxNewTokens} make "
                + $"{(long)inputTokens + generation.MaxNewTokens} tokens, but prompt and output together have room for {limit}; use "
                + "fewer, or a larger --max-length where the model allows it");
        var items = new List<WorkItem>(prompts.Count);
        using var bar = progress.Begin("tokenizing", StageUnit.Prompts, prompts.Count);
        // One core: preparation is short beside a run, and other ranks of this node are waiting for theirs.
        for (var i = 0; i < prompts.Count; i++)
        {
            var tokens = form.Encode(prompts[i]);
            CheckVocabulary(tokens, prompts[i].Source, model);
            var arrival = arrivals?.Used[i];
            var length = arrival?.InputTokens ?? inputTokens;
            if (length > 0 && length < limit) tokens = Fit(tokens, BeginTokens(tokens, tokenizer), length, prompts[i].Source);
            var room = Math.Clamp(limit - tokens.Length, 0, arrival?.OutputTokens ?? OutputLimit(prompts[i], tokenizer, generation));
            var first = new WorkItem(items.Count, prompts[i].Index, tokens, tokens.Length > 0 ? room : 0, arrival?.Seconds);
            items.AddRange(TurnsOf(first, prompts[i], form, generation.MaxNewTokens, limit));
            bar.Report(StageProgress.Of(i + 1));
        }
        if (arrivals is { InputColumn: not null } or { OutputColumn: not null }) CheckRoom(items, arrivals, generation.MaxNewTokens, limit);
        var runsOn = generation.IgnoreEos || generation.Lengths == OutputLengths.Reference || arrivals?.OutputColumn != null;
        return new(items, runsOn ? new HashSet<int>() : form.EndOfText);
    }

    /// <summary>
    /// A conversation's turns. It has room for what the user says and for as many tokens of each answer as there may be: answers become
    /// text and tokens again, and these may be a few more.
    /// </summary>
    private static IEnumerable<WorkItem> TurnsOf(WorkItem first, Prompt prompt, PromptForm form, int maxNewTokens, int limit)
    {
        if (prompt.Later.Count == 0) return [first];
        const string Answer = ".";
        const int Spare = 16;
        var said = new List<ChatMessage> { new("user", prompt.Question) };
        foreach (var question in prompt.Later) said.AddRange([new("assistant", Answer), new("user", question)]);
        string rendered;
        try { rendered = form.Render(said); }
        catch (UserErrorException e) { throw new UserErrorException($"{prompt.Source}, of several turns: {e.Message}", e); }
        var room = form.Encode(rendered).Length + (prompt.Later.Count + 1L) * (maxNewTokens + Spare);
        return
        [
            first with { Question = prompt.Question, Room = first.Fits ? (int)Math.Min(limit, room) : 0 },
            .. prompt.Later.Select((question, i) => new WorkItem(first.Number + 1 + i, prompt.Index, [], first.Fits ? maxNewTokens : 0)
            {
                Turn = i + 2,
                Question = question,
            }),
        ];
    }

    /// <summary>Lengths that a file asks for are had exactly, or the run is refused before anything is loaded.</summary>
    /// <param name="limit">Tokens of prompt and output together.</param>
    private static void CheckRoom(List<WorkItem> items, ArrivalTrace arrivals, int maxNewTokens, int limit)
    {
        const string TimesAlone = "or take its times alone with --lengths limit";
        var asked = items.Zip(arrivals.Used).ToList();
        if (asked.FindAll(one => one.Second.OutputTokens > maxNewTokens) is [_, ..] longer)
            throw new UserErrorException($"{arrivals.Path}: {Count(longer.Count)} {arrivals.OutputColumn} above --max-new-tokens "
                + $"{maxNewTokens}; give --max-new-tokens {longer.Max(one => one.Second.OutputTokens)}, {TimesAlone}");
        var whole = asked.FindAll(one => one.Second is { InputTokens: not null } or { OutputTokens: not null }
            && (one.Second.InputTokens ?? one.First.Tokens.Length) + (one.Second.OutputTokens ?? 1L) > limit);
        if (whole is not [var (item, arrival), ..]) return;
        throw new UserErrorException($"{arrivals.Path}: {Count(whole.Count)} more tokens than prompt and output together have room for "
            + $"({limit}), first {arrival.InputTokens ?? item.Tokens.Length} and {arrival.OutputTokens ?? 1} in line {arrival.Line}; use a "
            + $"model of longer context, or a larger --max-length where one is set, {TimesAlone}");

        string Count(int count) => $"{count} of {Figures.Count(items.Count, "request")} {(count == 1 ? "has" : "have")}";
    }

    /// <summary>The first tokens of a longer prompt; a shorter one again and again behind one beginning-of-text.</summary>
    /// <param name="begin">Tokens in front that are not repeated.</param>
    private static int[] Fit(int[] tokens, int begin, int count, string source)
    {
        if (tokens.Length <= begin) throw new UserErrorException($"{source} has no tokens that could be repeated to --input-tokens "
            + $"{count}; remove the prompt");
        return [.. Enumerable.Range(0, count)
            .Select(i => i < tokens.Length ? tokens[i] : tokens[begin + (i - begin) % (tokens.Length - begin)])];
    }

    /// <summary>1 where a beginning-of-text stands in front; 0 for models that were trained without one.</summary>
    public static int BeginTokens(ReadOnlySpan<int> tokens, ITokenizer tokenizer) =>
        tokenizer.BeginOfText is { } begin && tokens.Length > 0 && tokens[0] == begin ? 1 : 0;

    /// <summary>
    /// Tokens of the data set's own reply, where lengths follow it; one for an empty reply, since every prompt yields a token.
    /// </summary>
    private static int OutputLimit(Prompt prompt, ITokenizer tokenizer, GenerationOptions generation) =>
        generation.Lengths == OutputLengths.Reference
        ? Math.Clamp(tokenizer.Encode(prompt.ReferenceOutput ?? "", addBeginOfText: false).Length, 1, generation.MaxNewTokens)
        : generation.MaxNewTokens;

    /// <exception cref="UserErrorException">The model has no embedding for one of the tokens.</exception>
    public static void CheckVocabulary(int[] tokens, string source, LlamaConfig model)
    {
        if (tokens.FirstOrDefault(token => token >= model.Shape.Vocabulary, -1) is >= 0 and var foreign)
            throw new UserErrorException($"the tokenizer gives token {foreign} for {source}, but the model has {model.Shape.Vocabulary}; "
                + "tokenizer and checkpoint do not belong together");
    }

    /// <summary>Rank 0 gives its workload, every rank gets it.</summary>
    public static Workload Share(ICommunicator world, Workload? mine)
    {
        var bytes = mine?.Serialize() ?? [];
        Span<long> length = [bytes.Length];
        world.Broadcast(MemoryMarshal.AsBytes(length), 0);
        if (length[0] > Array.MaxLength)
            throw new UserErrorException($"the prompts are {length[0]} bytes of tokens, more than ranks can share; use --limit");
        if (mine == null) bytes = new byte[length[0]];
        world.Broadcast(bytes, 0);
        return mine ?? Deserialize(bytes);
    }

    private byte[] Serialize()
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream, Encoding.UTF8);
        writer.Write(EndOfText.Count);
        foreach (var token in EndOfText) writer.Write(token);
        writer.Write(Items.Count);
        foreach (var item in Items)
        {
            writer.Write(item.PromptIndex);
            writer.Write(item.MaxNewTokens);
            writer.Write(item.ArrivalSeconds ?? double.NaN);
            writer.Write(item.Turn);
            writer.Write(item.Question);
            writer.Write(item.Room);
            writer.Write(item.Tokens.Length);
            writer.Write(MemoryMarshal.AsBytes(item.Tokens.AsSpan()));
        }
        return stream.ToArray();
    }

    private static Workload Deserialize(byte[] bytes)
    {
        using var reader = new BinaryReader(new MemoryStream(bytes));
        var endOfText = Enumerable.Range(0, reader.ReadInt32()).Select(_ => reader.ReadInt32()).ToHashSet();
        var items = new WorkItem[reader.ReadInt32()];
        for (var i = 0; i < items.Length; i++)
        {
            var (index, most, arrival) = (reader.ReadInt32(), reader.ReadInt32(), reader.ReadDouble());
            var (turn, question, room) = (reader.ReadInt32(), reader.ReadString(), reader.ReadInt32());
            var tokens = new int[reader.ReadInt32()];
            reader.BaseStream.ReadExactly(MemoryMarshal.AsBytes(tokens.AsSpan()));
            items[i] = new(i, index, tokens, most, double.IsNaN(arrival) ? null : arrival)
            {
                Turn = turn,
                Question = question,
                Room = room,
            };
        }
        return new(items, endOfText);
    }
}
