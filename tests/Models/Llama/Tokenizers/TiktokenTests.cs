using System.Text;
using Harness.Models.Llama.Tokenizers;

namespace Harness.Tests.Models.Llama.Tokenizers;

/// <summary>
/// Against published ids, and against rank merging as the textbook has it: look at every pair, merge the best, again.
/// </summary>
[TestFixture]
public class TiktokenTests
{
    [Test] // from https://github.com/meta-llama/llama3/blob/main/llama/test_tokenizer.py
    public void Llama3GivesTheIdsOfMetasOwnTest()
    {
        var tokenizer = Llama3();
        Assert.That(tokenizer.Encode("This is a test sentence.", addBeginOfText: true),
            Is.EqualTo(new[] { 128000, 2028, 374, 264, 1296, 11914, 13 }));
        Assert.That(tokenizer.Encode("user", addBeginOfText: false), Is.EqualTo(new[] { 882 }));
        Assert.That(tokenizer.Encode("assistant", addBeginOfText: false), Is.EqualTo(new[] { 78191 }));
        Assert.That(tokenizer.Encode("\n\n", addBeginOfText: false), Is.EqualTo(new[] { 271 }));
        Assert.That(tokenizer.Decode([128000, 2028, 374, 264, 1296, 11914, 13, 128001]), Is.EqualTo("This is a test sentence."));
    }

    // ids from llama.cpp's models/ggml-vocab-llama-bpe.gguf.out
    [TestCase("ied 4 ½ months", "1142 220 19 220 27154 4038")]
    [TestCase("Führer", "37 51853 261")]
    [TestCase("\t\n", "1602")]
    [TestCase(" this is 🦙.cpp", "420 374 11410 99 247 13 11055")]
    [TestCase("w048 7tuijk dsdfhu", "86 23904 220 22 83 2005 42908 11729 3013 17156")]
    [TestCase("нещо на Български", "79862 102118 13373 64571 34694 3114 112203 80112")]
    [TestCase("    Hello\n    Hello", "262 22691 198 262 22691")]
    [TestCase("\n =", "198 284")]
    [TestCase("Hello, y'all! How are you 😁 ?我想在apple工作1314151天～",
        "9906 11 379 65948 0 2650 527 499 27623 223 949 37046 101067 19000 23182 102301 9263 18136 16 36827 21909")]
    [TestCase("33333333", "8765 8765 1644")]
    public void Llama3GivesTheIdsOfLlamaCppsVectors(string text, string ids) =>
        Assert.That(string.Join(' ', Llama3().Encode(text, addBeginOfText: false)), Is.EqualTo(ids));

    [Test]
    public void Llama3MergesAsTheTextbook()
    {
        var tokenizer = Llama3();
        var reference = new NaiveRanks(File.ReadAllLines(SharedData.Path("tokenizers", "llama3", "tokenizer.model")));
        foreach (var text in TokenizerFixtures.RandomTexts(500, seed: 11).Concat(SharedTexts.Gsm8kQuestions().Take(200)))
            Assert.That(tokenizer.Encode(text, addBeginOfText: false), Is.EqualTo(reference.Encode(text)), text);
    }

    [Test]
    public void SpecialTokensHaveTheirOfficialIds()
    {
        var tokenizer = (TiktokenTokenizer)Llama3();
        Assert.That(tokenizer.VocabularySize, Is.EqualTo(128256));
        Assert.That(tokenizer.EndOfText, Is.EquivalentTo(new[] { 128001, 128009 }));
        (string Name, int Id)[] official =
        [
            ("<|begin_of_text|>", 128000), ("<|end_of_text|>", 128001), ("<|reserved_special_token_0|>", 128002),
            ("<|finetune_right_pad_id|>", 128004), ("<|start_header_id|>", 128006), ("<|end_header_id|>", 128007), ("<|eom_id|>", 128008),
            ("<|eot_id|>", 128009), ("<|python_tag|>", 128010), ("<|reserved_special_token_5|>", 128010),
                ("<|reserved_special_token_250|>", 128255),
        ];
        foreach (var (name, id) in official) Assert.That(tokenizer.SpecialTokens[name], Is.EqualTo(id), name);
    }

