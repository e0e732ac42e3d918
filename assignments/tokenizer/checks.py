"""Checks of the tokenizer assignment: public ones on small random inputs, hidden ones on the rules at the edges.

Every check draws its inputs from the run's secret seed, and mixes them so that no constant answer is right throughout.
Time is measured without points: what is ten times as fast as the solution would earn nothing until a person has looked.
Not covered: texts with lone surrogates, ids and merges that do not fit together.
"""

from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from harness.checks import Text, check
from harness.metrics.speed import Settings

EXAMPLES = 50  # inputs a search draws: a mistake that none of them shows is one of the rules with a check of its own
COMPRESSION = 0.97  # of the oracle's bytes per token: ties decided in other ways move the figure by a hundredth at most
DATA = Path(__file__).with_name("data")
FRENCH, ENGLISH = (DATA.joinpath(name).read_text(encoding="utf-8") for name in ("francais.txt", "english.txt"))
UNSEEN = [DATA.joinpath(name).read_text(encoding="utf-8") for name in ("francais-inedit.txt", "english-unseen.txt")]
SPECIAL = ["<s>", "</s>", "<|fin|>", "‹été›"]
SURROGATES = range(0xD800, 0xE000)
# what is easy to lose: marks and joiners, white space of all kinds, elisions, what is a letter or a digit
MARKS = ("e\u0301", "o\u0302\u0323", "👩🏽\u200d🚀", "🇫🇷", "❤\ufe0f", "🏴\U000e0067\U000e007f", "\ufeff", "\x00")
WHITE = (" ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u202f", "\u2028", "\x85", " \n ", "\u200b")
SIGNS = ("l'", "qu’", "’", "''", "«", "»", "…", "—", "!", " ?", "€", "_", "__init__", "1", "²", "½", "Ⅻ", "٣")
LETTERS = ("œuvre", "Æ", "ﬁ", "naïve", "ÉTÉ", "garçon", "東京", "Ω", "ß", "hugs", "don't", "abc", "é")
HARD = (*MARKS, *WHITE, *SIGNS, *LETTERS, "\U0010ffff")

letters = st.lists(st.sampled_from("abc"), min_size=1, max_size=5).map(tuple)
words = st.dictionaries(letters, st.integers(1, 9), min_size=1, max_size=4)
text = st.lists(st.sampled_from(["a", "b", "é", " ", "1", "_", ",", "'", "’", "\n", "«"]), max_size=10).map("".join)


def paragraphs(rng):
    """Some paragraphs of either text, in random order."""
    found = [one for one in (FRENCH + ENGLISH).split("\n") if len(one) > 100]
    return "\n\n".join(rng.choice(found, size=3, replace=False).tolist())


def hard_text(rng, *, pieces):
    """Pieces of everything that is hard, and a character of any plane."""
    code = int(rng.integers(0x110000 - len(SURROGATES)))
    choice = (*HARD, chr(code if code < SURROGATES.start else code + len(SURROGATES)))
    return "".join(choice[place] for place in rng.integers(len(choice), size=pieces))


def random_words(rng, *, alphabet, number, longest=8):
    lengths = rng.integers(1, longest, size=number).tolist()
    drawn = [tuple(alphabet[place] for place in rng.integers(len(alphabet), size=length)) for length in lengths]
    return {word: int(rng.integers(1, 6)) for word in drawn}


def taken_first(rng):
    """A text and two merges that compete for a letter: the longest token first is wrong, whatever the letters."""
    first, second, third = rng.permutation(list("abcdef"))[:3].tolist()
    merges = [(second, third), (first, second)]
    return f"{first}{second}{third}{first}{second}", [(left.encode(), right.encode()) for left, right in merges]


@st.composite
def texts_and_merges(draw, oracle):
    """A text, and merges that suit it: they are learned from it and another one."""
    ours, others = draw(text), draw(text)
    return ours, oracle.train_merges(f"{ours} {others}", draw(st.integers(0, 6)))


@check(points=1, fr="Compter les paires", en="Counting pairs")
def test_count_pairs(submission, oracle, differential):
    differential(submission.count_pairs, oracle.count_pairs, words, examples=EXAMPLES)


@check(points=0.5, fr="La paire la plus fréquente", en="The most frequent pair")
def test_most_frequent_pair(submission, oracle, differential):
    symbol = st.sampled_from(["a", "b", "ab", "é"])
    counts = st.dictionaries(st.tuples(symbol, symbol), st.integers(1, 4), min_size=1, max_size=4)
    differential(submission.most_frequent_pair, oracle.most_frequent_pair, counts, examples=EXAMPLES)


