#!/usr/bin/env python3
"""Text generator for the demo checkpoint.

Makes short instruction records (Alpaca form) and word problems (GSM8K form).
Every problem has a key; a hash of the key decides whether the problem is for
training or held out, so the two sets cannot share a problem:

* word problems: key = names + sorted numbers (whatever the wording);
* computed instructions (sort, repeat, sums, ...): key = task + arguments;
* looked-up instructions (capitals, opposites, ...): key = task + wording + item.

Run directly, it writes the held-out records and the few-shot training records.
"""
from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import Callable, Iterator, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "src" / "Harness" / "Demo"

WITH_INPUT = (
    "Below is an instruction that describes a task, paired with an input that provides further context. "
    "Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:"
)
WITHOUT_INPUT = (
    "Below is an instruction that describes a task. "
    "Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{instruction}\n\n### Response:"
)


class Alpaca(NamedTuple):
    instruction: str
    input: str
    output: str
    key: str
    task: str

    def prompt(self) -> str:
        form = WITH_INPUT if self.input else WITHOUT_INPUT
        return form.format(instruction=self.instruction, input=self.input)

    def completion(self) -> str:
        return "\n" + self.output


class Gsm(NamedTuple):
    question: str
    answer: str
    key: str
    task: str

    def prompt(self) -> str:
        return f"Question: {self.question}\nAnswer:"

    def completion(self) -> str:
        return " " + self.answer


def is_held_out(key: str) -> bool:
    """About one key in ten is held out."""
    return hashlib.sha256(key.encode()).digest()[0] < 26


# ----------------------------------------------------------------------------- word lists

OPPOSITES = [
    ("hot", "cold"), ("big", "small"), ("fast", "slow"), ("happy", "sad"), ("up", "down"),
    ("open", "closed"), ("day", "night"), ("hard", "soft"), ("light", "dark"), ("old", "young"),
    ("rich", "poor"), ("full", "empty"), ("wet", "dry"), ("early", "late"), ("near", "far"),
    ("tall", "short"), ("loud", "quiet"), ("clean", "dirty"), ("strong", "weak"), ("true", "false"),
    ("left", "right"), ("first", "last"), ("in", "out"), ("thick", "thin"), ("wide", "narrow"),
]
OPPOSITE = {a: b for a, b in OPPOSITES} | {b: a for a, b in OPPOSITES}

PLURAL = {
    "cat": "cats", "dog": "dogs", "book": "books", "tree": "trees", "car": "cars", "bus": "buses",
    "box": "boxes", "fox": "foxes", "dish": "dishes", "glass": "glasses", "city": "cities",
    "baby": "babies", "lady": "ladies", "story": "stories", "child": "children", "man": "men",
    "woman": "women", "foot": "feet", "tooth": "teeth", "mouse": "mice", "goose": "geese",
    "leaf": "leaves", "knife": "knives", "wolf": "wolves", "sheep": "sheep", "house": "houses",
    "apple": "apples", "key": "keys", "toy": "toys", "hand": "hands",
}
PAST = {
    "walk": "walked", "jump": "jumped", "play": "played", "look": "looked", "cook": "cooked",
    "go": "went", "run": "ran", "eat": "ate", "see": "saw", "write": "wrote", "sing": "sang",
    "give": "gave", "take": "took", "make": "made", "drink": "drank", "swim": "swam",
    "find": "found", "think": "thought", "buy": "bought", "sleep": "slept",
}
CAPITALS = {
    "France": "Paris", "Germany": "Berlin", "Italy": "Rome", "Spain": "Madrid", "Portugal": "Lisbon",
    "Austria": "Vienna", "Greece": "Athens", "Norway": "Oslo", "Sweden": "Stockholm",
    "Denmark": "Copenhagen", "Finland": "Helsinki", "Poland": "Warsaw", "Hungary": "Budapest",
    "Ireland": "Dublin", "England": "London", "Japan": "Tokyo", "China": "Beijing", "India": "New Delhi",
    "Egypt": "Cairo", "Kenya": "Nairobi", "Canada": "Ottawa", "Cuba": "Havana", "Peru": "Lima",
    "Russia": "Moscow", "Belgium": "Brussels",
}
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September",
          "October", "November", "December"]
