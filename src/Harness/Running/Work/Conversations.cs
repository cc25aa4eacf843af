using Harness.Common;
using Harness.Configuration;
using Harness.Models.Llama.Configuration;
using Harness.Models.Llama.Generation;

namespace Harness.Running;

/// <summary>
/// Conversations of several turns, as every rank of a replica carries them on: a turn's prompt is the conversation so far, with the
/// model's own answers, rendered and tokenised anew.
/// </summary>
internal sealed class Conversations
{
    /// <summary>Of neighbouring turns the random draws have nothing to do with each other: 2³² over the golden ratio.</summary>
    private const uint StreamOfTurn = 0x9E3779B1;

    private readonly Workload _workload;
    private readonly PromptForm _form;
    private readonly LlamaConfig _model;
    private readonly Dictionary<FinishedPrompt, string> _earlier;

    /// <summary>Of the pass under way, by the number of the first turn.</summary>
    private readonly Dictionary<int, List<string>> _answers = [];
    private (int Repeat, int Pass) _pass;

    private Conversations(Workload workload, PromptForm form, LlamaConfig model, IReadOnlyList<FinishedAnswer> earlier)
    {
        (_workload, _form, _model) = (workload, form, model);
        _earlier = earlier.ToDictionary(one => new FinishedPrompt(one.Repeat, one.Pass, one.Number), one => one.Text);
    }

    /// <param name="earlier">What earlier starts of the run got for answers.</param>
    /// <exception cref="UserErrorException">This rank's tokenizer or template is not rank 0's.</exception>
    public static Conversations Of(RunOptions options, Workload workload, LlamaConfig model, IReadOnlyList<FinishedAnswer> earlier)
    {
        var conversations = new Conversations(workload, PromptForm.Choose(options, [], Tokenizers.For(options.Model), cutBy: null), model,
            earlier);
        if (workload.Items.FirstOrDefault(item => item is { Turn: 1, Question.Length: > 0 } && !conversations.IdsOf(item, []).SequenceEqual(
            item.Tokens)) is { } other)
            throw new UserErrorException($"prompt {other.PromptIndex} has other tokens on {Environment.MachineName} than on rank 0; "
                + "give every node the same tokenizer and chat template");
        return conversations;
    }

    /// <summary>What is asked from now on is of this pass.</summary>
    public void Begin(int repeat, int pass)
    {
        _pass = (repeat, pass);
        _answers.Clear();
    }

    /// <summary>The first turn of a conversation that is not finished; null where it has no room any more.</summary>
    /// <param name="finished">Turns that are: of earlier starts.</param>
    public Sequence? Start(WorkItem first, IReadOnlySet<FinishedPrompt> finished)
    {
        var known = _workload.TurnsOf(first.Number).Select(number => new FinishedPrompt(_pass.Repeat, _pass.Pass, number))
            .TakeWhile(finished.Contains).ToList();
        if (known.Count == 0) return ReplicaWork.Sequence(first);
        _answers[first.Number] = [.. known.Select(turn => _earlier[turn])];
        return Next(first, known.Count + 1).FirstOrDefault(turn => turn.MaxNewTokens > 0);
    }

    /// <summary>What follows an answer: the next turn, or all those that have no room any more; none at a conversation's end.</summary>
    public IReadOnlyList<Sequence> After(Sequence ended)
    {
        var item = _workload.Items[ended.Id];
        var first = _workload.Items[ended.Id - item.Turn + 1];
        if (!_answers.TryGetValue(first.Number, out var answers)) _answers[first.Number] = answers = [];
        answers.Add(_form.AnswerOf(ended.Output));
        var next = Next(first, item.Turn + 1);
        // What does not fit has its row of the first pass: in every pass it is the same.
        return _pass.Pass == 0 ? next : [.. next.Where(turn => turn.MaxNewTokens > 0)];
    }

    private IReadOnlyList<Sequence> Next(WorkItem first, int turn)
    {
        WorkItem[] left = [.. _workload.TurnsOf(first.Number).Skip(turn - 1).Select(number => _workload.Items[number])];
        if (left is not [var item, ..]) return [];
        var prompt = IdsOf(item, _answers[first.Number]);
        Workload.CheckVocabulary(prompt, $"turn {turn} of prompt {item.PromptIndex}", _model);
        var room = Math.Min(first.Room - prompt.Length, item.MaxNewTokens);
        return room > 0 ? [TurnOf(item, prompt, room)] : [.. left.Select((one, i) => TurnOf(one, i == 0 ? prompt : [], 0))];
    }

    private int[] IdsOf(WorkItem turn, IReadOnlyList<string> answers) => _form.Encode(_form.Render(_workload.Conversation(turn, answers)));

    private static Sequence TurnOf(WorkItem item, int[] prompt, int room) =>
        new(item.Number, unchecked(item.PromptIndex + (int)((uint)(item.Turn - 1) * StreamOfTurn)), prompt, room);
}
