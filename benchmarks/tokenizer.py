"""How fast the tokenizer trains and encodes: `python benchmarks/tokenizer.py`, under two minutes.

The text is made here, the same on every machine: words of an English look, drawn by Zipf's law from fifty thousand, in
sentences with capitals, commas, contractions and numbers.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from reference.tokenizer import Tokenizer, train_bpe, train_bpe_incremental, train_tokenizer
from reference.tokenizer.pretokenization import pretokenize

COMMON = """
the of and to a in that it is was he for on as with his they at be this from I have or by one had not but what all
were when we there can an your which their said if do will each about how up out them then she many some so these
would other into has more her two like him see time could no make than first been its who now people my made over
did down only way find use may water long little very after words called just where most know don't it's we'll
"""
STEMS = """
act art ask back bear boat bold book born bridge bright bring build calm care cast chance clear cloud cold corn
count cross cry dark deep draw dream drift dry earth east ease edge even fall farm fear field fire fish flat flow
fold form free friend full game gather gentle gift glass gold grain grand grass green ground grow guard hand hard
harbour heart heat hill hold home hope horse house hunt ice iron join journey judge keep kind king knock lake land
laugh lead leaf learn light line list listen live lock low march mark master meadow mean measure milk mind moon
morning mountain move name narrow neighbour night noble north number oak ocean offer open order paint paper part
path plain plant play point poor power press prince proud pull quarter quick quiet rain reach read reason red
rest rich ride river road rock roof room round sail salt sand school sea season shape sharp shelter shine ship
shore short silver simple sing sister sleep slow small smoke snow soft song south speak spring stand star steady
stone storm story strange stream street strong summer swift table tall teach thick thought thread tide timber
town track trade travel tree true trust turn valley village visit voice walk wall warm watch weather west wheat
white wide wild wind window winter wise wonder wood work world write year young
"""
BEGINNINGS = ("", "un", "re", "over", "under", "out", "fore", "mid", "after", "counter")
ENDINGS = (
    "",
    "s",
    "ed",
    "ing",
    "er",
    "ers",
    "ly",
    "ness",
    "less",
    "ful",
    "fully",
    "ish",
    "able",
    "ment",
    "ward",
    "like",
)
REPEATS = 5


def english_like(n_bytes: int, seed: int) -> str:
    """ASCII text of exactly `n_bytes`."""
    rng = np.random.default_rng(seed)
    stems = STEMS.split()
    words = COMMON.split() + [first + stem + last for last in ENDINGS for first in BEGINNINGS for stem in stems]
    weights = 1 / np.arange(1, len(words) + 1)
    drawn = rng.choice(len(words), size=n_bytes // 4, p=weights / weights.sum())
    text = "".join(_sentences([words[index] for index in drawn], rng))
    return text[:n_bytes]


def _sentences(words: list[str], rng: np.random.Generator) -> list[str]:
    sentences = []
    while words:
        n_words = int(rng.integers(4, 20))
        sentence, words = words[-n_words:], words[:-n_words]
        sentence[0] = sentence[0].capitalize()
        sentence[len(sentence) // 2] += "," if len(sentence) > 9 else ""
        if rng.random() < 0.05:
            sentence.append(str(rng.integers(1, 2100)))
        sentences.append(" ".join(sentence) + (".\n\n" if rng.random() < 0.1 else ". "))
    return sentences


def measure(what: str, run: Callable[[], object], n_bytes: int) -> float:
    """Print the median and the spread of a few runs; return the median in seconds."""
    seconds = []
    for _ in range(REPEATS):
        start = perf_counter()
        run()
        seconds.append(perf_counter() - start)
    middle = median(seconds)
    rate = n_bytes / 1e6 / middle
    print(f"{what:<62} {middle:8.3f} s  ({min(seconds):.3f} to {max(seconds):.3f})  {rate:7.2f} MB/s")
    return middle


def main() -> None:
    small, large = english_like(130_000, seed=1), english_like(1_300_000, seed=1)
    one = measure(
        "train_tokenizer, 130 KB, vocabulary 500", lambda: train_tokenizer(small, vocabulary_size=500), 130_000
    )
    ten = measure("train_tokenizer, 1.3 MB", lambda: train_tokenizer(large, vocabulary_size=500), 1_300_000)
    print(f"ten times the text takes {ten / one:.1f} times as long")
    _training(small, large)
    for size in (500, 5_000):
        _encoding(train_tokenizer(large, vocabulary_size=size), english_like(2_000_000, seed=2), size)


def _training(small: str, large: str) -> None:
    chunks = [chunk.encode() for chunk in pretokenize(small)]
    measure("train_bpe (as defined), 130 KB in chunks", lambda: train_bpe(chunks, n_merges=244), len(small))
    measure("train_bpe_incremental, 130 KB in chunks", lambda: train_bpe_incremental(chunks, n_merges=244), len(small))
    one, ten = [small.encode()], [large.encode()]
    short = measure(
        "train_bpe_incremental, 130 KB as one chunk", lambda: train_bpe_incremental(one, n_merges=244), 130_000
    )
    long = measure(
        "train_bpe_incremental, 1.3 MB as one chunk", lambda: train_bpe_incremental(ten, n_merges=244), 1_300_000
    )
    print(f"as one chunk, ten times the text takes {long / short:.1f} times as long")


def _encoding(tokenizer: Tokenizer, text: str, size: int) -> None:
    n = len(text)
    pieces = [text[start : start + 4096] for start in range(0, n, 4096)]
    ids = tokenizer.encode(text)
    measure(f"encode, 2 MB, vocabulary {size}", lambda: tokenizer.encode(text), n)
    measure("encode_stream, pieces of 4096 characters", lambda: list(tokenizer.encode_stream(pieces)), n)
    measure("encode_stream, pieces of 1 character", lambda: list(tokenizer.encode_stream(text)), n)
    measure("decode", lambda: tokenizer.decode(ids), n)


if __name__ == "__main__":
    main()