@check(points=1, fr="Fusionner une paire", en="Merging a pair")
def test_merge_pair(submission, oracle, differential):
    symbol = st.sampled_from(["a", "b", "ab"])
    inputs = st.tuples(st.lists(symbol, max_size=7), st.tuples(symbol, symbol))
    differential(submission.merge_pair, oracle.merge_pair, inputs, examples=EXAMPLES)


@check(points=1.5, fr="Apprendre les fusions", en="Learning merges")
def test_learn_merges(submission, oracle, differential):
    differential(submission.learn_merges, oracle.learn_merges, st.tuples(words, st.integers(1, 5)), examples=EXAMPLES)


@check(points=1, fr="Découper un texte en morceaux", en="Cutting a text into chunks")
def test_split_chunks(submission, oracle, differential):
    differential(submission.split_chunks, oracle.split_chunks, text, examples=2 * EXAMPLES)


@check(points=1, fr="Entraîner sur les octets d'un texte", en="Training on the bytes of a text")
def test_train_merges(submission, oracle, differential):
    prose = st.lists(st.sampled_from(["ab", " ab", "été", " été", "l'", ",", " "]), max_size=8).map("".join)
    differential(submission.train_merges, oracle.train_merges, st.tuples(prose, st.integers(1, 6)), examples=EXAMPLES)


@check(points=1, fr="Coder un morceau", en="Encoding a chunk")
def test_encode_chunk(submission, oracle, differential, rng):
    @st.composite
    def arguments(draw):
        chunk, others = (bytes(draw(st.lists(st.sampled_from(b"abc"), max_size=8))) for _ in range(2))
        learned_from = {tuple(bytes([value]) for value in one): 1 for one in (chunk, others)}
        return chunk, oracle.learn_merges(learned_from, draw(st.integers(0, 6)))

    differential(submission.encode_chunk, oracle.encode_chunk, arguments(), examples=EXAMPLES)
    letters, merges = taken_first(rng)
    differential(submission.encode_chunk, oracle.encode_chunk, [(letters.encode(), merges)])


@check(points=0.5, fr="Construire le vocabulaire", en="Building the vocabulary")
def test_build_vocabulary(submission, oracle, differential, rng):
    merges = oracle.train_merges(paragraphs(rng), 8)
    inputs = [([],), (merges,), (merges[:3], SPECIAL[2:]), (merges, SPECIAL[::-1]), ([], SPECIAL[:1])]
    differential(submission.build_vocabulary, oracle.build_vocabulary, inputs)


@check(points=0.5, fr="Isoler les jetons spéciaux", en="Setting special tokens apart")
def test_split_special(submission, oracle, differential):
    pieces = st.lists(st.sampled_from(["<s>", "</s>", "a", "é ", "<", "s>"]), max_size=6).map("".join)
    some = st.lists(st.sampled_from(["<s>", "</s>"]), unique=True)
    differential(submission.split_special, oracle.split_special, st.tuples(pieces, some), examples=EXAMPLES)


@check(points=1, fr="D'un texte à ses numéros", en="From a text to its ids")
def test_encode(submission, oracle, differential, rng):
    @st.composite
    def with_special(draw):
        ours, merges = draw(texts_and_merges(oracle))
        return f"{ours}{draw(st.sampled_from(SPECIAL))}{draw(text)}", merges, SPECIAL, True

    inputs = st.one_of(texts_and_merges(oracle), with_special())
    differential(submission.encode, oracle.encode, inputs, examples=EXAMPLES)
    elided = "l'ami d'abord"  # its first merges join letters and apostrophes
    differential(submission.encode, oracle.encode, [taken_first(rng), (elided, oracle.train_merges(elided, 9))])


@check(points=0.5, fr="Des numéros au texte", en="From ids to text")
def test_decode(submission, oracle, differential):
    @st.composite
    def arguments(draw):
        ours, merges = draw(texts_and_merges(oracle))
        return oracle.encode(ours, merges), oracle.build_vocabulary(merges, SPECIAL)

    differential(submission.decode, oracle.decode, arguments(), examples=EXAMPLES)


@check(points=0.5, fr="Le nombre d'octets par jeton", en="Bytes per token", needs=["encode"])
def test_bytes_per_token(submission, oracle, differential):
    differential(submission.bytes_per_token, oracle.bytes_per_token, [("", []), ("été", [])])
    differential(submission.bytes_per_token, oracle.bytes_per_token, texts_and_merges(oracle), examples=EXAMPLES)


