using System.Text;

namespace Harness.Models.Llama.Tokenizers;

/// <summary>
/// For synthetic models, which have no tokenizer: LLaMA's byte pieces alone (ids 3 to 258 are the bytes of UTF-8), some four
/// times as many tokens as words give with a trained one. Ids beyond them, which random weights produce, are written as ⟨id⟩.
/// </summary>
public sealed class ByteTokenizer : ITokenizer
{
    private const int FirstByte = 3;

    public int VocabularySize => FirstByte + 256;
    public int? BeginOfText => 1;
    public IReadOnlySet<int> EndOfText { get; } = new HashSet<int> { 2 };

    public int[] Encode(string text, bool addBeginOfText)
    {
        var ids = Encoding.UTF8.GetBytes(text).Select(b => b + FirstByte);
        return [.. addBeginOfText ? ids.Prepend(1) : ids];
    }

    public ITokenDecoder NewDecoder(bool continuation = false) => new Decoder();

    private sealed class Decoder : ITokenDecoder
    {
        private readonly Utf8Assembler _bytes = new(InvalidUtf8.PerByte);

        public string Append(int token)
        {
            var text = new StringBuilder();
            if (token is >= FirstByte and < FirstByte + 256) _bytes.Append([(byte)(token - FirstByte)], text);
            else if (token >= FirstByte) text.Append(Flush()).Append('⟨').Append(token).Append('⟩');
            return text.ToString();
        }

        public string Flush()
        {
            var text = new StringBuilder();
            _bytes.EndRun(text);
            return text.ToString();
        }
    }
}
