using System.Security.Cryptography;
using System.Text;
using Harness.Common;
using Harness.Configuration;
using Harness.Datasets;
using Harness.Models.Llama.Templates;
using Harness.Models.Llama.Tokenizers;

namespace Harness.Running;

/// <summary>In which form prompts are asked: as their data set or a task renders them, or by the checkpoint's chat template.</summary>
internal sealed class PromptForm
{
    private const int ShownDigits = 12;

    private readonly string? _task;
    private readonly ChatForm? _chat;
    private readonly string _system;
    private readonly List<string> _notes = [];

    private PromptForm(ITokenizer tokenizer, string? task, ChatForm? chat, string system)
    {
        (Tokenizer, _task, _chat, _system) = (tokenizer, task, chat, system);
        EndOfText = chat?.Ends(tokenizer.EndOfText) ?? tokenizer.EndOfText;
    }

    public ITokenizer Tokenizer { get; }

    /// <summary>The ids that end an answer.</summary>
    public IReadOnlySet<int> EndOfText { get; }

    /// <summary>For the summary; null for the data set's own form.</summary>
    public string? Task => _chat != null ? PromptTask.Template : _task is PromptTask.Plain ? null : _task;

    /// <summary>The first digits of the template's SHA-256; null where none renders.</summary>
    public string? TemplateDigits => _chat?.Template.Digest[..ShownDigits];