@check(
    points=0,
    fr="La vitesse de l'entraînement, pour comparaison",
    en="The speed of training, for comparison",
    needs=["train_merges"],
)
def test_training_speed(submission, baseline, compare, speed):
    def draw(rng):
        vocabulary = (FRENCH + ENGLISH).split()
        return " ".join(rng.choice(vocabulary, size=240).tolist()), 30  # the solution takes more than 5 ms

    speed(
        submission.train_merges,
        baseline.train_merges,
        draw,
        same=lambda answer, expected: compare(answer, expected, what="train_merges(text, 30)"),
        settings=Settings(blocks=5, block_s=0.05),  # a figure for show: a second for each submission is enough
    )


@check(
    points=0.5,
    fr="Paires : répétitions, mots courts, octets",
    en="Pairs: repetitions, short words, bytes",
    visibility="hidden",
    needs=["count_pairs"],
)
def test_count_pairs_edges(submission, oracle, differential, rng):
    run = ("a",) * int(rng.integers(4, 9))
    inputs = [
        {run: 3, run[:2]: 5, ("b", *run): 1},
        {("a",): 4},
        {(): 2, ("é", "a"): 1},
        {},
        {("ab", "c"): 2, ("a", "bc"): 3, ("ab", "c", "ab", "c"): 1},
        random_words(rng, alphabet=[b"a", b"\xc3", b"\xa9", b"\x00"], number=6),
    ]
    differential(submission.count_pairs, oracle.count_pairs, inputs)


@check(
    points=1,
    fr="Ex æquo : ordre des caractères, débuts communs, octets",
    en="Ties: order of characters, common beginnings, bytes",
    visibility="hidden",
    needs=["most_frequent_pair"],
)
def test_ties(submission, oracle, differential, rng):
    def shuffled(counts):
        pairs = list(counts.items())
        return dict(pairs[place] for place in rng.permutation(len(pairs)))

    tied = int(rng.integers(2, 20))
    inputs = [
        {},
        shuffled({("Z", "a"): tied, ("a", "Z"): tied, ("é", "a"): tied, ("œ", "a"): tied, ("z", "z"): tied}),
        shuffled({("a", "bb"): tied, ("ab", "a"): tied, ("a", "c"): tied, ("aa", "z"): tied}),
        shuffled({("un", "e"): tied, ("un", "es"): tied, ("un", "E"): tied, ("u", "zz"): tied}),
        shuffled({(b"\xc3", b"\xa9"): tied, (b"\xc3", b"\xa9s"): tied, (b"z", b"z"): tied, (b"\xe2", b"\x80"): tied}),
        shuffled({(b"\x00", b"a"): tied, (b"\x00", b"\x7f"): tied, (b"\xff", b"\x00"): tied + 1}),
        shuffled({("z", "z"): tied, ("a", "a"): tied + 1, ("b", "a"): tied - 1}),
    ]
    differential(submission.most_frequent_pair, oracle.most_frequent_pair, inputs)


@check(
    points=1,
    fr="Fusionner : longues répétitions, symboles de même graphie, octets",
    en="Merging: long runs, symbols that spell the same, bytes",
    visibility="hidden",
    needs=["merge_pair"],
)
def test_merge_pair_edges(submission, oracle, differential, rng):
    length = int(rng.integers(2, 6))
    noise = [bytes([value]) for value in rng.integers(0xA8, 0xAB, size=30).tolist()]
    inputs = [
        (["a"] * (2 * length), ("a", "a")),
        (["a"] * (2 * length + 1), ("a", "a")),
        (["aa", "a"] * length, ("aa", "a")),
        (["ab", "c", "a", "bc", "abc"], ("ab", "c")),
        (["ab", "c", "a", "bc", "a", "b", "c"], ("a", "bc")),
        (["x"] * length + ["a", "b"], ("a", "b")),
        (["a", "b"], ("b", "a")),
        (["a"], ("a", "a")),
        ([], ("a", "b")),
        (noise, (b"\xa9", b"\xa8")),
        (noise, (b"\xa9", b"\xa9")),
    ]
    differential(submission.merge_pair, oracle.merge_pair, inputs)


@check(
    points=0.5,
    fr="Apprendre : aucune fusion, plus assez de paires, octets",
    en="Learning: no merge, no pair left, bytes",
    visibility="hidden",
    needs=["learn_merges"],
)
def test_learn_merges_edges(submission, oracle, differential, rng):
    drawn = random_words(rng, alphabet="abcdé", number=8)
    inputs = [
        (drawn, 0),
        (drawn, 12),
        (drawn, 1000),
        ({("a",): 3, ("b",): 1}, 4),
        ({}, 2),
        ({("a",) * 9: 1, ("a", "b") * 3: 1}, 20),
        (random_words(rng, alphabet=[b"\xc3", b"\xa9", b"z"], number=8), 25),
    ]
    differential(submission.learn_merges, oracle.learn_merges, inputs)


