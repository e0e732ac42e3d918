"""Random grammars in which words agree at a distance, as verbs do with their subjects across relative clauses.

Each class (think of number and gender) has determiners, nouns and verbs of its own:

    S → NP_c VP_c                          for a random class c
    NP_c → D_c N_c | D_c N_c R_c           the second with probability `nesting`
    R_c → "who" VP_c | "whom" NP_d V_d     in words of the language
    VP_c → V_c | V_c NP_d                  for a random class d

The class of the last verb is decided by a noun that any number of words may separate from it: an n-gram cannot carry it
over, a model with memory can. Not covered: sampling and probabilities (`grammar`).
"""

from collections.abc import Iterator
from itertools import product

import numpy as np

from harness.errors import ConfigurationError

START = "S"
CONSONANTS, VOWELS = "bcdfglmnprstv", "aeiou"
OBJECT = 0.4  # probability that a verb has an object: keeps `nesting` up to 0.5 far from endless sentences
MOST_NESTING = 0.5
MOST_WORDS = 100_000  # nouns and verbs: with two determiners a class at most twice that, of 278,915 pseudo-words
CONCENTRATION = 2.0  # of the Dirichlet distributions of words and classes: uneven, yet every word is met

Alternatives = list[tuple[float, tuple[str, ...]]]


def rules(rng: np.random.Generator, *, words: int, classes: int, nesting: float) -> dict[str, Alternatives]:
    """The grammar above, with words of one to three syllables and probabilities drawn by `rng`.

    Raises:
        ConfigurationError: fewer than one noun and one verb a class, no class, too many words, or `nesting` beyond its
            bounds.
    """
    each = words // (2 * classes) if classes > 0 else 0
    if each < 1 or words > MOST_WORDS or not 0 <= nesting <= MOST_NESTING:
        raise ConfigurationError(
            f"a random grammar is impossible: words={words}, classes={classes}, nesting={nesting}",
            remedy=f"Give two words a class or more, {MOST_WORDS} at most, and a nesting from 0 to {MOST_NESTING}.",
        )
    vocabulary = _words(rng)
    who, whom = next(vocabulary), next(vocabulary)
    weights = rng.dirichlet(np.full(classes, CONCENTRATION)).tolist()
    numbered = list(zip(weights, range(classes), strict=True))
    made: dict[str, Alternatives] = {START: [(p, (f"NP{c}", f"VP{c}")) for p, c in numbered]}
    for c in range(classes):
        made[f"NP{c}"] = [(1 - nesting, (f"D{c}", f"N{c}")), (nesting, (f"D{c}", f"N{c}", f"R{c}"))]
        inner: Alternatives = [(p / 2, (whom, f"NP{d}", f"V{d}")) for p, d in numbered]
        made[f"R{c}"] = [(0.5, (who, f"VP{c}")), *inner]
        objects: Alternatives = [(OBJECT * p, (f"V{c}", f"NP{d}")) for p, d in numbered]
        made[f"VP{c}"] = [(1 - OBJECT, (f"V{c}",)), *objects]
        for kind, count in (("D", 2), ("N", each), ("V", each)):
            shares = rng.dirichlet(np.full(count, CONCENTRATION)).tolist()
            made[f"{kind}{c}"] = [(p, (next(vocabulary),)) for p in shares]
    return made


def _words(rng: np.random.Generator) -> Iterator[str]:
    """Pseudo-words, each once: all of one syllable first, as frequent words are short, then of two, then of three."""
    syllables = ["".join(letters) for letters in product(CONSONANTS, VOWELS)]
    for count in (1, 2, 3):
        made = ["".join(parts) for parts in product(syllables, repeat=count)]
        for index in rng.permutation(len(made)).tolist():
            yield made[index]