    /// <summary>The same of the system prompt that the run gives; null where it gives none.</summary>
    public string? SystemDigits => _chat == null || _system.Length == 0 ? null
        : Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(_system)))[..ShownDigits];

    /// <summary>All of the template's SHA-256 and what it takes for today: what two starts of one run must share besides prompts.</summary>
    public string? Identity => _chat == null ? null : $"{_chat.Template.Digest} {Today}";

    /// <summary>For people, a line each; none where nothing but the data set's own form was possible.</summary>
    public IReadOnlyList<string> Notes => _notes;

    /// <summary>For the manifest.</summary>
    public object Described => _chat == null ? new { form = Task ?? PromptTask.Plain }
        : new
        {
            form = PromptTask.Template,
            file = _chat.Template.File,
            sha256 = _chat.Template.Digest,
            system = _system.Length > 0 ? _system : null,
            today = Today,
        };

    private static string Today => ChatTemplate.Date.ToString("yyyy-MM-dd", System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>As the data set renders them.</summary>
    public static PromptForm Plain(ITokenizer tokenizer) => new(tokenizer, null, null, "");

    /// <summary>As the run asks for, or as fits the checkpoint and the prompts where it asks for nothing.</summary>
    /// <param name="cutBy">What cuts or repeats prompts to a length; null where they stay as they are.</param>
    /// <exception cref="UserErrorException">There is no template, or it cannot do what is asked for.</exception>
    public static PromptForm Choose(RunOptions options, IReadOnlyList<Prompt> prompts, ITokenizer tokenizer,
        string? cutBy)
    {
        var (task, system) = (options.Dataset.Task, options.Dataset.System);
        if (cutBy != null && (task == PromptTask.Template || system.Length > 0))
            throw new UserErrorException($"{(system.Length > 0 ? "--system" : $"--task {task}")} is rendered by the chat template, whose "
                + $"form {cutBy} would cut or repeat; leave the switch out, or take the file's times alone with --lengths limit");
        if (task is not (null or PromptTask.Template)) return new(tokenizer, task, null, "");
        var directory = Tokenizers.DirectoryOf(options.Model);
        var file = directory == null ? null : ChatTemplate.FileOf(directory);
        if (file == null)
        {
            var asked = task != null ? $"--task {task}" : system.Length > 0 ? "--system" : null;
            return asked == null ? Plain(tokenizer) : throw new UserErrorException($"{asked} needs a chat template, and "
                + $"{directory ?? options.Model.Path} has none (chat_template.jinja, or chat_template in tokenizer_config.json); "
                + "copy it from where the checkpoint came from, or leave the switch out");
        }
        var whole = prompts.FirstOrDefault(prompt => !prompt.IsQuestion);
        if (task == null && (cutBy != null || whole != null))
        {
            if (system.Length > 0)
                throw new UserErrorException($"--system is rendered by the chat template alone, and {whole!.Source} is a whole prompt, "
                    + "which is asked as it is; add --task template");
            var plain = Plain(tokenizer);
            plain._notes.Add($"prompts are asked as they are, without the chat template of {file}: "
                + (cutBy != null ? $"{cutBy} would cut or repeat its form"
                    : $"{whole!.Source} is a whole prompt; --task template renders it as a question"));
            return plain;
        }
        if (tokenizer.Rendered is not { } texts)
            throw new UserErrorException($"--tokenizer-library {EnumWord.Of(options.Model.TokenizerLibrary)} finds no special tokens in "
                + $"texts, which the chat template of {file} needs; use --tokenizer-library {EnumWord.Of(TokenizerLibrary.Own)}, or "
                + "--task plain");
        var chat = new ChatForm(ChatTemplate.Find(directory!)!, texts, system);
        var form = new PromptForm(tokenizer, PromptTask.Template, chat, system);
        form._notes.Add($"prompts are rendered by the chat template of {file} (SHA-256 {form.TemplateDigits}…), "
            + $"{(system.Length > 0 ? "with the system prompt of --system" : "without a system prompt of the run's own")}; "
            + "--task plain asks without it");
        return form;
    }

    /// <summary>Prompts in this form.</summary>
    /// <exception cref="UserErrorException">One of them cannot be asked in it.</exception>
    public IReadOnlyList<Prompt> Apply(IReadOnlyList<Prompt> prompts)
    {
        if (_chat == null) return [.. prompts.Select(prompt => PromptTask.Apply(_task, prompt))];
        Prompt[] rendered = [.. prompts.Select(prompt => prompt with { Text = Rendered(_chat, prompt) })];
        var special = (from prompt in prompts
                       let tokens = prompt.Conversation.Select(message => message.Content).Concat(prompt.Later).Select(_chat.SpecialTokenIn)
                       let token = tokens.FirstOrDefault(one => one != null)
                       where token != null
                       select (prompt.Source, Token: token)).ToList();
        if (special is [var (source, name), ..])
            _notes.Add($"the name of a special token stands in {special.Count} of {Figures.Count(prompts.Count, "prompt")} and becomes "
                + $"that token, as in transformers: first {name} in {source}");
        if (Tokenizer.BeginOfText is { } begin && rendered.Length > 0 && _chat.Encode(rendered[0].Text) is var ids
            && (ids.Length == 0 || ids[0] != begin))
            _notes.Add($"{_chat.Template.File} renders no beginning-of-text, which plain prompts have ({begin}): none stands in front of "
                + "these, as in transformers");
        return rendered;
    }

    /// <summary>The text of an answer.</summary>
    public string AnswerOf(int[] output) => Tokenizer.Decode(output, continuation: true);

    /// <summary>The ids of a prompt in this form.</summary>
    public int[] Encode(Prompt prompt) => Encode(prompt.Text);

    /// <inheritdoc cref="Encode(Prompt)"/>
    public int[] Encode(string text) => _chat?.Encode(text) ?? Tokenizer.Encode(text, addBeginOfText: true);

    /// <summary>
    /// A conversation of user and assistant in turn, up to a question: by the template, or without one what both said as it stands, an
    /// empty line behind each answer.
    /// </summary>
    /// <exception cref="UserErrorException">The template refuses it.</exception>
    public string Render(IReadOnlyList<ChatMessage> conversation) => _chat?.Render(conversation)
        ?? string.Concat(conversation.Select(message => message.Role == "user" ? message.Content : message.Content + "\n\n"));

    private static string Rendered(ChatForm chat, Prompt prompt)
    {
        PromptTask.RefuseEmpty(PromptTask.Template, prompt);
        try { return chat.Render(prompt.Conversation); }
        catch (UserErrorException e) { throw new UserErrorException($"{prompt.Source}: {e.Message}", e); }
    }
}