LISTS = {
    "fruits": ["apple", "banana", "cherry", "grape", "lemon", "orange"],
    "animals": ["dog", "cat", "horse", "cow", "sheep", "rabbit"],
    "colours": ["red", "blue", "green", "yellow", "white", "black"],
    "vegetables": ["carrot", "potato", "onion", "tomato", "bean", "cabbage"],
    "birds": ["eagle", "owl", "duck", "robin", "crow", "swan"],
    "tools": ["hammer", "saw", "drill", "wrench", "axe", "file"],
    "drinks": ["water", "milk", "tea", "coffee", "juice", "lemonade"],
    "metals": ["iron", "gold", "silver", "copper", "tin", "lead"],
    "sports": ["football", "tennis", "rowing", "boxing", "golf", "hockey"],
    "instruments": ["piano", "violin", "drum", "flute", "guitar", "harp"],
    "planets": ["Mercury", "Venus", "Earth", "Mars", "Jupiter", "Saturn"],
}
KIND = {item: group[:-1] for group, items in LISTS.items() for item in items}
COLOUR_OF = {
    "banana": "yellow", "grass": "green", "snow": "white", "coal": "black", "blood": "red",
    "the sky": "blue", "the sea": "blue", "milk": "white", "a carrot": "orange", "a lemon": "yellow",
    "a crow": "black", "a swan": "white", "a frog": "green", "a tomato": "red", "a leaf": "green",
    "a cherry": "red",
}
COLOUR_OF["a banana"] = COLOUR_OF.pop("banana")
SOUNDS = {
    "dog": "barks", "cat": "meows", "cow": "moos", "sheep": "bleats", "duck": "quacks", "lion": "roars",
    "horse": "neighs", "owl": "hoots", "bee": "buzzes", "snake": "hisses", "wolf": "howls", "frog": "croaks",
}
SENTENCES = {
    "the sun": "The sun rises in the east and warms the whole land.",
    "the moon": "The moon shines softly over the quiet fields at night.",
    "a dog": "The dog runs across the garden to greet its friend.",
    "a cat": "The cat sleeps on a warm chair near the window.",
    "rain": "The rain falls on the roof and fills the river.",
    "snow": "The snow covers the hills with a soft white blanket.",
    "a tree": "The old tree gives shade to everyone in summer.",
    "a river": "The river flows from the mountains down to the sea.",
    "a train": "The train leaves the station early in the morning.",
    "a book": "The book tells the story of a brave young sailor.",
    "bread": "The bread is fresh and still warm from the oven.",
    "winter": "In winter the days are short and the nights are cold.",
    "summer": "In summer the children swim in the lake every day.",
    "music": "The music makes everyone in the room want to dance.",
    "a garden": "The garden is full of red roses and busy bees.",
    "a ship": "The ship sails slowly into the harbour before dark.",
}
DEFINITIONS = {
    "library": "A library is a place where people can read and borrow books.",
    "bakery": "A bakery is a shop where bread and cakes are made and sold.",
    "school": "A school is a place where children go to learn.",
    "hospital": "A hospital is a place where sick people are cared for.",
    "clock": "A clock is a device that shows the time.",
    "bridge": "A bridge is a road built over a river.",
    "island": "An island is land with water all around it.",
    "desert": "A desert is a dry place with very little rain.",
    "teacher": "A teacher is a person who helps others to learn.",
    "doctor": "A doctor is a person who helps sick people.",
    "baker": "A baker is a person who makes bread.",
    "farmer": "A farmer is a person who grows food.",
    "map": "A map is a drawing that shows where places are.",
    "key": "A key is a small tool that opens a lock.",
    "umbrella": "An umbrella is a cover that keeps off the rain.",
    "computer": "A computer is a machine that follows instructions and works with numbers.",
}
NUMBER_WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
                "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"]