    [Test]
    public void NamesOfSpecialTokensInATextAreOrdinaryText()
    {
        var tokenizer = TokenizerFixtures.Kind("rank-list");
        var ids = tokenizer.Encode("<|eot_id|>", addBeginOfText: false);
        Assert.That(ids, Is.EqualTo(Encoding.ASCII.GetBytes("<|eot_id|>").Select(b => (int)b)));
        Assert.That(tokenizer.Decode(ids), Is.EqualTo("<|eot_id|>"));
    }

    [Test]
    public void AWholePieceIsTakenBeforeItsMerges()
    {
        // No merges lead to "abcd" (257), for "bc" (256) is in the way: it is found as a whole piece or not at all.
        var tokenizer = new TiktokenTokenizer("t", Encoding.ASCII.GetBytes(TokenizerFixtures.SmallRankList("bc", "abcd")));
        Assert.That(tokenizer.Encode("abcd", addBeginOfText: false), Is.EqualTo(new[] { 257 }));
        Assert.That(tokenizer.Encode("xabcd", addBeginOfText: false), Is.EqualTo(new[] { 'x', 'a', 256, 'd' }));
    }

    [Test]
    public void OfEqualPairsTheLeftmostMerges()
    {
        var tokenizer = new TiktokenTokenizer("t", Encoding.ASCII.GetBytes(TokenizerFixtures.SmallRankList("aa")));
        for (var length = 3; length < 40; length++)
        {
            int[] odd = length % 2 == 1 ? ['a'] : [];
            Assert.That(tokenizer.Encode(new string('a', length), addBeginOfText: false),
                Is.EqualTo((int[])[.. Enumerable.Repeat(256, length / 2), .. odd]));
        }
    }

    [Test]
    public void BytesThatAreNoUtf8DecodeAsInPythonAndRust()
    {
        // Both put U+FFFD for every maximal part of a sequence, and so does .NET when it has all the bytes at once.
        var (tokenizer, random) = (TokenizerFixtures.Kind("rank-list"), new Random(8));
        byte[] likely = [0x41, 0x80, 0x9F, 0xA0, 0xBF, 0xC3, 0xE0, 0xE4, 0xED, 0xEF, 0xF0, 0x90, 0xF4, 0xF5, 0xFF];
        for (var i = 0; i < 2000; i++)
        {
            var bytes = Enumerable.Range(0, random.Next(1, 9)).Select(_ => likely[random.Next(likely.Length)]).ToArray();
            Assert.That(tokenizer.Decode(Array.ConvertAll(bytes, b => (int)b)), Is.EqualTo(Encoding.UTF8.GetString(bytes)),
                Convert.ToHexString(bytes));
        }
    }

    private static ITokenizer Llama3() => TokenizerFixtures.Kind("shared/tokenizers/llama3");

    private sealed class NaiveRanks(IEnumerable<string> lines)
    {
        private readonly Dictionary<string, int> ranks = lines.Where(l => l.Length > 0).Select(l => l.Split(' '))
            .ToDictionary(l => Encoding.Latin1.GetString(Convert.FromBase64String(l[0])), l => int.Parse(l[1]));

        public List<int> Encode(string text)
        {
            var ids = new List<int>();
            for (var at = 0; at < text.Length;)
            {
                var length = SplitPatterns.ForPattern(SplitPatterns.Llama3)!(text.AsSpan(at));
                var bytes = Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(text.Substring(at, length)));
                at += length;
                if (ranks.TryGetValue(bytes, out var whole)) ids.Add(whole);
                else ids.AddRange(Merge([.. bytes.Select(c => c.ToString())]).Select(p => ranks[p]));
            }
            return ids;
        }

        private List<string> Merge(List<string> parts)
        {
            while (true)
            {
                var (best, at) = (int.MaxValue, -1);
                for (var i = 0; i + 1 < parts.Count; i++)
                    if (ranks.TryGetValue(parts[i] + parts[i + 1], out var rank) && rank < best) (best, at) = (rank, i);
                if (at < 0) return parts;
                parts[at] += parts[at + 1];
                parts.RemoveAt(at + 1);
            }
        }
    }
}
