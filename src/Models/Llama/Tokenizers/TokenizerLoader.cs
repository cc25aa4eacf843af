using Harness.Tensors;

namespace Harness.Models.Llama.Tokenizers;

/// <summary>Finds and reads the tokenizer of a checkpoint.</summary>
public static class TokenizerLoader
{
    // The file the model was trained with before the conversion of it; original/ is where Llama 3 keeps the former.
    static readonly string[] Names = ["tokenizer.model", "tokenizer.json", "original/tokenizer.model"];

    /// <summary>
    /// The first of <c>tokenizer.model</c>, <c>tokenizer.json</c> and <c>original/tokenizer.model</c>. What a
    /// <c>tokenizer.model</c> is, SentencePiece or tiktoken, is seen from its content.
    /// </summary>
    /// <exception cref="UserErrorException">There is none, or it is damaged, or of a kind that is not supported.</exception>
    public static ITokenizer Load(string checkpointDirectory) => new OwnTokenizers().Create(Find(checkpointDirectory));

    /// <summary>The file that <see cref="Load"/> takes, read.</summary>
    /// <exception cref="UserErrorException">There is none, or it cannot be read.</exception>
    public static TokenizerFile Find(string checkpointDirectory)
    {
        if (!Directory.Exists(checkpointDirectory))
            throw new UserErrorException($"{checkpointDirectory}: no such directory; Model:Path must name a checkpoint's directory");
        var file = Names.Select(name => Path.Combine(checkpointDirectory, name)).FirstOrDefault(File.Exists)
            ?? throw new UserErrorException($"{checkpointDirectory}: no tokenizer ({string.Join(", ", Names)}); copy it from where the checkpoint came from");
        var data = Read(file);
        var format = file.EndsWith(".json") ? TokenizerFormat.HuggingFace : IsRankList(data) ? TokenizerFormat.Tiktoken : TokenizerFormat.SentencePiece;
        return new(file, format, data, CheckpointTokens.Read(checkpointDirectory));
    }

    /// <summary>The content of a file of the checkpoint.</summary>
    /// <exception cref="UserErrorException">It cannot be read, or what is there is no content yet.</exception>
    internal static byte[] Read(string file)
    {
        byte[] data;
        try
        {
            data = File.ReadAllBytes(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"{file}: cannot be read: {e.Message}; check the file's permissions", e);
        }
        if (data.Length == 0) throw new UserErrorException($"{file}: the file is empty; fetch it again");
        if (data.AsSpan().StartsWith("version https://git-lfs"u8))
            throw new UserErrorException($"{file}: a Git LFS pointer, not the file itself; run 'git lfs pull' in the checkpoint");
        return data;
    }

    /// <summary>A first line of printable characters with a space: a protobuf message starts with a control byte.</summary>
    static bool IsRankList(ReadOnlySpan<byte> data)
    {
        var line = data[..Math.Min(data.Length, 4096)];
        if (line.IndexOf((byte)'\n') is >= 0 and var end) line = line[..end];
        line = line.TrimEnd((byte)'\r');
        return line.Contains((byte)' ') && !line.ContainsAnyExceptInRange((byte)' ', (byte)'~');
    }
}