WORDS = ["apple", "bird", "cloud", "door", "egg", "fish", "gold", "house", "ice", "jam", "king", "lamp",
         "moon", "nest", "owl", "pear", "queen", "rose", "sun", "tree", "vase", "wind", "ball", "cake",
         "duck", "fire", "hat", "leaf", "milk", "road", "ship", "table"]
ADJECTIVES = ["red", "blue", "green", "old", "new", "big", "small", "warm", "cold", "soft"]


# ----------------------------------------------------------------------------- instructions

def article(word: str) -> str:
    return ("an " if word[0] in "aeiou" else "a ") + word


def looked_up(task: str, rng: random.Random, item: str, forms: list[tuple[str, str, str]]) -> Alpaca:
    """Pick one wording; each is (instruction, input, output)."""
    i = rng.randrange(len(forms))
    return Alpaca(*forms[i], f"{task}|{i}|{item}", task)


def opposite(r: random.Random) -> Alpaca:
    w = r.choice(list(OPPOSITE))
    o = OPPOSITE[w]
    return looked_up("opposite", r, w, [
        (f"What is the opposite of {w}?", "", f"The opposite of {w} is {o}."),
        (f"Give the opposite of the word {w}.", "", o),
        ("Give the opposite of the word.", w, o),
        ("Write a word that means the opposite of the input.", w, o),
        (f"Name a word with the opposite meaning of {w}.", "", o),
    ])


def plural(r: random.Random) -> Alpaca:
    w = r.choice(list(PLURAL))
    p = PLURAL[w]
    return looked_up("plural", r, w, [
        (f"What is the plural of {w}?", "", f"The plural of {w} is {p}."),
        (f"Write the plural of the word {w}.", "", p),
        ("Give the plural of the noun.", w, p),
        ("Make this noun plural.", w, p),
    ])


def past(r: random.Random) -> Alpaca:
    w = r.choice(list(PAST))
    p = PAST[w]
    return looked_up("past", r, w, [
        (f"What is the past tense of {w}?", "", f"The past tense of {w} is {p}."),
        (f"Write the past tense of the verb {w}.", "", p),
        ("Give the past tense of the verb.", w, p),
        ("Put the verb in the past tense.", w, p),
    ])


def capital(r: random.Random) -> Alpaca:
    c = r.choice(list(CAPITALS))
    p = CAPITALS[c]
    full = f"The capital of {c} is {p}."
    return looked_up("capital", r, c, [
        (f"What is the capital of {c}?", "", full),
        (f"Name the capital of {c}.", "", p),
        (f"Name the capital city of {c} in a full sentence.", "", full),
        ("What is the capital of this country?", c, full),
        ("Name the capital of the country.", c, p),
    ])


def order(r: random.Random) -> Alpaca:
    names, unit = (DAYS, "day") if r.random() < 0.5 else (MONTHS, "month")
    i = r.randrange(len(names))
    a, after, before = names[i], names[(i + 1) % len(names)], names[i - 1]
    return looked_up("order", r, a, [
        (f"Which {unit} comes after {a}?", "", f"{after} comes after {a}."),
        (f"Which {unit} comes before {a}?", "", f"{before} comes before {a}."),
        (f"Name the {unit} after {a}.", "", after),
        (f"Name the {unit} before {a}.", "", before),
        (f"What is the next {unit}?", a, after),
        (f"What is the {unit} before the input?", a, before),
    ])


def listing(r: random.Random) -> Alpaca:
    group, n = r.choice(list(LISTS)), r.randint(2, 5)
    items = LISTS[group][:n]
    word = NUMBER_WORDS[n]
    return looked_up("list", r, f"{group}{n}", [
        (f"List {word} {group}.", "", ", ".join(items)),
        (f"Name {word} {group}.", "", ", ".join(items)),
        (f"Give me a list of {word} {group}.", "", "\n".join(f"{i + 1}. {x}" for i, x in enumerate(items))),
        (f"Write a numbered list of {word} {group}.", "", "\n".join(f"{i + 1}. {x}" for i, x in enumerate(items))),
        (f"List {word} things of the given kind.", group, ", ".join(items)),
    ])


