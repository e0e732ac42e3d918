"""How fast n-grams are counted: `python benchmarks/ngram.py`, under two minutes.

Two texts of a million characters, the same on every machine: words of letters as frequent as in English, drawn by
Zipf's law; and noise, every printable ASCII character as likely as every other, where most long n-grams occur once.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from reference.ngram import character_ngram_counts, ngram_counts

LENGTH = 1_000_000  # characters
WORDS = 20_000
LETTERS = "etaoinshrdlcumwfgypbvkjxqz"  # from the most frequent in English
ORDERS = (1, 2, 3, 5, 8)
REPEATS = 5


def words(rng: np.random.Generator) -> str:
    """Words of one to nine letters, the r-th most frequent about 1/r as likely as the first."""
    by_rank = 1 / np.arange(1, len(LETTERS) + 1)
    made = ["".join(rng.choice([*LETTERS], size=rng.integers(1, 10), p=by_rank / by_rank.sum())) for _ in range(WORDS)]
    zipf = 1 / np.arange(1, WORDS + 1)
    return " ".join(made[at] for at in rng.choice(WORDS, size=LENGTH // 3, p=zipf / zipf.sum()))[:LENGTH]


def noise(rng: np.random.Generator) -> str:
    return "".join(map(chr, rng.integers(32, 127, size=LENGTH)))


def rates(count: Callable[..., object], text: str, order: int) -> list[float]:
    """Millions of characters a second, from the slowest run to the fastest."""
    found = []
    for _ in range(REPEATS):
        start = perf_counter()
        count(text, order=order)
        found.append(len(text) / 1e6 / (perf_counter() - start))
    return sorted(found)


def main() -> None:
    rng = np.random.default_rng(3)
    print(f"million characters a second, median of {REPEATS} runs (slowest to fastest)")
    for name, text in (("words", words(rng)), ("noise", noise(rng))):
        for order in ORDERS:
            columns = []
            for count in (ngram_counts, character_ngram_counts):
                found = rates(count, text, order)
                columns.append(f"{count.__name__} {median(found):6.2f} ({found[0]:.2f} to {found[-1]:.2f})")
            print(f"{name}, {len(text):,} characters, order {order}: {'; '.join(columns)}")


if __name__ == "__main__":
    main()
