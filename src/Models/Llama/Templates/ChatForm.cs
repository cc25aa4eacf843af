using Harness.Common;
using Harness.Models.Llama.Tokenizers;

namespace Harness.Models.Llama.Templates;

/// <summary>How a run asks by a chat template: with which system prompt, and by which tokenizer the renderings become ids.</summary>
public sealed class ChatForm
{
    private const string System = "system";

    private readonly IRenderedTexts _texts;
    private readonly string _system;

    public ChatTemplate Template { get; }

    /// <param name="system">Of every conversation; empty leaves it to the template and to the conversations.</param>
    /// <exception cref="UserErrorException">The template has no place for a system prompt.</exception>
    public ChatForm(ChatTemplate template, IRenderedTexts texts, string system)
    {
        (Template, _texts, _system) = (template, texts, system);
        // Neither the template nor a question has this text by chance.
        const string Probe = "a9f0c53e system";
        if (system.Length > 0 && !template.Render([new(System, Probe), new("user", ".")]).Contains(Probe, StringComparison.Ordinal))
            throw new UserErrorException($"{template.File} renders no system prompt: --system would have no effect; leave it out, or write "
                + "it into the prompts");
    }

    /// <summary>A conversation, and the beginning of the answer behind it.</summary>
    /// <exception cref="UserErrorException">The template refuses it, or drops a message.</exception>
    public string Render(IReadOnlyList<ChatMessage> messages)
    {
        if (_system.Length > 0)
        {
            if (messages.Any(message => message.Role == System))
                throw new UserErrorException("the conversation has a system prompt of its own; leave --system out, or remove that one");
            messages = [new(System, _system), .. messages];
        }
        var rendering = Template.Render(messages);
        // Templates trim what they render. What an assistant thought is left out by some on purpose.
        foreach (var message in messages.Where(message => message.Role != "assistant"))
            if (!rendering.Contains(PythonText.Trim(message.Content), StringComparison.Ordinal))
                throw new UserErrorException($"{Template.File} does not render what the {message.Role} says, so that the answer would be "
                    + "to another question; ask with --task plain");
        return rendering;
    }

    public int[] Encode(string rendering) => _texts.Encode(rendering);

    /// <inheritdoc cref="IRenderedTexts.SpecialTokenIn"/>
    public string? SpecialTokenIn(string text) => _texts.SpecialTokenIn(text);

    /// <summary>The ids that end an answer: those that end generation, and the eos_token that ends a turn.</summary>
    public IReadOnlySet<int> Ends(IReadOnlySet<int> ofGeneration) =>
        _texts.EndOfTurn is { } end ? ofGeneration.Append(end).ToHashSet() : ofGeneration;
}