def kind(r: random.Random) -> Alpaca:
    w = r.choice(list(KIND))
    k = KIND[w]
    name = w if w[0].isupper() else article(w)
    if k in ("metal", "colour", "drink", "sport"):
        name = w
    cap = name[0].upper() + name[1:]
    return looked_up("kind", r, w, [
        (f"What kind of thing is {name}?", "", f"{cap} is {article(k)}."),
        (f"Which group does {name} belong to?", "", f"{k}s"),
        ("Name the kind of thing.", w, k),
        ("Sort the word into a group such as fruits, animals or tools.", w, f"{k}s"),
    ])


def colour_of(r: random.Random) -> Alpaca:
    w = r.choice(list(COLOUR_OF))
    c = COLOUR_OF[w]
    return looked_up("colour", r, w, [
        (f"What colour is {w}?", "", f"{w[0].upper() + w[1:]} is {c}."),
        (f"Name the colour of {w}.", "", c),
        ("What colour is it?", w, c),
    ])


def sound(r: random.Random) -> Alpaca:
    w = r.choice(list(SOUNDS))
    s = SOUNDS[w]
    cap = article(w)[0].upper() + article(w)[1:]
    return looked_up("sound", r, w, [
        (f"What sound does {article(w)} make?", "", f"{cap} {s}."),
        (f"How does {article(w)} sound?", "", f"{cap} {s}."),
        ("What sound does this animal make?", w, f"{cap} {s}."),
    ])


def sentence(r: random.Random) -> Alpaca:
    w = r.choice(list(SENTENCES))
    s = SENTENCES[w]
    return looked_up("sentence", r, w, [
        (f"Write a short sentence about {w}.", "", s),
        (f"Write one sentence about {w}.", "", s),
        (f"Tell me something about {w}.", "", s),
        ("Write a sentence about the given topic.", w, s),
    ])


def definition(r: random.Random) -> Alpaca:
    w = r.choice(list(DEFINITIONS))
    s = DEFINITIONS[w]
    return looked_up("definition", r, w, [
        (f"What is {article(w)}?", "", s),
        (f"Explain what {article(w)} is.", "", s),
        (f"Define the word {w}.", "", s),
        ("Define the word.", w, s),
    ])


def letters(r: random.Random) -> Alpaca:
    w = r.choice(WORDS)
    n = NUMBER_WORDS[len(w)]
    return looked_up("letters", r, w, [
        (f"How many letters are in the word {w}?", "", f"The word {w} has {n} letters."),
        (f"Count the letters in {w}.", "", n),
        ("Count the letters in the word.", w, n),
        ("How many letters does the word have?", w, f"The word {w} has {n} letters."),
    ])


def repeat(r: random.Random) -> Alpaca:
    w, n = r.choice(WORDS), r.randint(2, 7)
    num, out = NUMBER_WORDS[n], " ".join([w] * n)
    instruction, text = r.choice([
        (f"Repeat the word {w} {num} times.", ""),
        (f"Write the word {w} {num} times.", ""),
        (f"Say {w} {num} times.", ""),
        (f"Repeat the word {num} times.", w),
    ])
    return Alpaca(instruction, text, out, f"repeat|{w}|{n}", "repeat")


def three_words(r: random.Random) -> list[str]:
    while True:
        words = r.sample(WORDS, 3)
        if len({w[0] for w in words}) == 3:
            return words


def sort_words(r: random.Random) -> Alpaca:
    ws = three_words(r)
    text = ", ".join(ws)
    instruction, inp = r.choice([
        ("Sort the words in alphabetical order.", text),
        ("Put these words in alphabetical order.", text),
        (f"Sort these words from A to Z: {text}", ""),
    ])
    return Alpaca(instruction, inp, ", ".join(sorted(ws)), "sort|" + " ".join(ws), "sort")


