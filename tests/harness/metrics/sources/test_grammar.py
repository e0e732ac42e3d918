"""The grammar source: the inside algorithm against enumerated derivations, draws, floors, and what n-grams miss."""

import itertools
import math
import re
from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pytest

from harness.checks.samplers import departure
from harness.errors import ConfigurationError
from harness.metrics.sources import GrammarSource, bits_per_byte
from harness.metrics.sources.grammar import END, Rules

AMBIGUOUS: Rules = {"S": [(0.3, ("S", "S")), (0.5, ("a",)), (0.2, ("b",))]}
UNITS: Rules = {  # a cycle of unit rules, shared pieces, words among symbols, a rule of four
    "S": [(0.2, ("A",)), (0.3, ("A", "x", "B")), (0.1, ("x", "A", "x", "B")), (0.4, ("a",))],
    "A": [(0.2, ("B",)), (0.3, ("B",)), (0.3, ("a",)), (0.2, ("x", "B"))],
    "B": [(0.4, ("A",)), (0.4, ("b",)), (0.2, ("a", "b", "b"))],
}
DOUBLED: Rules = {"S": [(0.25, ("a",)), (0.25, ("a",)), (0.25, ("a", "a")), (0.25, ("a", "a"))]}
FINITE: Rules = {"S": [(0.5, ("A", "A")), (0.5, ("A",))], "A": [(0.6, ("a",)), (0.3, ("a", "b")), (0.1, ("b",))]}
GRAMMARS = {"ambiguous": AMBIGUOUS, "units": UNITS, "doubled": DOUBLED, "finite": FINITE}


def derived(rules: Rules, *, longest: int, steps: int) -> dict[tuple[str, ...], float]:
    """The probability of each sentence of at most `longest` words, from all leftmost derivations of `steps` steps."""
    finished: dict[tuple[str, ...], float] = defaultdict(float)
    open_forms: dict[tuple[str, ...], float] = {("S",): 1.0}
    for _ in range(steps):
        following: dict[tuple[str, ...], float] = defaultdict(float)
        for form, p in open_forms.items():
            place = next((index for index, symbol in enumerate(form) if symbol in rules), None)
            if place is None:
                finished[form] += p
                continue
            for chance, made in rules[form[place]]:
                grown = form[:place] + made + form[place + 1 :]
                if len(grown) <= longest:  # no symbol becomes nothing: longer forms give longer sentences
                    following[grown] += p * chance
        open_forms = following
    return finished


@pytest.mark.parametrize("name", GRAMMARS)
def test_the_inside_algorithm_sums_all_derivations(name: str) -> None:
    rules = GRAMMARS[name]
    made = GrammarSource(rules, start="S")
    expected = derived(rules, longest=6, steps=150)  # the cycle of unit rules loses 0.8 each turn: 0.2^75 is left
    assert len(expected) >= 2
    for sentence, p in expected.items():
        assert math.exp(made.log_probability(" ".join(sentence) + END)) == pytest.approx(p, rel=1e-12)


@pytest.mark.parametrize("length", [1, 2])
def test_probabilities_add_up_to_one(length: int) -> None:
    made = GrammarSource(FINITE, start="S")
    sentences = [" ".join(words) + END for words in derived(FINITE, longest=9, steps=20)]
    documents = sentences if length == 1 else [first + second for first in sentences for second in sentences]
    assert math.fsum(math.exp(made.log_probability(text)) for text in documents) == pytest.approx(1.0, abs=1e-13)


def test_an_infinite_language_adds_up_to_one_in_the_limit() -> None:
    made = GrammarSource({"S": [(0.6, ("a",)), (0.4, ("a", "S"))]}, start="S")
    total = math.fsum(math.exp(made.log_probability("a " * n + "a" + END)) for n in range(40))
    assert total == pytest.approx(1 - 0.4**40, abs=1e-14)