@check(
    points=1,
    fr="Morceaux : espaces insécables, ligatures, chiffres, accents combinants, émojis",
    en="Chunks: no-break spaces, ligatures, digits, combining accents, emoji",
    visibility="hidden",
    needs=["split_chunks"],
)
def test_split_chunks_edges(submission, oracle, differential, rng):
    known = ["", " ", "  ", " a", "\na", "a\u00a0!", "«\u00a0Qu’y\u202fa-t-il\u202f?\u00a0»", "l''a 'b' c'", "x²_½ 3,5"]
    inputs = [*known, *paragraphs(rng).split(". "), *(hard_text(rng, pieces=int(n)) for n in rng.integers(2, 9, 60))]
    differential(submission.split_chunks, oracle.split_chunks, inputs)


@check(
    points=1,
    fr="Entraîner sur de la prose française et anglaise",
    en="Training on French and English prose",
    visibility="hidden",
    needs=["train_merges"],
)
def test_train_merges_prose(submission, oracle, differential, rng):
    hard = "".join(hard_text(rng, pieces=5) for _ in range(20))
    inputs = [("", 3), ("a é", 0), ("été", 50), (paragraphs(rng), 60), (hard, 40)]
    differential(submission.train_merges, oracle.train_merges, inputs)


@check(
    points=1,
    fr="Coder dans l'ordre des fusions, quels que soient les octets",
    en="Encoding in the order of merges, whatever the bytes",
    visibility="hidden",
    needs=["encode_chunk"],
)
def test_encode_chunk_edges(submission, oracle, differential, rng):
    learned = oracle.train_merges(paragraphs(rng), 80)
    chain = [(b"b", b"c"), (b"a", b"b"), (b"a", b"bc"), (b"abc", b"abc")]
    inputs = [
        (b"", learned),
        (b"abcabc", []),
        (b"abcabcab", chain),
        (b"abcab", chain[:2]),
        (b"aaaaaaa", [(b"a", b"a"), (b"aa", b"aa")]),
        (bytes(rng.permutation(256).tolist()), learned),
        *((word.encode(), learned) for word in rng.choice(UNSEEN[0].split(), size=20).tolist()),
    ]
    differential(submission.encode_chunk, oracle.encode_chunk, inputs)


@check(
    points=1,
    fr="Jetons spéciaux qui se touchent, se recouvrent ou se contiennent",
    en="Special tokens that touch, overlap or contain each other",
    visibility="hidden",
    needs=["split_special"],
)
def test_split_special_edges(submission, oracle, differential, rng):
    nested = [*rng.permutation(["<a>", "<a><b>", "b><a", "[.*]", "|"]).tolist()]
    inputs = [
        ("<a><b><a>", nested),
        ("x<a><b", nested),
        ("<b><a><a><b>|", nested),
        ("a|b[.*]|<A>", nested),
        ("[ab]<a>", ["[ab]", "a"]),
        ("", nested),
        ("<a> <a>", []),
        ("aaaa", ["aa", "aaa"]),
        ("aaaa", ["aaa", "aa"]),
        (paragraphs(rng), [" l’", "e ", "the "]),
    ]
    differential(submission.split_special, oracle.split_special, inputs)


@check(
    points=1,
    fr="Jetons spéciaux : jamais sans permission, et frontières des morceaux",
    en="Special tokens: never without permission, and the borders of chunks",
    visibility="hidden",
    needs=["encode"],
)
def test_encode_special(submission, oracle, differential, rng):
    merges = oracle.train_merges(" ".join([*SPECIAL, paragraphs(rng)]), 60)
    first, second = rng.choice(SPECIAL, size=2, replace=False).tolist()
    marked = f"{first}l’été {second} {second}{first}\nThe été’{first}s"
    nested = ["<s>", "<s><s>", "<s>the"]
    across = oracle.train_merges("la la la", 2)  # after a second space or a line's end, " la" is no chunk
    inputs = [
        (marked, merges, SPECIAL),
        (marked, merges, SPECIAL, False),
        (marked, merges, SPECIAL, True),
        (marked, merges),
        (marked, merges, [], True),
        (f"{first}{second}", [], SPECIAL[::-1], True),
        ("<s><s><s>the end", merges, nested, True),
        ("<s><s><s>the end", merges, nested),
        (f"mer  la{first}  la\n la mer", across, SPECIAL, True),
        ("mer  la\n la mer la", across),
        (f"abcab{first}abcab", [(b"b", b"c"), (b"a", b"b")], SPECIAL, True),  # not the longest token first
    ]
    differential(submission.encode, oracle.encode, inputs)


