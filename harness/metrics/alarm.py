"""The likelihood-ratio alarm: a model that does better on fresh text than the text's own source has seen the text.

Let p be the source and q any model fixed before x is drawn from p. If the q(x) of all documents add up to 1 at most,

    E[q(x)/p(x)] = sum over x of p(x) · q(x)/p(x) <= 1,   so by Markov's inequality   P(q(x)/p(x) >= c) <= 1/c.

**What makes the sum at most 1.** A model without an end of text gives the sequences of T tokens a total of 1 *for each
T*. Documents of one length are a prefix code (`sources.Source`). With a tokenizer whose tokens' texts, put together,
are the text, their token sequences are one as well: of two sequences neither continues the other, they are different
ways for one stream of tokens to begin, and their probabilities add up to 1 at most (Kraft's inequality). The grader's
tokenizers are of that kind. A student's tokenizer need not be: `decode` may do anything, (0) may stand for one document
and (0, 0) for another, and a model sure of each 0 would give 1 to both. The number of tokens then tells something that
the model was never asked. It is charged for, each document alone: q(x) is multiplied by w(T) = 1/((T + 1)(T + 2)), a
distribution over T = 0, 1, …. As the q(x) with T tokens add up to 1 at most, all w(T)·q(x) together do.

**Two bets.** With r_d the ratio of document d, after that charge, the evidence is the mixture

    E = 0.99 · product of r_d  +  0.01 · product of (1 - λ + λ r_d),   λ = 1/(D + 1),

for D independent documents: both products have expectation 1 at most, so E has. The first is the protocol's ratio and
decides to within ln(1/0.99) = 0.01 nats. The second bets a little on every document alone: a poor model that has seen
one document in fifty cannot hide behind the other forty-nine. The alarm goes off at E >= e^20.

Departs from docs/protocols.md, Perplexity 6: by that second bet and by the charge.
Not covered: a cheat that stops short of the floor. The alarm bounds what seeing the text can gain, no more; that the
next token is not read is for the causality check (`perplexity`) to see.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.errors import InfrastructureError
from harness.metrics.contract import Refused
from harness.metrics.sources import MarkovSource
from harness.records import Fact, Text

Array = np.ndarray[Any, np.dtype[np.float64]]

THRESHOLD_NATS = 20.0  # e^20 is 485 million: a course that marks a million times a year is wrong once in 485 years
DOCUMENTS_SHARE = 0.01  # of the stake, for bets on single documents; the other bet loses 0.01 nats by it
SEEN_TEXT = "seen_text"
ROUNDING_NATS = 1e-6  # by which a sum of logarithms of ones may end above 0
SILENT_NATS = math.log(10)  # below one chance in ten nobody needs a number
SCALES = ((10**9, Text("milliard", "billion")), (10**6, Text("million", "million")))  # rounded down: it stays true
LARGEST_NATS = math.log(10**12)  # beyond, powers of ten


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a model's probability of fresh text compares with that of the text's source."""

    excess_nats: float  # ln q - ln p - charge over all documents; an honest model is below 0, but for luck
    charge_nats: float  # for numbers of tokens that the model was free to choose
    evidence_nats: float  # ln E of the two bets
    floor_nats: float  # -ln p of all documents
    documents: int
    documents_ahead: int  # on which the model is above the source, after the charge

    @property
    def probability(self) -> float:
        """At most this often does a model that has not seen the text come as far as this; between 0 and 1."""
        return math.exp(-max(0.0, self.evidence_nats))

    @property
    def text(self) -> Text:
        """The verdict of a silent alarm, for the student."""
        limit = one_in(THRESHOLD_NATS)
        if self.evidence_nats < SILENT_NATS:
            return Text(
                f"aucune trace de texte déjà vu (l'alerte se déclenche à {limit.fr})",
                f"no trace of text seen before (the alarm goes off at {limit.en})",
            )
        chance = one_in(self.evidence_nats)
        return Text(
            f"{chance.fr} de faire aussi bien sans avoir vu le texte : pas assez pour une alerte ({limit.fr})",
            f"{chance.en} of doing as well without having seen the text: not enough for an alarm ({limit.en})",
        )

    def facts(self, n_bytes: int) -> tuple[Fact, ...]:
        """What stands beside the score: the floor of a text of `n_bytes` UTF-8 bytes, and what the alarm says."""
        floor = Text("plancher : la vraie source sur ce texte", "floor: the true source on this text")
        return (
            Fact(floor, self.floor_nats / math.log(2) / n_bytes, "bits/byte"),
            Fact(Text("avance sur la vraie source", "lead over the true source"), self.excess_nats, "nats"),
            Fact(Text("alerte", "alarm"), self.text),
        )


def check(log_q: Sequence[float], log_p: Sequence[float], tokens: Sequence[int], *, own_tokenizer: bool) -> Verdict:
    """Compare a model with the source of the text, document by document.

    Args:
        log_q: ln of the model's probability of each document, from next-token distributions that add up to 1. Those
            accepted with a tolerance must have been normalised: 1e-4 a token is 10 nats in 100,000 tokens.
        log_p: ln of the source's, as `Source.log_probability` gives it.
        tokens: in how many tokens the model read each document.
        own_tokenizer: whether the model's author chose the tokens, so that their number is charged for.

    Returns:
        The verdict of an alarm that is silent.

    Raises:
        Refused: "seen_text", when the evidence reaches THRESHOLD_NATS.
        ValueError: there is no document, the lengths differ, or a value is impossible: a positive or undefined
            logarithm, a text that the source never draws.
    """
    q, p, counts = _checked(log_q, log_p, tokens)
    charges = np.log((counts + 1.0) * (counts + 2.0)) if own_tokenizer else np.zeros(len(q))
    ratios = q - charges - p  # (D,) ln r_d
    verdict = Verdict(
        excess_nats=float(ratios.sum()),
        charge_nats=float(charges.sum()),
        evidence_nats=_evidence(ratios),
        floor_nats=float(-p.sum()),
        documents=len(ratios),
        documents_ahead=int((ratios > 0).sum()),
    )
    if verdict.evidence_nats >= THRESHOLD_NATS:
        raise Refused(SEEN_TEXT, _seen(verdict))
    return verdict