def reverse_words(r: random.Random) -> Alpaca:
    ws = r.sample(WORDS, 3)
    text = ", ".join(ws)
    instruction, inp = r.choice([
        ("Reverse the order of the words.", text),
        ("Write the words in reverse order.", text),
        (f"Reverse the order of these words: {text}", ""),
    ])
    return Alpaca(instruction, inp, ", ".join(reversed(ws)), "reverse|" + " ".join(ws), "reverse")


def pick_word(r: random.Random) -> Alpaca:
    ws = r.sample(WORDS, 3)
    text = ", ".join(ws)
    which = r.randrange(3)
    name = ("first", "second", "last")[which]
    instruction, inp = r.choice([
        (f"Take the {name} word of the list.", text),
        (f"What is the {name} word in the input?", text),
        (f"What is the {name} word in this list: {text}?", ""),
    ])
    return Alpaca(instruction, inp, ws[which], f"pick|{name}|" + " ".join(ws), "pick")


def count_words(r: random.Random) -> Alpaca:
    n = r.randint(2, 6)
    ws = r.sample(WORDS, n)
    instruction = r.choice(["Count the words in the list.", "How many words are in the input?"])
    return Alpaca(instruction, ", ".join(ws), NUMBER_WORDS[n], "count|" + " ".join(ws), "count")


def upper(r: random.Random) -> Alpaca:
    text = f"{r.choice(ADJECTIVES)} {r.choice(WORDS)}"
    instruction, inp = r.choice([
        ("Rewrite the text in upper case.", text),
        ("Write the input in capital letters.", text),
        (f"Write this in upper case: {text}", ""),
    ])
    return Alpaca(instruction, inp, text.upper(), "upper|" + text, "upper")


def sums(r: random.Random) -> Alpaca:
    if r.random() < 0.6:
        a, b = r.randint(1, 9), r.randint(1, 9)
        word, res = "plus", a + b
        forms = [f"What is {NUMBER_WORDS[a]} plus {NUMBER_WORDS[b]}?",
                 f"Add {NUMBER_WORDS[a]} and {NUMBER_WORDS[b]}."]
    else:
        a = r.randint(2, 12)
        b = r.randint(1, a - 1)
        word, res = "minus", a - b
        forms = [f"What is {NUMBER_WORDS[a]} minus {NUMBER_WORDS[b]}?",
                 f"Subtract {NUMBER_WORDS[b]} from {NUMBER_WORDS[a]}."]
    text = f"{NUMBER_WORDS[a]} {word} {NUMBER_WORDS[b]}"
    out = f"{text[0].upper() + text[1:]} is {NUMBER_WORDS[res]}."
    instruction, inp, out = r.choice(
        [(f, "", out) for f in forms] + [("Work out the result.", text, NUMBER_WORDS[res])])
    return Alpaca(instruction, inp, out, f"{word}|{a}|{b}", "sums")


def larger(r: random.Random) -> Alpaca:
    a, b = r.sample(range(1, 100), 2)
    big = r.random() < 0.5
    res = max(a, b) if big else min(a, b)
    word = "larger" if big else "smaller"
    instruction, inp, out = r.choice([
        (f"Which number is {word}, {a} or {b}?", "", f"The {word} number is {res}."),
        (f"Write the {word} of the two numbers.", f"{a}, {b}", str(res)),
    ])
    return Alpaca(instruction, inp, out, f"larger|{min(a, b)}|{max(a, b)}", "larger")


# (task, weight): computed tasks need more practice than looked-up ones
ALPACA_TASKS: list[tuple[Callable[[random.Random], Alpaca], float]] = [
    (opposite, 1.5), (plural, 1), (past, 0.8), (capital, 1.2), (order, 1.2), (listing, 1.2), (kind, 1.2),
    (colour_of, 0.6), (sound, 0.6), (sentence, 0.8), (definition, 0.8), (letters, 1.2), (repeat, 1.5),
    (sort_words, 3), (reverse_words, 1.2), (pick_word, 0.8), (count_words, 1), (upper, 1.2), (sums, 2),
    (larger, 1.2),
]

# ----------------------------------------------------------------------------- word problems