@check(
    points=1,
    fr="Décoder des octets qui ne sont pas de l'UTF-8",
    en="Decoding bytes that are not UTF-8",
    visibility="hidden",
    needs=["decode"],
)
def test_decode_invalid(submission, oracle, differential, rng):
    merges = oracle.train_merges(paragraphs(rng), 40)
    vocabulary = oracle.build_vocabulary(merges, SPECIAL)
    number = len(vocabulary)
    euro, emoji = list("€".encode()), list("👩".encode())
    inputs = [
        [0x80 + int(rng.integers(64))],  # a continuation byte on its own
        euro,
        euro[:2],
        [*euro[:2], 65, *euro],
        emoji[:3] * 2,
        [0xC0, 0xAF, 0xED, 0xA0, 0x80, 0xFF],  # overlong, a surrogate, never a byte of UTF-8
        [*emoji[:2], number - 1, *emoji[2:]],
        [],
        *(rng.integers(number, size=12).tolist() for _ in range(20)),
    ]
    differential(submission.decode, oracle.decode, [(ids, vocabulary) for ids in inputs])


@check(
    points=0.5,
    fr="Aller-retour : n'importe quel texte Unicode",
    en="There and back: any Unicode text",
    visibility="hidden",
    needs=["encode", "decode"],
)
def test_round_trip(submission, oracle, compare, rng):
    merges = oracle.train_merges(paragraphs(rng), 60)
    vocabulary = oracle.build_vocabulary(merges)
    texts = [hard_text(rng, pieces=int(n)) for n in rng.integers(1, 9, size=40)]
    encoded = submission.encode.map((one, merges) for one in texts)
    for one, ids in zip(texts, encoded, strict=True):
        compare(ids, oracle.encode(one, merges))
    for one, back in zip(texts, submission.decode.map((ids, vocabulary) for ids in encoded), strict=True):
        compare(back, one)


@check(
    points=0.5,
    fr="La compression d'un texte nouveau, en octets par jeton",
    en="Compression of new text, in bytes per token",
    visibility="hidden",
    needs=["train_merges", "encode"],
)
def test_compression(submission, oracle, rng):
    n_merges = int(rng.integers(60, 90))
    for training, unseen in zip((FRENCH, ENGLISH), UNSEEN, strict=True):
        merges = submission.train_merges(training, n_merges)
        require_merges(merges, at_most=n_merges)
        ids = submission.encode(unseen, merges)
        require_text(ids, merges, unseen)
        reached = len(unseen.encode()) / len(ids)
        possible = oracle.bytes_per_token(unseen, oracle.train_merges(training, n_merges))
        found, asked = f"{reached:.3f}", f"{COMPRESSION * possible:.3f}"
        assert reached >= COMPRESSION * possible, Text(
            f"{found.replace('.', ',')} octets par jeton, alors que {asked.replace('.', ',')} sont demandés.",
            f"{found} bytes per token where {asked} are asked for.",
        )


def require_merges(merges, *, at_most):
    """Fail unless `merges` is a list of pairs of bytes."""
    pairs = merges if isinstance(merges, list | tuple) else []
    symbols = [one for pair in pairs if isinstance(pair, list | tuple) and len(pair) == 2 for one in pair]
    right = 0 < len(pairs) <= at_most and len(symbols) == 2 * len(pairs) and all(type(one) is bytes for one in symbols)
    assert right, Text(
        f"`train_merges` doit renvoyer une liste d'au plus {at_most} paires d'octets.",
        f"`train_merges` must return a list of at most {at_most} pairs of bytes.",
    )


def require_text(ids, merges, text):
    """Fail unless `ids` are numbers of tokens whose bytes together are `text`."""
    vocabulary = [*(bytes([value]) for value in range(256)), *(left + right for left, right in merges)]
    whole = isinstance(ids, list | tuple) and all(isinstance(one, int | np.integer) for one in ids)
    known = whole and all(0 <= one < len(vocabulary) for one in ids)
    spelled = b"".join(vocabulary[one] for one in ids) if known else None
    assert spelled == text.encode(), Text(
        "Les jetons de `encode` ne redonnent pas le texte.", "The tokens of `encode` do not give the text back."
    )