@pytest.mark.parametrize("name", GRAMMARS)
def test_draws_follow_the_probabilities(name: str) -> None:
    made = GrammarSource(GRAMMARS[name], start="S")
    known = {" ".join(words) + END: p for words, p in derived(GRAMMARS[name], longest=4, steps=60).items()}
    table = {**known, "longer": max(0.0, 1 - math.fsum(known.values()))}
    drawn = made.sample(np.random.default_rng(5), documents=20_000, length=1)
    assert departure([text if text in known else "longer" for text in drawn], table) is None


def test_a_document_is_its_sentences() -> None:
    made = GrammarSource(AMBIGUOUS, start="S")
    [text] = made.sample(np.random.default_rng(2), documents=1, length=30)
    sentences = text.split(END)
    assert (len(sentences), sentences[-1]) == (31, "")
    parts = [made.log_probability(sentence + END) for sentence in sentences[:-1]]
    assert made.log_probability(text) == pytest.approx(math.fsum(parts), rel=1e-12)
    assert made.log_probability("") == 0


def test_long_sentences_do_not_vanish() -> None:
    """8^-400 is no float64: spans are scaled."""
    made = GrammarSource({"S": [(0.5, ("W",)), (0.5, ("W", "S"))], "W": [(0.25, (c,)) for c in "abcd"]}, start="S")
    assert made.log_probability("a " * 399 + "a" + END) == pytest.approx(-400 * math.log(8), rel=1e-12)


@pytest.mark.parametrize("text", ["a", "a.", "z.\n", ".\n", "a  a.\n", "a\n", "a.\nb", " a.\n"])
def test_what_is_never_drawn_has_no_probability(text: str) -> None:
    assert GrammarSource(AMBIGUOUS, start="S").log_probability(text) == -math.inf


def test_the_floor_of_a_regular_grammar_is_its_entropy() -> None:
    """S → a S | b: entropy H(p)/(1 - p) bits a sentence, by the chain rule."""
    made = GrammarSource({"S": [(0.7, ("a", "S")), (0.3, ("b",))]}, start="S")
    documents = made.sample(np.random.default_rng(1), documents=400, length=50)
    bits = [bits_per_byte(made, [text]) * len(text) / 50 for text in documents]
    exact = -(0.7 * math.log2(0.7) + 0.3 * math.log2(0.3)) / 0.3
    assert abs(np.mean(bits) - exact) < 4 * np.std(bits) / math.sqrt(len(bits))


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"T": [(1.0, ("a",))]}, "no rule for its start"),
        ({"S": [(0.5, ("a",))]}, "add up to 0.5"),
        ({"S": []}, "add up to 0"),
        ({"S": [(1.5, ("a",)), (-0.5, ("b",))]}, ">= 0"),
        ({"S": [(math.nan, ("a",))]}, "nan"),
        ({"S": [(1.0, ())]}, "may become nothing"),
        ({"S": [(1.0, ("a b",))]}, "'a b' is no word"),
        ({"S": [(1.0, ("a.",))]}, "is no word"),
        ({"S": [(1.0, ("",))]}, "is no word"),
        ({"S": [(0.5, ("S", "S")), (0.5, ("a",))]}, "infinite expected length .spectral radius 1"),
        ({"S": [(0.4, ("A", "A", "A")), (0.6, ("a",))], "A": [(1.0, ("S",))]}, "spectral radius 1.09"),
        ({"S": [(1.0, ("S",))]}, "infinite expected length"),
    ],
)
def test_what_is_no_source_is_refused(rules: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        GrammarSource(rules, start="S")


@pytest.mark.parametrize(
    "options",
    [
        {"words": 300_000, "classes": 2},
        {"words": 3},
        {"classes": 0},
        {"nesting": 0.6},
        {"nesting": -0.1},
        {"nesting": math.nan},
    ],
    ids=str,
)
def test_impossible_random_grammars_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="random grammar"):
        GrammarSource.random(np.random.default_rng(0), **options)


