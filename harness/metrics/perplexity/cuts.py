"""Where the text is cut for an audit, and the decoy that follows the cut.

A decoy holds nothing of the text but its stock of tokens (or words): each is drawn alone, from all passages together.
Where the tokenizer is the student's, its `encode` may not see the text either; the cut is then one of the text, at
the end of a word, and `encode` is given what comes before it with a decoy.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np

from harness.metrics.perplexity.rows import Ids
from harness.metrics.perplexity.rules import Rules
from harness.metrics.perplexity.tokenizers import AlreadyRead, StudentTokenizer, Tokenizer
from harness.metrics.perplexity.windows import Window, windows

WORD_ENDS = re.compile(r"(?<=\S)(?=\s)")
WORDS = re.compile(r"\s+\S+")


@dataclass(frozen=True, slots=True)
class Passage:
    """A text to be predicted, after a context that is only read."""

    context: str
    text: str


@dataclass(frozen=True, slots=True)
class Cut:
    """A position to be asked: ids up to it, then a decoy."""

    passage: int  # its number
    position: int  # the id to be predicted, counted in the passage
    window: Window
    seen: Ids  # ids of the passage before the position
    asked: list[int]  # what the model is given, start token included


def encoded(passage: Passage, tokenizer: Tokenizer) -> tuple[list[int], int]:
    """The passage's ids, and the first of them that is to be predicted: of a text, one at least."""
    ids = tokenizer.encode(passage.context + passage.text)
    if not passage.context:
        return ids, 0
    if isinstance(tokenizer, StudentTokenizer | AlreadyRead):
        size = len(passage.context.encode())
        return ids, max(index for place, index in tokenizer.starts(ids).items() if place <= size)
    return ids, min(len(tokenizer.encode(passage.context)), len(ids) - 1)


def windows_of(length: int, scored_from: int, rules: Rules) -> list[Window]:
    """The windows that `rules` make of a passage."""
    return windows(length, scored_from=scored_from, context=rules.context, predicted=rules.predicted)


def window_ids(ids: Sequence[int] | Ids, window: Window, rules: Rules) -> list[int]:
    """What the model reads: ids of (start, *ids) within the window."""
    start = [rules.start] if window.begin == 0 else []
    return start + [int(number) for number in ids[max(0, window.begin - 1) : window.end - 1]]


def cuts_of_ids(
    passages: Sequence[Passage], tokenizer: Tokenizer, rules: Rules, rng: np.random.Generator
) -> Iterator[list[Cut]]:
    """Cuts at any scored position, drawn without replacement; in each round one of a passage, from left to right."""
    made = [encoded(passage, tokenizer) for passage in passages]
    places = [(number, at) for number, (ids, first) in enumerate(made) for at in range(first, len(ids))]
    stock = np.array([made[number][0][at] for number, at in places], dtype=np.int64)
    arrays = [np.array(ids, dtype=np.int64) for ids, _ in made]
    for drawn in _rounds(places, rules, rng):
        cuts = []
        for number, at in drawn:
            ids, first = made[number]
            window = _window_at(at, windows_of(len(ids), first, rules))
            kept = window_ids(ids, Window(window.begin, at, at + 1), rules)
            decoy = rng.choice(stock, size=window.end - at - 1).tolist()
            cuts.append(Cut(number, at, window, arrays[number][:at], kept + decoy))
        yield cuts


def cuts_of_words(
    passages: Sequence[Passage], tokenizer: StudentTokenizer, rules: Rules, rng: np.random.Generator
) -> Iterator[list[Cut | None]]:
    """Cuts at ends of words; None where the tokens before the cut are not those of the text before it."""
    places = [(number, at) for number, passage in enumerate(passages) for at in word_ends(passage)]
    stock = [word for passage in passages for word in WORDS.findall(f" {passage.text}")] or [" "]
    for drawn in _rounds(places, rules, rng):
        yield [
            _cut_of_words(
                (number, at), passages[number], _decoy(stock, _left(passages[number], at), rng), tokenizer, rules
            )
            for number, at in drawn
        ]


def word_ends(passage: Passage) -> dict[int, int]:
    """Where a word of the text ends, and where the text begins: place in (context, text) -> place in its bytes."""
    begin = len(passage.context)
    whole = passage.context + passage.text
    ends = (match.start() for match in WORD_ENDS.finditer(whole))
    places = sorted({begin, *(end for end in ends if begin <= end < len(whole))})
    sizes = accumulate(len(whole[left:right].encode()) for left, right in pairwise([0, *places]))
    return dict(zip(places, sizes, strict=True))


def _left(passage: Passage, at: int) -> int:
    return len(passage.context) + len(passage.text) - at


def _cut_of_words(
    place: tuple[int, int], passage: Passage, decoy: str, tokenizer: StudentTokenizer, rules: Rules
) -> Cut | None:
    number, at = place
    before = (passage.context + passage.text)[:at]
    ids, scored_from = encoded(Passage(passage.context, before[len(passage.context) :] + decoy), tokenizer)
    position = tokenizer.starts(ids).get(len(before.encode()))
    if position is None or not scored_from <= position < len(ids):
        return None
    window = _window_at(position, windows_of(len(ids), scored_from, rules))
    return Cut(number, position, window, np.array(ids[:position], dtype=np.int64), window_ids(ids, window, rules))


def _decoy(stock: Sequence[str], size: int, rng: np.random.Generator) -> str:
    """Words that are `size` characters long together, the last one cut."""
    words: list[str] = []
    while sum(map(len, words)) < size:
        words += [stock[number] for number in rng.integers(len(stock), size=1 + size // 4).tolist()]
    return "".join(words)[:size]


def _rounds(
    places: Sequence[tuple[int, int]], rules: Rules, rng: np.random.Generator
) -> Iterator[list[tuple[int, int]]]:
    """A sample of `places`, dealt so that a round has one of each passage, and earlier ones come first."""
    count = min(rules.audits, len(places))
    drawn = sorted(places[index] for index in rng.choice(len(places), size=count, replace=False))
    left: dict[int, list[tuple[int, int]]] = {}
    for number, at in drawn:
        left.setdefault(number, []).append((number, at))
    depth = max(map(len, left.values()), default=0)
    for turn in range(depth):
        yield [queue[turn] for queue in left.values() if turn < len(queue)]


def _window_at(position: int, cut: Sequence[Window]) -> Window:
    return next(window for window in cut if window.first <= position < window.end)