def one_in(nats: float) -> Text:
    """A probability of e^-nats in words, never understated; `nats` from ln 2.

    >>> one_in(10.0).en
    'less than one chance in 22,026'
    >>> one_in(20.0).en
    'less than one chance in 485 million'
    >>> one_in(1000.0).fr
    "moins d'une chance sur 10^434 (un 1 suivi de 434 zéros)"
    """
    if nats >= LARGEST_NATS:
        zeros = math.floor(nats / math.log(10))
        fr, en = f"10^{zeros} (un 1 suivi de {zeros} zéros)", f"10^{zeros} (a 1 followed by {zeros} zeros)"
    else:
        fr, en = _counted(math.floor(math.exp(nats)))
    return Text(f"moins d'une chance sur {fr}", f"less than one chance in {en}")


def _counted(count: int) -> tuple[str, str]:
    """A number below 10^12 in words, French and English."""
    for unit, name in SCALES:
        if count >= unit:
            many = "s" if count >= 2 * unit else ""
            return f"{count // unit} {name.fr}{many}", f"{count // unit} {name.en}"
    return f"{count:,}".replace(",", " "), f"{count:,}"


def controls() -> None:
    """The alarm on what is known: silent for the source itself, never for what has seen the text.

    Raises:
        InfrastructureError: it is not so.
    """
    rng = np.random.default_rng(0)
    source = MarkovSource.random(rng, alphabet="abcd", order=1)
    texts = source.sample(rng, documents=8, length=100)
    log_p = [source.log_probability(text) for text in texts]
    tokens = [len(text) for text in texts]
    for own_tokenizer in (False, True):
        if _goes_off(log_p, log_p, tokens, own_tokenizer):
            raise _broken("goes off for the source itself")
        if not _goes_off([0.0] * len(texts), log_p, tokens, own_tokenizer):
            raise _broken("is silent for a model that has seen the text")
    if not _goes_off([0.0, *(2 * log_p[d] for d in range(1, 8))], log_p, tokens, own_tokenizer=False):
        raise _broken("is silent for a poor model that has seen one document of eight")


def _checked(log_q: Sequence[float], log_p: Sequence[float], tokens: Sequence[int]) -> tuple[Array, Array, Array]:
    q, p, counts = (np.asarray(values, dtype=np.float64) for values in (log_q, log_p, tokens))
    if q.ndim != 1 or not len(q) or not q.shape == p.shape == counts.shape:
        raise ValueError(
            f"log_q, log_p, tokens: expected one value a document each, got {q.shape}, {p.shape}, {counts.shape}"
        )
    for name, values, possible in (
        ("log_q: a logarithm of a probability", q, q <= ROUNDING_NATS),
        ("log_p: a logarithm of a probability above 0", p, np.isfinite(p) & (p <= ROUNDING_NATS)),
        ("tokens: a number of tokens", counts, np.isfinite(counts) & (counts >= 0)),
    ):
        if not possible.all():
            raise ValueError(f"{name} was expected for each document, got {values[~possible][0]}")
    return q, p, counts


def _evidence(ratios: Array) -> float:
    """ln E for the logarithms of the documents' ratios, see above."""
    stake = 1 / (len(ratios) + 1)
    single = np.logaddexp(math.log1p(-stake), math.log(stake) + ratios).sum()
    return float(np.logaddexp(math.log1p(-DOCUMENTS_SHARE) + ratios.sum(), math.log(DOCUMENTS_SHARE) + single))


def _seen(verdict: Verdict) -> Text:
    chance, ahead, documents = one_in(verdict.evidence_nats), verdict.documents_ahead, verdict.documents
    return Text(
        "Le texte de test a été tiré au hasard après la remise de votre notebook, et votre modèle prédit "
        f"{ahead} document(s) sur {documents} mieux que la source même qui les a tirés. Un modèle qui n'a pas vu ce "
        f"texte y arrive avec {chance.fr} : le score est annulé. Cherchez par où le texte arrive : une position qui "
        "lit les jetons suivants (masque causal), ou un texte que `encode` garde pour le modèle.",
        "The test text was drawn at random after you handed in your notebook, and your model predicts "
        f"{ahead} document(s) out of {documents} better than the very source that drew them. A model that has not seen "
        f"this text does so with {chance.en}: the score is void. Look for the way the text gets in: a position that "
        "reads the tokens after it (causal mask), or a text that `encode` keeps for the model.",
    )


def _goes_off(log_q: Sequence[float], log_p: Sequence[float], tokens: Sequence[int], own_tokenizer: bool) -> bool:
    try:
        check(log_q, log_p, tokens, own_tokenizer=own_tokenizer)
    except Refused:
        return True
    return False


def _broken(what: str) -> InfrastructureError:
    return InfrastructureError(f"the likelihood-ratio alarm {what}", remedy="Report it: no score of this run counts.")
