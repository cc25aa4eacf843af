using Harness.Common;

namespace Harness.Models.Llama.Tokenizers;

/// <summary>The kinds of pieces, numbered as in sentencepiece_model.proto.</summary>
internal enum PieceType
{
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}

internal readonly record struct SentencePiece(string Text, float Score, PieceType Type);

/// <summary>
/// What a SentencePiece <c>tokenizer.model</c> says, with the defaults of
/// https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto. Only byte-pair models whose
/// normalisation is the identity are accepted, as every LLaMA's is; others are refused by name.
/// </summary>
internal sealed class SentencePieceModel
{
    private const int Bpe = 2;
    private static readonly string[] s_modelTypes = ["0", "unigram", "bpe", "word", "char"];

    private int modelType = 1;
    private string normalizerName = "";
    private bool hasCharacterMap;
    private bool whitespaceAsSuffix;

    public List<SentencePiece> Pieces { get; } = [];
    public bool ByteFallback { get; private set; }
    public string UnknownSurface { get; private set; } = " ⁇ ";
    public string BeginPiece { get; private set; } = "<s>";
    public string EndPiece { get; private set; } = "</s>";
    public bool AddDummyPrefix { get; private set; } = true;
    public bool RemoveExtraWhitespaces { get; private set; } = true;
    public bool EscapeWhitespaces { get; private set; } = true;

    /// <exception cref="UserErrorException">The data are damaged, or ask for something this reader does not do.</exception>
    public static SentencePieceModel Parse(string path, ReadOnlySpan<byte> data)
    {
        var model = new SentencePieceModel();
        try
        {
            model.Read(new ProtobufReader(data));
        }
        catch (FormatException e)
        {
            throw new UserErrorException($"{path}: not a SentencePiece model: {e.Message}; fetch the file again");
        }
        if (model.Fault() is { } fault) throw new UserErrorException($"{path}: {fault}");
        return model;
    }

    private void Read(ProtobufReader message)
    {
        while (message.Next())
        {
            switch (message.Field)
            {
                case 1: ReadPiece(message.Message()); break;
                case 2: ReadTrainer(message.Message()); break;
                case 3: ReadNormalizer(message.Message()); break;
                case 5: ReadDenormalizer(message.Message()); break;
                default: message.Skip(); break;
            }
        }
    }

    private void ReadPiece(ProtobufReader piece)
    {
        var (text, score, type) = ("", 0f, PieceType.Normal);
        while (piece.Next())
        {
            switch (piece.Field)
            {
                case 1: text = piece.String(); break;
                case 2: score = piece.Float(); break;
                case 3: type = (PieceType)piece.Varint(); break;
                default: piece.Skip(); break;
            }
        }
        Pieces.Add(new SentencePiece(text, score, type));
    }

    private void ReadTrainer(ProtobufReader trainer)
    {
        while (trainer.Next())
        {
            switch (trainer.Field)
            {
                case 3: modelType = (int)trainer.Varint(); break;
                case 24: whitespaceAsSuffix = trainer.Bool(); break;
                case 35: ByteFallback = trainer.Bool(); break;
                case 44: UnknownSurface = trainer.String(); break;
                case 46: BeginPiece = trainer.String() is { Length: > 0 } begin ? begin : "<s>"; break;
                case 47: EndPiece = trainer.String() is { Length: > 0 } end ? end : "</s>"; break;
                default: trainer.Skip(); break;
            }
        }
    }

    private void ReadNormalizer(ProtobufReader normalizer)
    {
        while (normalizer.Next())
        {
            switch (normalizer.Field)
            {
                case 1: normalizerName = normalizer.String(); break;
                case 2: hasCharacterMap |= !normalizer.Bytes().IsEmpty; break;
                case 3: AddDummyPrefix = normalizer.Bool(); break;
                case 4: RemoveExtraWhitespaces = normalizer.Bool(); break;
                case 5: EscapeWhitespaces = normalizer.Bool(); break;
                default: normalizer.Skip(); break;
            }
        }
    }

    private void ReadDenormalizer(ProtobufReader denormalizer)
    {
        while (denormalizer.Next())
        {
            if (denormalizer.Field == 2) hasCharacterMap |= !denormalizer.Bytes().IsEmpty;
            else denormalizer.Skip();
        }
    }

    private string? Fault()
    {
        if (Pieces.Count == 0)
            return "not a SentencePiece model: it has no pieces; fetch the file again";
        if (modelType != Bpe)
            return $"a SentencePiece model of type '{s_modelTypes.ElementAtOrDefault(modelType) ?? modelType.ToString()}'; only 'bpe' is "
                + "supported, give a LLaMA tokenizer";
        if (hasCharacterMap)
            return $"the normalizer '{normalizerName}' has a precompiled_charsmap; only 'identity' is supported, give a LLaMA tokenizer";
        if (whitespaceAsSuffix)
            return "treat_whitespace_as_suffix is set, which is not supported; give a LLaMA tokenizer";
        var unknown = Pieces.Count(p => p.Type == PieceType.Unknown);
        if (unknown != 1)
            return $"{unknown} pieces of type unknown where there must be 1; fetch the file again";
        for (var id = 0; id < Pieces.Count; id++)
        {
            var piece = Pieces[id];
            if (piece.Text.Length == 0)
                return $"piece {id} is empty; fetch the file again";
            if (piece.Type == PieceType.Unused || !Enum.IsDefined(piece.Type))
                return $"piece {id} '{piece.Text}' is of type {piece.Type}, which is not supported; give a model with its whole vocabulary";
        }
        var bytes = Pieces.Where(p => p.Type == PieceType.Byte).Select(p => p.Text).ToHashSet();
        if (!ByteFallback && bytes.Count > 0)
            return $"piece '{bytes.First()}' is a byte although byte_fallback is off; fetch the file again";
        if (bytes.Count > 256)
            return $"{bytes.Count} pieces of type byte where there must be 256; fetch the file again";
        if (ByteFallback && Enumerable.Range(0, 256).FirstOrDefault(b => !bytes.Contains($"<0x{b:X2}>"), -1) is >= 0 and var missing)
            return $"byte_fallback is on but there is no piece '<0x{missing:X2}>'; fetch the file again";
        return null;
    }
}