def categories(made: GrammarSource) -> list[tuple[str, str]]:
    """Each determiner, noun and verb with the symbol that becomes it: ("lido", "N0")."""
    symbols = [symbol for symbol in made.rules if re.fullmatch("[DNV][0-9]", symbol)]
    return [(word, symbol) for symbol in symbols for _, (word,) in made.rules[symbol]]


@pytest.mark.parametrize("seed", range(20))
def test_random_grammars_end_and_have_each_word_once(seed: int) -> None:
    rng = np.random.default_rng(seed)
    made = GrammarSource.random(rng, classes=1 + seed % 4, nesting=0.5)
    written = categories(made)
    assert len(set(written)) == len(written) == len(made.words) - 2  # and one word each for who and whom
    assert all(math.isfinite(made.log_probability(text)) for text in made.sample(rng, documents=5, length=20))


def agreement(made: GrammarSource, sentence: str) -> list[tuple[str, str]]:
    """Read one sentence word by word: (class of the subject, class of its verb), from a parser of our own."""
    kind = dict(categories(made))
    (_, (who, _)), (_, (whom, *_)), *_ = made.rules["R0"]
    left = [kind.get(word, {who: "who", whom: "whom"}.get(word, "")) for word in sentence.split(" ")] + [""]
    found: list[tuple[str, str]] = []

    def noun_phrase() -> str:
        determiner, noun = left.pop(0), left.pop(0)
        assert (determiner[0], noun[0], determiner[1:]) == ("D", "N", noun[1:])
        if left[0] == "who":
            left.pop(0)
            verb_phrase(noun[1:])
        elif left[0] == "whom":
            left.pop(0)
            subject = noun_phrase()
            found.append((subject, left.pop(0)[1:]))
        return noun[1:]

    def verb_phrase(subject: str) -> None:
        found.append((subject, left.pop(0)[1:]))
        if left[0].startswith("D"):
            noun_phrase()

    verb_phrase(noun_phrase())
    assert left == [""]
    return found


def test_verbs_agree_with_their_subjects_across_relative_clauses() -> None:
    made = GrammarSource.random(np.random.default_rng(4), classes=3, nesting=0.5)
    [text] = made.sample(np.random.default_rng(1), documents=1, length=500)
    pairs = [pair for sentence in text.split(END)[:-1] for pair in agreement(made, sentence)]
    assert all(subject == verb for subject, verb in pairs)
    assert {subject for subject, _ in pairs} == {"0", "1", "2"}
    assert len(pairs) > 1.5 * 500  # many of them in relative clauses


def trigram_bits_per_byte(train: str, test: str) -> float:
    """An interpolated trigram over words with the best of ten weights on the test text itself: a bound from below."""
    words = train.replace(END, " . ").split()
    ones, twos = Counter(words), Counter(itertools.pairwise(words))
    threes = Counter(zip(words, words[1:], words[2:], strict=False))
    asked = test.replace(END, " . ").split()
    asked = [".", ".", *asked]
    rows = [
        (threes[a, b, c] / max(1, twos[a, b]), twos[b, c] / max(1, ones[b]), ones[c] / len(words))
        for a, b, c in zip(asked, asked[1:], asked[2:], strict=False)
    ]
    table = np.array(rows)
    weights = [(1 - x - y, x, y) for x in (0.01, 0.03, 0.1, 0.2, 0.3) for y in (0.001, 0.01)]
    bits = min(-np.log2(table @ np.array(weight)).sum() for weight in weights)
    return float(bits / len(test.encode()))


@pytest.mark.slow
def test_a_trigram_stays_above_the_floor_of_a_random_grammar() -> None:
    """What depends on words further away is left for models that remember: more than a tenth of the floor."""
    made = GrammarSource.random(np.random.default_rng(0))
    [train] = made.sample(np.random.default_rng(1), documents=1, length=40_000)
    [test] = made.sample(np.random.default_rng(2), documents=1, length=2_000)
    floor, trigram = bits_per_byte(made, [test]), trigram_bits_per_byte(train, test)
    print(f"floor {floor:.3f}, trigram {trigram:.3f} bits per byte")
    assert trigram > 1.1 * floor
