"""Makes the fixtures of this folder, from implementations that are not ours.

    python3 make_fixtures.py SHARED

needs Debian's python3-sentencepiece (0.1.97) and python3-regex, and the shared data. The small models are trained on
GSM8K questions (MIT). Where no library is at hand (tiktoken, Hugging Face) the merging is the textbook's: look at all
pairs, merge the best one, begin again.
"""
import hashlib
import json
import os
import random
import sys

import regex
import sentencepiece

HERE = os.path.dirname(os.path.abspath(__file__))
SHARED = sys.argv[1]
random.seed(20230713)

ODDS = list(" " * 8) + ["\u2581", "\t", "\n", "\r\n", "\n\n", "   ", "\u00a0", "\u3000", "\u2028", "\x85", "\x1c", "\u200b", "\0"]
ODDS += list("adehow.,$-_'’<>/s0123456789SKDM") + ["'s", "'S", "'ſ", "'ll", "'LL", "'Re", "'vE", "'d", "'x", " the ", " of "]
ODDS += ["é", "ß", "中文", "\U0001d400", "\U0001d7d8", "\U00020000", "\U00010107", "\U00010140", "🚀", "😶‍🌫️", "½", "Ⅷ", "٣", "²"]
ODDS += ["ǅ", "ʰ", "ａ", "\u0301", "\ue000", "\ufeff", "\ufffd", "ﷺ", "កាន់"]
NAMES = ["</s>", "<s>", "<unk>", "<0x41>", "<|eot_id|>", "<sep>", "<sep>x", "how many", "ab", "wow y", "e t", ". A"]
PLAIN = ["", " ", "  ", "Hello world", " Hello, world! ", "a  b   c", "\n", "1234567 tokens", "naïve café", "ᚠᛇᚻ", "I'VE we'll 'tis"]


def texts(count, alphabet):
    return PLAIN + ["".join(random.choices(alphabet, k=random.randint(1, 24))) for _ in range(count)]


def write(name, value):
    with open(os.path.join(HERE, name), "w") as file:
        json.dump(value, file, ensure_ascii=True, separators=(",", ":"))


def questions():
    with open(os.path.join(SHARED, "data/gsm8k/train.jsonl")) as file:
        return [json.loads(line)["question"].replace("\n", " ") for line in file][:3000]


