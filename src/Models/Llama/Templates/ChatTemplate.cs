using System.Security.Cryptography;
using System.Text;
using Harness.Common;
using Harness.Models.Llama.Configuration;
using Harness.Models.Llama.Tokenizers;

namespace Harness.Models.Llama.Templates;

/// <summary>One turn of a conversation.</summary>
/// <param name="Role">system, user or assistant.</param>
public sealed record ChatMessage(string Role, string Content);

/// <summary>
/// The form in which a checkpoint was trained to be asked: <c>chat_template.jinja</c>, or else <c>chat_template</c> of
/// tokenizer_config.json, rendered as transformers does (<c>render_jinja_template</c> of utils/chat_template_utils.py): jinja2's sandbox
/// with trim_blocks, lstrip_blocks, loopcontrols and <c>generation</c>. What published templates do not use is refused by name and line.
/// </summary>
public sealed class ChatTemplate
{
    private const string OwnFile = "chat_template.jinja";

    private readonly IReadOnlyList<Statement> _body;
    private readonly IReadOnlyDictionary<string, string> _specialTokens;

    /// <summary>Where it stands, for people.</summary>
    public string File { get; }

    /// <summary>SHA-256 of its UTF-8, in hexadecimal digits.</summary>
    public string Digest { get; }

    /// <summary>What its <c>strftime_now</c> takes for today.</summary>
    public static DateOnly Date => Globals.Today;

    /// <param name="file">Named in errors.</param>
    /// <param name="specialTokens">bos_token and its like, by those names.</param>
    /// <exception cref="UserErrorException">It is no template, or asks for something that is not supported.</exception>
    public ChatTemplate(string file, string source, IReadOnlyDictionary<string, string> specialTokens)
    {
        (File, _specialTokens) = (file, specialTokens);
        Digest = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(source)));
        try { _body = TemplateParser.Parse(source); }
        catch (TemplateFault fault) { throw Refused(fault, 1); }
    }

    /// <returns>Null where the checkpoint has none.</returns>
    /// <exception cref="UserErrorException">It has one that cannot be read or followed.</exception>
    public static ChatTemplate? Find(string directory)
    {
        var tokens = CheckpointTokens.Read(directory).Named;
        if (Own(directory) is { } own) return new(own, Utf8(own, InputFile.Read(own)), tokens);
        return InConfiguration(directory) is { } section ? new(PlaceOf(section), Chosen(section), tokens) : null;
    }

    /// <summary>Where a checkpoint's template stands, without looking at what it says; null where it has none.</summary>
    public static string? FileOf(string directory) =>
        Own(directory) ?? (InConfiguration(directory) is { } section ? PlaceOf(section) : null);

    private static string? Own(string directory) =>
        Path.Combine(directory, OwnFile) is var file && System.IO.File.Exists(file) ? file : null;

    private static JsonSection? InConfiguration(string directory)
    {
        var file = Path.Combine(directory, CheckpointKeys.TokenizerConfig.File);
        if (!System.IO.File.Exists(file)) return null;
        var section = JsonSection.Open(file, InputFile.Read(file))["chat_template"];
        return section.IsNull ? null : section;
    }

    private static string PlaceOf(JsonSection section) => $"{section.File}: {section.Path}";

    /// <summary>The conversation, and the beginning of the answer behind it.</summary>
    /// <exception cref="UserErrorException">The template refuses the messages, or does what is not supported.</exception>
    public string Render(IReadOnlyList<ChatMessage> messages) => Render(new Dictionary<string, object?>
    {
        ["messages"] = messages.Select(message => (object?)new OrderedDictionary<string, object?>
        {
            ["role"] = message.Role,
            ["content"] = message.Content,
        }).ToList(),
        ["tools"] = null,
        ["documents"] = null,
        ["add_generation_prompt"] = true,
    }, messages.Sum(message => (long)message.Content.Length));

    /// <param name="names">What the template finds beside functions and special tokens.</param>
    /// <param name="characters">Of them.</param>
    internal string Render(IReadOnlyDictionary<string, object?> names, long characters)
    {
        var budget = Budget.For(characters);
        var globals = new Frame(null, budget);
        Globals.Add(globals);
        foreach (var (name, token) in _specialTokens) globals.Set(name, token);
        foreach (var (name, value) in names) globals.Set(name, value);
        try
        {
            return Statement.Rendered(_body, globals.Inner());
        }
        catch (TemplateFault fault)
        {
            throw Refused(fault, budget.Line);
        }
        catch (TemplateRefusal refusal)
        {
            throw new UserErrorException($"{File}, line {budget.Line} of the template refuses what it is asked to render: "
                + $"{refusal.Message}; ask without --system where it has no such role, or with --task plain", refusal);
        }
    }

    private UserErrorException Refused(TemplateFault fault, int line) =>
        new($"{File}, line {fault.Line ?? line} of the template: {fault.Message}; --task plain asks without a template", fault);

    /// <summary>A text, or a list of templates by name, of which the one for plain conversations is taken, as transformers does.</summary>
    private static string Chosen(JsonSection section)
    {
        if (section.Element.ValueKind != System.Text.Json.JsonValueKind.Array) return section.Text();
        foreach (var entry in section.Items())
            if (entry["name"].Text() == "default") return entry["template"].Text();
        throw section.Refusal("none of its templates is called 'default'");
    }

    private static string Utf8(string file, byte[] data)
    {
        try { return new UTF8Encoding(false, true).GetString(data); }
        catch (DecoderFallbackException e) { throw new UserErrorException($"{file} is not UTF-8; fetch the file again", e); }
    }
}
