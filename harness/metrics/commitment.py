"""Log-probabilities of a model whose distributions are too large to send: promised by hash, checked by sample.

The kernel keeps the matrix of T rows over V tokens and promises one SHA-256 a row. Only then are the targets named. It
returns, for each row, the target's number x and the row's s = ln(sum of exp), in float64; the log-probability is x - s.
Then the grader demands whole rows at a secret random share of the positions. The first that does not hash to what was
promised, does not hold the x that was returned, or does not sum to the s that was returned, voids everything.

**What a lie risks.** A kernel that lies about m of n rows, a of them audited, is caught with probability
1 - C(n - m, a)/C(n, a), whatever the lies are: with n = 10,000 and a = 200, 86.9 % for m = 100 and 98.3 % for m = 200,
a fiftieth of the text. What a few lies can gain is bounded by what one token can cost (with the uniform mixture).

Departs from docs/protocols.md, Perplexity 4: rows of logits are taken as well as rows of log-probabilities; s then says
what they sum to, and an audit holds it to it.
Not covered: whether the model looks ahead (`perplexity`), and the kernel's side (`kernel.rows`).
"""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from harness.metrics.contract import Refused
from harness.records import Text

Array = np.ndarray[Any, np.dtype[np.float64]]
Ids = np.ndarray[Any, np.dtype[np.int64]]

SHARE = 0.02  # of the positions are audited: the protocol's
LEAST = 200  # audited of a whole run, or all there are: the protocol's
REQUEST_BYTES = 2**23  # of whole rows in one answer: an eighth of what the wire carries
DIGEST_BYTES = 32
FLOATS = ("<f2", "<f4", "<f8")
UNNORMALISED = 1e-4  # nats by which a row of log-probabilities may miss a sum of 1: the protocol's
ROUNDING = 2e-9  # nats, of s: float64 sums of a million terms differ by 1e-10 in another order, s of LARGEST too
LARGEST = 1e6  # of s, up or down: at 1e17, x - s would be 0 for every token, and any constant a perfect prediction


class Kept(Protocol):
    """A matrix that stays in a kernel."""

    def gather(self, columns: Any) -> Any:
        """For each row the number in its column, and ln of the sum of exponentials."""

    def take(self, indices: Any) -> Any:
        """Whole rows."""

    def release(self) -> Any:
        """Free the memory."""


class Committing(Protocol):
    """A function of a notebook that can be held to its answer, as `checks.proxy.Function` is."""

    def committed(self, *args: Any) -> tuple[Kept | None, Any]:
        """What keeps the matrix, None where nothing does; and (_, dtype, shape, hashes), if it is told the truth."""


@dataclass(frozen=True, slots=True)
class Commitment:
    """A promise that has the right form."""

    kept: Kept
    dtype: str
    shape: tuple[int, int]
    digests: bytes  # DIGEST_BYTES a row

    def holds(self, index: int, row: "np.ndarray[Any, np.dtype[Any]]") -> bool:
        """Whether `row` is what was promised for this place: its bytes, their type, the matrix's shape."""
        header = f"{self.dtype} {self.shape[0]} {self.shape[1]} {index}\n".encode("ascii")
        promised = self.digests[index * DIGEST_BYTES : (index + 1) * DIGEST_BYTES]
        return hashlib.sha256(header + row.tobytes()).digest() == promised


def log_probabilities(
    model: Committing,
    ids: Any,
    targets: Sequence[int],
    *,
    rng: np.random.Generator,
    kind: Literal["logits", "log_probabilities"] = "logits",
    total: int | None = None,
) -> Array:
    """ln of the probability of each target, shape (T,), normalised: exp of all V of them would add up to 1.

    Args:
        model: called once with `ids`; must return T rows over V tokens, row t for the target t.
        ids: what the model reads. Targets that are in it are known to the model before it promises.
        targets: T token ids, below V.
        rng: secret; draws the audited rows.
        kind: what the rows hold. Log-probabilities must sum to 1 within UNNORMALISED.
        total: positions of the whole run of which these T are a part; None: they are all. Of a part, at least its
            share of LEAST is audited.

    Raises:
        Refused: "wrong_shape", "not_finite", "too_large" or "unnormalised", where the model is honest and wrong;
            "broken_commitment", where the answers contradict each other.
        ValueError: there is no target, or one below 0.
    """
    wanted = np.asarray(targets, dtype=np.int64)
    if wanted.ndim != 1 or not len(wanted) or wanted.min() < 0:
        raise ValueError(f"targets: expected token ids from 0, one or more, got {targets!r:.80}")
    commitment = _commitment(model.committed(ids), wanted)
    numbers, sums = _claims(commitment.kept.gather(wanted), len(wanted))
    _require_possible(numbers, sums, kind)
    for indices in _parts(_audited(len(wanted), total, rng), commitment):
        rows = commitment.kept.take(indices)
        _hold(commitment, indices, rows, (numbers[indices], sums[indices], wanted[indices]))
    commitment.kept.release()
    return np.asarray(numbers - sums)