def train(name, **options):
    os.makedirs(os.path.join(HERE, name), exist_ok=True)
    options = {"model_type": "bpe", "normalization_rule_name": "identity", **options}
    with open(os.path.join(HERE, name, "tokenizer.model"), "wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(questions()), model_writer=file, hard_vocab_limit=False, minloglevel=2, **options)
    return os.path.join(HERE, name, "tokenizer.model")


def random_ids(model):
    byte_ids = [i for i in range(model.vocab_size()) if model.is_byte(i)]
    ids = []
    for _ in range(random.randint(1, 10)):
        kind = random.random()
        if kind < 0.2 and byte_ids:
            ids.append(random.choice(byte_ids))
        elif kind < 0.4 and byte_ids:
            utf8 = random.choice("é中🚀 \n").encode()
            ids += [model.piece_to_id("<0x%02X>" % b) for b in utf8[:random.randint(1, 4)]]
        elif kind < 0.55:
            ids.append(random.choice([0, 1, 2]))
        elif kind < 0.7:
            ids.append(model.piece_to_id("\u2581"))
        else:
            ids.append(random.randrange(model.vocab_size()))
    return ids


def sentencepiece_cases(path, count):
    model = sentencepiece.SentencePieceProcessor(model_file=path)
    ids = [random_ids(model) for _ in range(count)]
    return {
        "encode": [{"text": t, "ids": model.encode(t)} for t in texts(count, ODDS + NAMES)],
        "decode": [{"ids": i, "text": model.decode(i)} for i in ids],
    }


def digest(ids):
    return hashlib.sha256(" ".join(map(str, ids)).encode()).hexdigest()[:16]


def records(path):
    model = sentencepiece.SentencePieceProcessor(model_file=path)
    with open(os.path.join(SHARED, "data/alpaca/alpaca_data.json")) as file:
        alpaca = ["\n".join((r["instruction"], r["input"], r["output"])) for r in json.load(file)]
    with open(os.path.join(SHARED, "data/gsm8k/test.jsonl")) as file:
        gsm8k = [json.loads(line)["question"] for line in file]
    chosen = {"alpaca": sorted(random.sample(range(len(alpaca)), 198) + [29819, 38224]), "gsm8k": list(range(0, len(gsm8k), 13))}
    data = {"alpaca": alpaca, "gsm8k": gsm8k}
    return {n: [{"index": i, "sha256": digest(model.encode(data[n][i]))} for i in chosen[n]] for n in chosen}


# ---- split patterns, by an engine that works on code points
PATTERNS = {
    "llama3": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "single": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "gpt2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
}


def split(pattern, text):
    # Python's \s has four control characters more than Unicode's White_Space, which the original engines mean.
    pattern = pattern.replace(r"[^\s", r"[^\p{White_Space}").replace(r"\s", r"\p{White_Space}").replace(r"\S", r"\P{White_Space}")
    pieces = regex.findall(pattern, text)
    assert "".join(pieces) == text
    return pieces


# ---- byte-level tokenizer.json
def byte_alphabet():
    shown = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    hidden = [b for b in range(256) if b not in shown]
    return {**{b: chr(b) for b in shown}, **{b: chr(256 + n) for n, b in enumerate(hidden)}}


ALPHABET = byte_alphabet()


def merge(parts, ranks):
    parts = list(parts)
    while True:
        best = min(((ranks[p], i) for i, p in enumerate(zip(parts, parts[1:])) if p in ranks), default=None)
        if best is None:
            return parts
        parts[best[1]:best[1] + 2] = [parts[best[1]] + parts[best[1] + 1]]


def train_byte_level(count):
    words = {}
    for question in questions()[:400]:
        for piece in split(PATTERNS["gpt2"], question):
            key = tuple(ALPHABET[b] for b in piece.encode())
            words[key] = words.get(key, 0) + 1
    merges = []
    for _ in range(count):
        pairs = {}
        for word, n in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] = pairs.get(pair, 0) + n
        best = max(pairs, key=lambda p: (pairs[p], p))
        merges.append(best)
        words = {tuple(merge(word, {best: 0})): n for word, n in words.items()}
    return merges


ADDED = [
    {"id": 0, "content": "<|endoftext|>", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True},
    {"id": 600, "content": "<|pad|>", "single_word": False, "lstrip": True, "rstrip": True, "normalized": False, "special": True},
    {"id": 601, "content": "<|pad|>2", "single_word": False, "lstrip": False, "rstrip": False, "normalized": True, "special": False},
]
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
VARIANTS = {
    "smollm": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, BYTE_LEVEL]},
    "gpt2": BYTE_LEVEL,
    "prefix": {**BYTE_LEVEL, "add_prefix_space": True},
    "llama3": {"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": PATTERNS["llama3"]}, "behavior": "Isolated", "invert": False},
        {**BYTE_LEVEL, "use_regex": False}]},
}


