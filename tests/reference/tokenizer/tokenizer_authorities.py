"""What the tokenizer is held against: other libraries' tokenizers built from ours, and random texts to compare on."""

from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np
import regex
import tiktoken
import tokenizers
from hypothesis import HealthCheck, settings
from tokenizers import AddedToken, decoders, models, pre_tokenizers

from reference.tokenizer import Tokenizer

# the same examples each time, however busy the machine is
SAME = settings(derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
# as published with GPT-2
GPT2_PATTERN = r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
BYTES = tuple(bytes([value]) for value in range(256))
SCALARS = "".join(chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)
WHITE = " \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2003\u2028\u2029\u202f\u205f\u3000\u200b\ufeff"
CONTRACTIONS = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'LL", "'", "''s", "’s", "'l", "'r", "'v", " 'll")
EMOJI = ("👍🏽", "👩‍👩‍👧‍👦", "🇫🇷", "❤️", "1️⃣", "🏴\U000e0067\U000e0062\U000e007f", "🫠")
MARKS = "\u0300\u0301\u0327\u0338\u20dd\u20e3\u0483\u064b\u0e31\u3099\ufe0f\U0001d165"
WORDS = (
    "the",
    "hug",
    "hugs",
    "Straße",
    "ΣΊΣΥΦΟΣ",
    "naïve",
    "東京都",
    "привет",
    "ﬁ",
    "سلام",
    "नमस्ते",
    "한국어",
    "x" * 30,
)
NUMBERS = ("0", "2026", "½", "Ⅻ", "٣", "१२", "1,234.5", "³", "１２")


def tiktoken_classes(pattern: str) -> set[str]:
    """The characters that tiktoken takes for `pattern`: what no chunk covers, it leaves out."""
    encoding = tiktoken.Encoding("classes", pat_str=pattern, mergeable_ranks=_byte_ranks(), special_tokens={})
    return set(encoding.decode(encoding.encode_ordinary(SCALARS)))


def our_classes(pattern: str) -> set[str]:
    return set("".join(regex.findall(pattern, SCALARS)))


def disputed() -> set[str]:
    """Characters that our Unicode tables and tiktoken's put into different classes."""
    patterns = (r"\p{L}+", r"\p{N}+", r"\s+")
    return set().union(*(our_classes(pattern) ^ tiktoken_classes(pattern) for pattern in patterns))


def _byte_ranks() -> dict[bytes, int]:
    return {token: rank for rank, token in enumerate(BYTES)}


def tiktoken_encoding(tokenizer: Tokenizer) -> tiktoken.Encoding:
    ids = {token: one for one, token in enumerate(tokenizer.vocabulary)}
    ordinary = [*BYTES, *(left + right for left, right in tokenizer.merges)]
    return tiktoken.Encoding(
        "ours",
        pat_str=GPT2_PATTERN,
        mergeable_ranks={token: ids[token] for token in ordinary},
        special_tokens={token: ids[token.encode()] for token in tokenizer.special_tokens},
    )


def byte_letters() -> dict[int, str]:
    """GPT-2 writes a byte as a letter: printable ones as themselves, the others as letters from 256 on."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = [value for value in range(256) if value not in printable]
    return {value: chr(value) for value in printable} | {value: chr(256 + i) for i, value in enumerate(others)}


LETTERS = byte_letters()
BYTE_OF = {letter: value for value, letter in LETTERS.items()}


def spell(token: bytes) -> str:
    return "".join(LETTERS[value] for value in token)


def unspell(token: str) -> bytes:
    return bytes(BYTE_OF[letter] for letter in token)


def hugging_face(tokenizer: Tokenizer) -> tokenizers.Tokenizer:
    """Special tokens come last in `tokenizer`, as they do there, or are ordinary tokens of printable letters."""
    ids = {token: one for one, token in enumerate(tokenizer.vocabulary)}
    ordinary = [*BYTES, *(left + right for left, right in tokenizer.merges)]
    vocabulary = {spell(token): ids[token] for token in ordinary}
    merges = [(spell(left), spell(right)) for left, right in tokenizer.merges]
    theirs = tokenizers.Tokenizer(models.BPE(vocabulary, merges))
    theirs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    theirs.decoder = decoders.ByteLevel()
    theirs.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in tokenizer.special_tokens])
    return theirs


def random_texts(rng: np.random.Generator, n: int, *, special: Iterable[str] = ()) -> list[str]:
    """Short texts of everything that is hard: all planes, emoji, marks, white space, contractions, controls, …"""
    known = "".join(sorted(set(SCALARS) - disputed()))
    basic = "".join(char for char in known if ord(char) < 0x3000)
    marks = tuple(special)
    broken = tuple(token[:cut] for token in marks for cut in range(1, len(token)))
    kinds: list[Callable[[], str]] = [
        lambda: _some(rng, known, 4),
        lambda: _some(rng, basic, 4),
        lambda: _some(rng, WHITE, 5),
        lambda: " " * int(rng.integers(1, 5)),
        lambda: _some(rng, "abcdeABCDE'", 6),
        lambda: _some(rng, "\x00\x01\x07\x1b\x7f\x80\x9f\ufffd\uffff\U0010ffff", 3),
        lambda: _some(rng, "e" + MARKS, 4),
        lambda: _some(rng, ".,;:!?-–«»()[]{}<|>/\\\"'@#", 4),
    ]
    pools = [CONTRACTIONS, EMOJI, WORDS, WORDS, NUMBERS] + [pool for pool in (marks, broken) if pool]
    return ["".join(_segment(rng, kinds, pools) for _ in range(rng.integers(0, 12))) for _ in range(n)]


def _segment(rng: np.random.Generator, kinds: list[Callable[[], str]], pools: list[tuple[str, ...]]) -> str:
    kind = int(rng.integers(len(kinds) + len(pools)))
    if kind < len(kinds):
        return kinds[kind]()
    pool = pools[kind - len(kinds)]
    return pool[int(rng.integers(len(pool)))]


def _some(rng: np.random.Generator, characters: str, most: int) -> str:
    return "".join(characters[place] for place in rng.integers(len(characters), size=rng.integers(1, most + 1)))


Symbols = tuple[object, ...]


def brute_force_merges(
    words: dict[str, int] | dict[bytes, int], n_merges: int, *, rank: Callable[[object], object] | None = None
) -> tuple[list[tuple[object, object]], int]:
    """Merges by counting everything anew, and how many rounds went by before the first tie at the top.

    Of the most frequent pairs the greatest wins; with `rank`, the one whose symbols have the least (rank, rank), a
    symbol's rank being that of its letter, or after all letters, in order of creation.
    """
    sequences = [(_letters(word), count) for word, count in words.items()]
    created: list[object] = []
    merges: list[tuple[object, object]] = []
    decided: int | None = None
    for _ in range(n_merges):
        counts: Counter[tuple[object, object]] = Counter()
        for symbols, count in sequences:
            for i in range(len(symbols) - 1):
                counts[symbols[i], symbols[i + 1]] += count
        if not counts:
            break
        most = max(counts.values())
        first = [pair for pair, count in counts.items() if count == most]
        if len(first) > 1 and decided is None:
            decided = len(merges)
        best = max(first) if rank is None else min(first, key=lambda pair: [_place(one, created, rank) for one in pair])
        merges.append(best)
        created.append(best[0] + best[1])
        sequences = [(_replace(symbols, best), count) for symbols, count in sequences]
    return merges, len(merges) if decided is None else decided


def _letters(word: str | bytes) -> list[object]:
    return [word[i : i + 1] for i in range(len(word))]


def _place(symbol: object, created: list[object], rank: Callable[[object], object]) -> tuple[int, object]:
    return (1, created.index(symbol)) if symbol in created else (0, rank(symbol))


def _replace(symbols: list[object], pair: tuple[object, object]) -> list[object]:
    """From the left: where the pair stands at the end of what is done, it becomes one, and is not looked at again."""
    done: list[object] = []
    fresh = False
    for symbol in symbols:
        if done and not fresh and (done[-1], symbol) == pair:
            done[-1] = done[-1] + symbol
            fresh = True
        else:
            done.append(symbol)
            fresh = False
    return done