def _commitment(answer: tuple[Kept | None, Any], targets: Ids) -> Commitment:
    kept, said = answer
    match said:
        case (_, str(dtype), (int(rows), int(columns)), bytes(digests)) if (
            kept is not None
            and dtype in FLOATS
            and rows == len(targets)
            and columns > targets.max(initial=0)
            and len(digests) == DIGEST_BYTES * rows
        ):
            return Commitment(kept, dtype, (rows, columns), digests)
        case _:
            raise Refused(
                "wrong_shape",
                Text(
                    f"Le modèle ne renvoie pas une matrice de flottants (tableau NumPy ou tenseur) de {len(targets)} "
                    "lignes, une par position, avec un nombre par jeton du vocabulaire. Vérifiez une dimension de lot "
                    "restée en trop.",
                    f"The model does not return a matrix of floats (NumPy array or tensor) of {len(targets)} rows, one "
                    "per position, with a number for each token of the vocabulary. Look for a batch dimension left "
                    "over.",
                ),
            )


def _claims(answer: Any, length: int) -> tuple[Array, Array]:
    """The targets' numbers and the rows' sums, as they were returned."""
    match answer:
        case (np.ndarray() as numbers, np.ndarray() as sums) if all(
            claim.dtype == np.float64 and claim.shape == (length,) for claim in (numbers, sums)
        ):
            return numbers, sums
        case _:
            raise _broken(None)


def _require_possible(numbers: Array, sums: Array, kind: str) -> None:
    """Hold all rows to what needs no audit."""
    finite = np.isfinite(numbers) & np.isfinite(sums)
    if not finite.all():
        raise _not_finite(int(np.argmin(finite)))
    if (abs(sums) > LARGEST).any():
        raise _too_large(int(np.argmax(abs(sums))), float(sums[np.argmax(abs(sums))]))
    if (numbers > sums + ROUNDING).any():
        raise _broken(int(np.argmax(numbers - sums)))  # a probability above 1
    if kind == "log_probabilities" and (abs(sums) > UNNORMALISED).any():
        row = int(np.argmax(abs(sums)))
        found = f"e^{sums[row]:.6g}"
        raise Refused(
            "unnormalised",
            Text(
                f"Les probabilités de la ligne {row} ont pour somme {found} au lieu de 1. Une perplexité n'a de sens "
                "que pour une distribution ; appliquez log_softmax sur la dernière dimension (le vocabulaire).",
                f"The probabilities of row {row} add up to {found} instead of 1. Perplexity only means something for a "
                "distribution; apply log_softmax over the last dimension (the vocabulary).",
            ),
        )


def _audited(length: int, total: int | None, rng: np.random.Generator) -> Ids:
    """Positions drawn without replacement, rising."""
    share = max(SHARE, LEAST / max(length, total or length))
    return np.sort(rng.choice(length, size=min(length, math.ceil(share * length)), replace=False))


def _parts(indices: Ids, commitment: Commitment) -> Iterator[Ids]:
    row_bytes = commitment.shape[1] * np.dtype(commitment.dtype).itemsize
    size = max(1, REQUEST_BYTES // row_bytes)
    for start in range(0, len(indices), size):
        yield indices[start : start + size]


def _hold(commitment: Commitment, indices: Ids, rows: Any, claims: tuple[Array, Array, Ids]) -> None:
    """Hold whole rows against the promise and against what was returned of them."""
    shape = (len(indices), commitment.shape[1])
    if not isinstance(rows, np.ndarray) or rows.dtype.str != commitment.dtype or rows.shape != shape:
        raise _broken(int(indices[0]))
    for index, row, number, claimed, target in zip(indices.tolist(), rows, *claims, strict=True):
        if not commitment.holds(index, row):
            raise _broken(index)
        exact = row.astype(np.float64)
        if not np.isfinite(exact).all():
            raise _not_finite(index)
        true = _sum(exact)
        if exact[target] != number or abs(true - claimed) > ROUNDING:
            raise _broken(index)


def _sum(row: Array) -> float:
    """ln of the sum of exponentials."""
    peak = row.max()
    with np.errstate(over="ignore"):  # differences of huge logits: exp(-inf) = 0 is what they mean
        return float(peak + math.log(np.exp(row - peak).sum()))


def _not_finite(row: int) -> Refused:
    return Refused(
        "not_finite",
        Text(
            f"La ligne {row} contient NaN ou un infini : tout le score serait indéfini. Cherchez un log(0) ou une "
            "division par zéro.",
            f"Row {row} contains NaN or an infinity: the whole score would be undefined. Look for a log(0) or a "
            "division by zero.",
        ),
    )


def _too_large(row: int, found: float) -> Refused:
    return Refused(
        "too_large",
        Text(
            f"Les logits de la ligne {row} sont de l'ordre de {found:.1e} : au-delà d'un million, leurs différences, "
            "qui font les probabilités, se perdent dans l'arrondi. Cherchez une activation qui diverge, ou une "
            "normalisation oubliée avant la dernière couche.",
            f"The logits of row {row} are of the order of {found:.1e}: beyond a million, their differences, which make "
            "the probabilities, are lost in rounding. Look for an activation that diverges or a normalisation left out "
            "before the last layer.",
        ),
    )


def _broken(row: int | None) -> Refused:
    place_fr, place_en = ("", "") if row is None else (f" à la position {row}", f" at position {row}")
    return Refused(
        "broken_commitment",
        Text(
            "Votre noyau s'est engagé sur chaque distribution avant de connaître les jetons à prédire, et ce qu'il a "
            f"livré ensuite{place_fr} ne correspond pas : le score est annulé. Le calcul se fait en dehors de votre "
            "code ; n'y touchez pas, et renvoyez simplement la matrice.",
            "Your kernel was committed to each distribution before it knew the tokens to predict, and what it "
            f"delivered afterwards{place_en} does not agree: the score is void. That part is not your code's business; "
            "leave it alone, and simply return the matrix.",
        ),
    )