SHE = ["Anna", "Emma", "Lucy", "Mary", "Sara", "Rosa", "Nina", "Ella", "Jane", "Kate", "Lily", "Mia"]
HE = ["Tom", "Ben", "Sam", "Max", "Paul", "Jack", "Leo", "Adam", "Noah", "Hugo", "Dan", "Eric"]
OBJECTS = ["apples", "pears", "books", "pens", "cards", "stamps", "coins", "shells", "eggs", "cakes",
           "balls", "toys", "stickers", "marbles", "cookies", "flowers"]
HOLDERS = [("box", "boxes"), ("bag", "bags"), ("basket", "baskets"), ("pack", "packs")]


class Cast(NamedTuple):
    n: str
    m: str
    he: str
    o: str


def cast(r: random.Random) -> Cast:
    n, m = r.sample(SHE + HE, 2)
    return Cast(n, m, "She" if n in SHE else "He", r.choice(OBJECTS))


def calc(a: int, op: str, b: int) -> tuple[str, int]:
    """GSM8K's annotated arithmetic, e.g. '3 + 4 = <<3+4=7>>7'."""
    res = {"+": a + b, "-": a - b, "*": a * b, "/": a // b}[op]
    return f"{a} {op} {b} = <<{a}{op}{b}={res}>>{res}", res


def money(a: int, op: str, b: int, left: bool, right: bool) -> tuple[str, int]:
    text, res = calc(a, op, b)
    body, _, tail = text.rpartition(">>")
    note = body[body.index("<<"):]
    return f"{'$' if left else ''}{a} {op} {'$' if right else ''}{b} = ${note}>>{tail}", res


def gsm(task: str, c: Cast, two: bool, nums: tuple[int, ...], question: str, lines: list[str], res: int) -> Gsm:
    names = " ".join(sorted((c.n, c.m))) if two else c.n
    key = f"gsm|{names}|" + " ".join(map(str, sorted(nums)))
    return Gsm(question, "\n".join(lines) + f"\n#### {res}", key, task)


def g_add(r: random.Random) -> Gsm:
    c, a, b = cast(r), r.randint(2, 20), r.randint(2, 20)
    he = c.he
    how = r.choice([f"{he} buys {b} more.", f"{he} finds {b} more {c.o}.", f"{he} gets {b} more from a friend."])
    s, x = calc(a, "+", b)
    return gsm("add", c, False, (a, b), f"{c.n} has {a} {c.o}. {how} How many {c.o} does {c.n} have now?",
               [f"{c.n} has {s} {c.o}."], x)


def g_sub(r: random.Random) -> Gsm:
    c, a = cast(r), r.randint(4, 30)
    b = r.randint(2, min(20, a - 1))
    two = False
    k = r.randrange(3)
    how = [f"{c.he} loses {b} of them.", f"{c.he} sells {b} {c.o}.", f"{c.he} gives {b} {c.o} to {c.m}."][k]
    two = k == 2
    s, x = calc(a, "-", b)
    return gsm("subtract", c, two, (a, b), f"{c.n} has {a} {c.o}. {how} How many {c.o} does {c.n} have left?",
               [f"{c.n} has {s} {c.o} left."], x)


def g_mul(r: random.Random) -> Gsm:
    c, a, b = cast(r), r.randint(2, 9), r.randint(2, 9)
    one, many = r.choice(HOLDERS)
    s, x = calc(a, "*", b)
    q = r.choice([
        f"{c.n} has {a} {many} with {b} {c.o} in each {one}. How many {c.o} does {c.n} have in total?",
        f"{c.n} buys {a} {many} of {c.o}. Each {one} has {b} {c.o}. How many {c.o} does {c.n} buy?",
    ])
    return gsm("multiply", c, False, (a, b), q, [f"There are {s} {c.o}."], x)


def g_compare(r: random.Random) -> Gsm:
    c = cast(r)
    b = r.randint(2, 18)
    a = r.randint(b + 1, b + 15)
    q = r.choice([
        f"{c.n} has {a} {c.o} and {c.m} has {b} {c.o}. How many more {c.o} does {c.n} have than {c.m}?",
        f"{c.m} has {b} {c.o} and {c.n} has {a} {c.o}. How many fewer {c.o} does {c.m} have than {c.n}?",
    ])
    s, x = calc(a, "-", b)
    return gsm("compare", c, True, (a, b), q, [f"The difference is {s} {c.o}."], x)


def g_total(r: random.Random) -> Gsm:
    c, a, b = cast(r), r.randint(2, 20), r.randint(2, 20)
    q = r.choice([
        f"{c.n} has {a} {c.o} and {c.m} has {b} {c.o}. How many {c.o} do they have together?",
        f"{c.n} finds {a} {c.o}. {c.m} finds {b} {c.o}. How many {c.o} do they find in total?",
    ])
    s, x = calc(a, "+", b)
    return gsm("total", c, True, (a, b), q, [f"Together that is {s} {c.o}."], x)


def g_add_sub(r: random.Random) -> Gsm:
    c, a, b = cast(r), r.randint(2, 20), r.randint(2, 15)
    d = r.randint(2, min(12, a + b - 1))
    s1, x = calc(a, "+", b)
    s2, y = calc(x, "-", d)
    q = (f"{c.n} has {a} {c.o}. {c.he} buys {b} more and then gives {d} {c.o} to {c.m}. "
         f"How many {c.o} does {c.n} have left?")
    return gsm("add, subtract", c, True, (a, b, d), q,
               [f"First {c.n} has {s1} {c.o}.", f"Then {c.n} has {s2} {c.o} left."], y)


def g_more_than(r: random.Random) -> Gsm:
    c, a, b = cast(r), r.randint(2, 14), r.randint(2, 9)
    s1, x = calc(a, "+", b)
    s2, y = calc(a, "+", x)
    q = (f"{c.n} has {a} {c.o}. {c.m} has {b} more {c.o} than {c.n}. "
         f"How many {c.o} do they have together?")
    return gsm("more than", c, True, (a, b), q,
               [f"{c.m} has {s1} {c.o}.", f"Together they have {s2} {c.o}."], y)


def g_twice(r: random.Random) -> Gsm:
    c, a = cast(r), r.randint(2, 15)
    s1, x = calc(2, "*", a)
    s2, y = calc(a, "+", x)
    q = (f"{c.n} has {a} {c.o}. {c.m} has twice as many {c.o} as {c.n}. "
         f"How many {c.o} do they have together?")
    return gsm("twice", c, True, (2, a), q,
               [f"{c.m} has {s1} {c.o}.", f"Together they have {s2} {c.o}."], y)


def g_mul_sub(r: random.Random) -> Gsm:
    c, a, b = cast(r), r.randint(2, 6), r.randint(3, 9)
    d = r.randint(2, min(9, a * b - 1))
    one, many = r.choice(HOLDERS)
    s1, x = calc(a, "*", b)
    s2, y = calc(x, "-", d)
    q = (f"{c.n} buys {a} {many} with {b} {c.o} in each {one}. {c.he} gives away {d} {c.o}. "
         f"How many {c.o} does {c.n} have left?")
    return gsm("multiply, subtract", c, False, (a, b, d), q,
               [f"{c.n} buys {s1} {c.o}.", f"Then {c.n} has {s2} {c.o} left."], y)


def g_cost(r: random.Random) -> Gsm:
    c, p, k = cast(r), r.randint(2, 9), r.randint(2, 9)
    s, x = money(k, "*", p, False, True)
    q = f"{c.n} buys {k} {c.o}. They cost ${p} each. How many dollars does {c.n} spend?"
    return gsm("cost", c, False, (p, k), q, [f"{c.n} spends {s}."], x)


def g_change(r: random.Random) -> Gsm:
    c, p, k = cast(r), r.randint(2, 9), r.randint(2, 5)
    paid = r.choice([20, 50]) if p * k < 20 else 50
    s1, x = money(k, "*", p, False, True)
    s2, y = money(paid, "-", x, True, True)
    q = (f"{c.n} buys {k} {c.o} for ${p} each and pays with ${paid}. "
         f"How many dollars does {c.n} get back?")
    return gsm("change", c, False, (p, k, paid), q, [f"The {c.o} cost {s1}.", f"{c.n} gets back {s2}."], y)


def g_share(r: random.Random) -> Gsm:
    c, b, x = cast(r), r.randint(2, 9), r.randint(2, 9)
    a = b * x
    s, y = calc(a, "/", b)
    q = f"{c.n} shares {a} {c.o} equally among {b} friends. How many {c.o} does each friend get?"
    return gsm("share", c, False, (a, b), q, [f"Each friend gets {s} {c.o}."], y)


GSM_TASKS: list[tuple[Callable[[random.Random], Gsm], float]] = [
    (g_add, 1), (g_sub, 1), (g_mul, 0.8), (g_compare, 1), (g_total, 0.8), (g_add_sub, 1.4), (g_more_than, 1.2),
    (g_twice, 0.7), (g_mul_sub, 1.2), (g_cost, 0.6), (g_change, 1), (g_share, 0.7),
]


# ----------------------------------------------------------------------------- drawing

def draw(rng: random.Random, tasks: list, held_out: bool):
    """One random problem of the wanted side of the split."""
    (make,) = rng.choices([t for t, _ in tasks], [w for _, w in tasks])
    while True:
        ex = make(rng)
        if is_held_out(ex.key) == held_out:
            return ex


def unique(seed: int, tasks: list, held_out: bool, count: int, even: bool = False) -> list:
    """`count` different problems; `even` takes the tasks in turn."""
    rng, seen, out = random.Random(seed), set(), []
    while len(out) < count:
        pool = [(tasks[len(out) % len(tasks)][0], 1)] if even else tasks
        ex = draw(rng, pool, held_out)
        if ex[:2] not in seen:
            seen.add(ex[:2])
            out.append(ex)
    return out


def training_stream(seed: int, gsm_share: float = 0.48, few_shot: float = 0.12) -> Iterator[list[tuple[str, bool]]]:
    """Endless training documents, each a list of (text, is_answer)."""
    rng = random.Random(seed)
    while True:
        if rng.random() >= gsm_share:
            ex = draw(rng, ALPACA_TASKS, False)
            yield [(ex.prompt(), False), (ex.completion(), True)]
            continue
        shots = rng.randint(1, 3) if rng.random() < few_shot else 0
        doc: list[tuple[str, bool]] = []
        for i in range(shots + 1):
            ex = draw(rng, GSM_TASKS, False)
            doc += [(("\n\n" if i else "") + ex.prompt(), False), (ex.completion(), True)]
        yield doc


# The prompts that are shipped keep to the kinds of instruction that the model has learned; evaluate.py judges all kinds.
SHIPPED_ALPACA = [(task, weight) for task, weight in ALPACA_TASKS
                  if task in (count_words, listing, sentence, upper, larger, pick_word, sort_words, reverse_words, letters)]


def main() -> None:
    DEMO.mkdir(parents=True, exist_ok=True)
    alpaca = unique(101, SHIPPED_ALPACA, True, 48, even=True)
    held = unique(102, GSM_TASKS, True, 48, even=True)
    train = unique(103, GSM_TASKS, False, 32, even=True)
    assert not {e.key for e in held} & {e.key for e in train}
    records = [{"instruction": e.instruction, "input": e.input, "output": e.output} for e in alpaca]
    (DEMO / "alpaca.json").write_text(json.dumps(records, indent=2, ensure_ascii=False) + "\n")
    for name, items in (("gsm8k.jsonl", held), ("gsm8k-train.jsonl", train)):
        lines = [json.dumps({"question": e.question, "answer": e.answer}, ensure_ascii=False) for e in items]
        (DEMO / name).write_text("\n".join(lines) + "\n")
    print(f"{len(alpaca)} + {len(held)} held-out records, {len(train)} few-shot records in {DEMO}")


if __name__ == "__main__":
    main()