def byte_level():
    merges = train_byte_level(250)
    names = ["<|endoftext|>"] + list(ALPHABET.values()) + ["".join(m) for m in merges]
    vocab = {name: i for i, name in enumerate(names)}
    vocab["\u0120unreachable"] = len(vocab)  # found by ignore_merges alone
    ranks = {m: i for i, m in enumerate(merges)}

    def pieces(variant, text):
        if variant == "smollm":
            return [q for p in regex.findall(r"\p{N}|\P{N}+", text) for q in split(PATTERNS["gpt2"], p)]
        if variant == "prefix" and not text.startswith(" "):
            text = " " + text
        return split(PATTERNS["llama3" if variant == "llama3" else "gpt2"], text)

    def encode(variant, text):
        ids = []
        # Two patterns for the added tokens: those found in the raw text, then those in what is left.
        for raw in regex.split(r"(<\|endoftext\|>|\p{White_Space}*<\|pad\|>\p{White_Space}*)", text):
            if raw.strip() in ("<|endoftext|>", "<|pad|>"):
                ids.append(0 if raw == "<|endoftext|>" else 600)
                continue
            for piece in pieces(variant, raw) if raw else []:
                mapped = "".join(ALPHABET[b] for b in piece.encode())
                whole = variant == "llama3" and mapped in vocab
                ids += [vocab[p] for p in ([mapped] if whole else merge(mapped, ranks))]
        return ids

    odds = ODDS + ["<|endoftext|>", "<|pad|>", " <|pad|>  ", " unreachable", "many", " has", " and", "2023", " 48"]
    write("byte-level.json", {
        "tokenizer": {
            "version": "1.0", "truncation": None, "padding": None, "added_tokens": ADDED, "normalizer": None,
            "pre_tokenizer": None, "post_processor": None, "decoder": BYTE_LEVEL,
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
                      "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                      "vocab": vocab, "merges": [" ".join(m) for m in merges]}},
        "variants": {n: {"pre_tokenizer": p, "ignore_merges": n == "llama3",
                         "cases": [{"text": t, "ids": encode(n, t)} for t in texts(60, odds)]} for n, p in VARIANTS.items()},
    })


def convert(path):
    """The Hugging Face form of a SentencePiece model: every split of a piece into two pieces is a merge."""
    model = sentencepiece.SentencePieceProcessor(model_file=path)
    names = [model.id_to_piece(i) for i in range(model.vocab_size())]
    vocab = {n: i for i, n in enumerate(names)}
    plain = [n for i, n in enumerate(names) if not (model.is_control(i) or model.is_unknown(i) or model.is_byte(i))]
    merges = sorted((-model.get_score(vocab[n]), n[:c], n[c:]) for n in plain for c in range(1, len(n)) if n[:c] in plain and n[c:] in plain)
    strip = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": i, "content": c, **strip} for i, c in enumerate(["<unk>", "<s>", "</s>"])],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "\u2581"}, {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]},
        "pre_tokenizer": None,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}], "pair": [],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None, "end_of_word_suffix": None,
                  "fuse_unk": True, "byte_fallback": True, "vocab": vocab, "merges": [[left, right] for _, left, right in merges]},
    }


small = {
    "plain": train("plain", vocab_size=600, byte_fallback=True, remove_extra_whitespaces=False, split_digits=True),
    "user-defined": train("user-defined", vocab_size=500, byte_fallback=True, remove_extra_whitespaces=False, split_digits=True,
                          allow_whitespace_only_pieces=True,
                          user_defined_symbols=["<sep>", "<sep>x", "\u2581\u2581", "ab", "$", "how many", "\u2581wow\u2581y"]),
    "no-bytes": train("no-bytes", vocab_size=300, byte_fallback=False, remove_extra_whitespaces=True, character_coverage=0.995),
    "across-words": train("across-words", vocab_size=450, byte_fallback=True, add_dummy_prefix=False, split_by_whitespace=False,
                          remove_extra_whitespaces=False, user_defined_symbols=["e t"]),
    "extra-spaces": train("extra-spaces", vocab_size=450, byte_fallback=True, remove_extra_whitespaces=True,
                          user_defined_symbols=["  ", ". A", " \u2581x"]),
}
train("unigram", vocab_size=100, model_type="unigram", character_coverage=0.98)
llama2 = os.path.join(SHARED, "tokenizers/llama2/tokenizer.model")
write("sentencepiece.json", {
    "models": {name: sentencepiece_cases(path, 45) for name, path in small.items()},
    "shared": {"tokenizers/llama2": sentencepiece_cases(llama2, 90),
               "models/stories260K": sentencepiece_cases(os.path.join(SHARED, "models/stories260K/tokenizer.model"), 60)},
    "records": {"tokenizers/llama2": records(llama2)},
})
write("split-patterns.json", {name: {"pattern": p, "texts": [split(p, t) for t in texts(120, ODDS)[1:]]} for name, p in PATTERNS.items()})
os.makedirs(os.path.join(HERE, "converted"), exist_ok=True)
write("converted/tokenizer.json", convert(small["plain"]))
byte_level()
# Behind everything else, with a seed of its own, so that the fixtures above stay as they are.
random.seed(20240718)
TEKKEN = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
          r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
CASES = ODDS + list("ABCXYabcxy//'") * 2 + ["camelCase", "HTTPServer", "ʰ", "ǅ", "\u0301", "\u20dd", "\u0903", "É", "É", "中", "あ", "\U0001d41a", "!\n//", "//\r\n/"]
write("split-tekken.json", {"tekken": {"pattern": TEKKEN, "texts": [split(TEKKEN, t) for t in texts(400, CASES)[1:]]}})
