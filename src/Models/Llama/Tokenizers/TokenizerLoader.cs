using Harness.Common;

namespace Harness.Models.Llama.Tokenizers;

/// <summary>Finds and reads the tokenizer of a checkpoint.</summary>
public static class TokenizerLoader
{
    // As transformers: the conversion goes first, since added tokens stand in it alone. original/ is where Llama 3 keeps Meta's file.
    private static readonly string[] s_names = ["tokenizer.json", "tokenizer.model", "original/tokenizer.model"];

    /// <summary>
    /// The first of <c>tokenizer.json</c>, <c>tokenizer.model</c> and <c>original/tokenizer.model</c>. What a
    /// <c>tokenizer.model</c> is, SentencePiece or tiktoken, is seen from its content.
    /// </summary>
    /// <exception cref="UserErrorException">There is none, or it is damaged, or of a kind that is not supported.</exception>
    public static ITokenizer Load(string checkpointDirectory) => Load(checkpointDirectory, new OwnTokenizers());

    /// <inheritdoc cref="Load(string)"/>
    public static ITokenizer Load(string checkpointDirectory, ITokenizerFactory factory) =>
        factory.Create(Find(checkpointDirectory, factory.Reads));

    /// <summary>The file that <see cref="Load(string)"/> takes, read.</summary>
    /// <param name="reads">The formats in question; where there is no file of any of them, the first file is taken.</param>
    /// <exception cref="UserErrorException">There is none, or it cannot be read.</exception>
    public static TokenizerFile Find(string checkpointDirectory, Func<TokenizerFormat, bool>? reads = null)
    {
        if (!Directory.Exists(checkpointDirectory))
            throw new UserErrorException($"{checkpointDirectory}: no such directory; Model:Path must name a checkpoint's directory");
        string[] files = [.. s_names.Select(name => Path.Combine(checkpointDirectory, name)).Where(File.Exists)];
        if (files.Length == 0)
            throw new UserErrorException($"{checkpointDirectory}: no tokenizer ({string.Join(", ", s_names)}); "
                + "copy it from where the checkpoint came from");
        var tokens = CheckpointTokens.Read(checkpointDirectory);
        TokenizerFile? first = null;
        foreach (var file in files)
        {
            var data = InputFile.Read(file);
            var format = file.EndsWith(".json")
                ? TokenizerFormat.HuggingFace : IsRankList(data) ? TokenizerFormat.Tiktoken : TokenizerFormat.SentencePiece;
            var found = new TokenizerFile(file, format, data, tokens);
            if (reads == null || reads(format))
                return found with
                {
                    Beside = files.FirstOrDefault(other => other != file && Path.GetDirectoryName(other) == checkpointDirectory),
                };
            first ??= found;
        }
        return first!;
    }

    /// <summary>A first line of printable characters with a space: a protobuf message starts with a control byte.</summary>
    internal static bool IsRankList(ReadOnlySpan<byte> data)
    {
        var line = data[..Math.Min(data.Length, 4096)];
        if (line.IndexOf((byte)'\n') is >= 0 and var end) line = line[..end];
        line = line.TrimEnd((byte)'\r');
        return line.Contains((byte)' ') && !line.ContainsAnyExceptInRange((byte)' ', (byte)'~');
    }
}
