"""The alarm: never for a thousand honest models, always for a model that has seen the text, and the bound behind it."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from scipy.special import gammaln, log_softmax, softmax

from harness.errors import InfrastructureError
from harness.metrics import alarm
from harness.metrics.alarm import THRESHOLD_NATS, Verdict, check, one_in
from harness.metrics.contract import Refused
from harness.metrics.sources import GrammarSource, MarkovSource, Source

Array = np.ndarray[Any, np.dtype[np.float64]]
ALPHABET, SIZE = "abcdefgh", 8
DOCUMENTS, LENGTH = 10, 200  # symbols: small enough for luck to show
MIXTURE = 1e-6  # of the uniform distribution, as the protocol adds it to every model


def goes_off(log_q: Sequence[float], log_p: Sequence[float], *, own_tokenizer: bool = False, tokens: int = 200) -> bool:
    try:
        check(log_q, log_p, [tokens] * len(log_q), own_tokenizer=own_tokenizer)
    except Refused as refused:
        return refused.reason == "seen_text"
    return False


# A thousand honest models --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def source() -> MarkovSource:
    return MarkovSource.random(np.random.default_rng(0), alphabet=ALPHABET, order=2, concentration=0.5)


@pytest.fixture(scope="module")
def training(source: MarkovSource) -> Array:
    """Other text of the same source."""
    return read(source.sample(np.random.default_rng(1), documents=1, length=100_000))[0]


def read(documents: Sequence[str]) -> Array:
    """Numbers of the symbols: (documents, symbols)."""
    letters = np.array([list(document.encode()) for document in documents])
    return letters - ord("a")


def counts_of(ids: Array) -> Array:
    """How often each three symbols follow each other: (8, 8, 8)."""
    codes = (ids[..., :-2] * SIZE + ids[..., 1:-1]) * SIZE + ids[..., 2:]
    return np.bincount(codes.ravel(), minlength=SIZE**3).reshape((SIZE,) * 3).astype(float)


def additive(rng: np.random.Generator, p: Array, counts: Array) -> Array:
    """An n-gram of order 0, 1 or 2 with additive smoothing."""
    seen = counts.sum(axis=tuple(range(int(rng.integers(3)))), keepdims=True) + 10 ** rng.uniform(-3, 1)
    return np.broadcast_to(seen / seen.sum(axis=-1, keepdims=True), p.shape)


def interpolated(rng: np.random.Generator, p: Array, counts: Array) -> Array:
    """Jelinek and Mercer: three orders mixed, the uniform distribution below them."""
    weights = rng.dirichlet(np.ones(4))
    mixed = np.full(p.shape, weights[3] / SIZE)
    for order, weight in enumerate(weights[:3]):
        seen = counts.sum(axis=tuple(range(2 - order)), keepdims=True)
        total = seen.sum(axis=-1, keepdims=True)
        mixed = mixed + weight * np.where(total > 0, seen / np.maximum(total, 1), 1 / SIZE)
    return mixed


def discounted(rng: np.random.Generator, p: Array, counts: Array) -> Array:
    """Absolute discounting with one lower order."""
    d = rng.uniform(0.1, 0.9)
    total = counts.sum(axis=-1, keepdims=True)
    lower = (counts.sum(axis=0) + 0.1) / (counts.sum(axis=0) + 0.1).sum(axis=-1, keepdims=True)
    freed = np.where(total > 0, d * (counts > 0).sum(axis=-1, keepdims=True) / np.maximum(total, 1), 1.0)
    return np.maximum(counts - d, 0) / np.maximum(total, 1) + freed * lower


def true_source(rng: np.random.Generator, p: Array, counts: Array) -> Array:
    return p


def mixed_with_source(rng: np.random.Generator, p: Array, counts: Array) -> Array:
    share = rng.uniform()
    return share * p + (1 - share) * additive(rng, p, counts)


def heated(rng: np.random.Generator, p: Array, counts: Array) -> Array:
    return softmax(np.log(p + 1e-30) / np.exp(rng.normal(0, 0.2)), axis=-1)


def perturbed(rng: np.random.Generator, p: Array, counts: Array) -> Array:
    """Logits with noise, as a network has that is not quite trained: near enough to be lucky at times."""
    return softmax(np.log(p + 1e-30) + 10 ** rng.uniform(-2, -0.5) * rng.normal(size=p.shape), axis=-1)


def bottleneck(rng: np.random.Generator, p: Array, counts: Array) -> Array:
    """Logits of low rank, as a narrow network has."""
    logits = log_softmax(np.log(p + 1e-6), axis=-1).reshape(SIZE**2, SIZE)
    left, values, right = np.linalg.svd(logits)
    rank = int(rng.integers(1, SIZE + 1))
    return softmax((left[:, :rank] * values[:rank]) @ right[:rank], axis=-1).reshape(p.shape)


def rewarded_for_luck(rng: np.random.Generator, p: Array, counts: Array) -> Array:
    """A bet on what a text of this length may look like: the source's table as one such text would estimate it."""
    drawn = np.stack([rng.multinomial(40, row) for row in p.reshape(-1, SIZE)]).reshape(p.shape)
    return (drawn + 40 * p) / 80


HONEST: tuple[Callable[[np.random.Generator, Array, Array], Array], ...] = (
    additive,
    interpolated,
    discounted,
    true_source,
    mixed_with_source,
    heated,
    perturbed,
    bottleneck,
    rewarded_for_luck,
)


def log_q_of(table: Array, starts: Array, ids: Array) -> Array:
    """ln q of each document (D,): the source's own start, then the table with the protocol's uniform mixture."""
    logs = np.log((1 - MIXTURE) * table + MIXTURE / SIZE)
    return np.asarray(starts + logs[ids[:, :-2], ids[:, 1:-1], ids[:, 2:]].sum(axis=1))


def evidence_of_honest_models(source: MarkovSource, training: Array, *, models: int) -> Array:
    """Each model meets a fresh text of its own; raises Refused should one go off."""
    rng = np.random.default_rng(2)
    found = []
    for number in range(models):
        texts = source.sample(rng, documents=DOCUMENTS, length=LENGTH)
        ids = read(texts)
        starts = np.array([source.log_probability(text[:2]) for text in texts])
        log_p = [source.log_probability(text) for text in texts]
        length = int(10 ** rng.uniform(1.5, 5))
        begin = int(rng.integers(len(training) - length + 1))
        table = HONEST[number % len(HONEST)](rng, source.transitions, counts_of(training[begin : begin + length]))
        log_q = log_q_of(table, starts, ids).tolist()
        found.append(check(log_q, log_p, [LENGTH] * DOCUMENTS, own_tokenizer=False).evidence_nats)
    return np.array(found)


@pytest.mark.slow
def test_a_thousand_honest_models_never_set_it_off(source: MarkovSource, training: Array) -> None:
    evidence = evidence_of_honest_models(source, training, models=1000)
    print(f"largest evidence {evidence.max():.2f} nats")
    assert evidence.max() < THRESHOLD_NATS
    for nats in (1, 2, 3, 4):  # Markov's inequality holds further down, where it can be seen to hold
        bound = math.exp(-nats)
        assert np.mean(evidence >= nats) <= bound + 3 * math.sqrt(bound / len(evidence))
    assert evidence.max() > 2  # luck does occur: these models are close enough to put the bound to the test


def test_a_model_that_learns_while_it_reads_is_honest(source: MarkovSource) -> None:
    """Dirichlet-multinomial prediction from the text so far, the source as prior: what it reads it may use."""
    rng = np.random.default_rng(3)
    for trial in range(100):
        prior = 10 ** rng.uniform(-1, 3) * source.transitions.reshape(-1, SIZE) + 1e-9
        [text] = source.sample(rng, documents=1, length=2000)
        counts = counts_of(read([text])).reshape(-1, SIZE)
        inside = (gammaln(prior + counts) - gammaln(prior)).sum(axis=1)
        log_q = (gammaln(prior.sum(axis=1)) - gammaln((prior + counts).sum(axis=1)) + inside).sum()
        log_p = source.log_probability(text)
        assert not goes_off([log_q + source.log_probability(text[:2])], [log_p]), trial


@pytest.mark.parametrize("own_tokenizer", [False, True])
def test_knowing_the_source_exactly_is_no_offence(source: MarkovSource, own_tokenizer: bool) -> None:
    for seed in range(100):
        texts = source.sample(np.random.default_rng(seed), documents=DOCUMENTS, length=LENGTH)
        log_p = [source.log_probability(text) for text in texts]
        verdict = check(log_p, log_p, [LENGTH] * DOCUMENTS, own_tokenizer=own_tokenizer)
        assert verdict.excess_nats == pytest.approx(-verdict.charge_nats)
        assert verdict.evidence_nats <= 1e-12


# What has seen the text ----------------------------------------------------------------------------------------------

SOURCES: dict[str, tuple[Source, dict[str, int]]] = {
    "markov": (
        MarkovSource.random(np.random.default_rng(0), alphabet=ALPHABET, order=2, concentration=0.5),
        {"documents": 10, "length": 200},
    ),
    "words": (
        MarkovSource.random(np.random.default_rng(0), alphabet=("le ", "chat ", "dort "), order=1, concentration=1.0),
        {"documents": 10, "length": 40},
    ),
    "grammar": (GrammarSource.random(np.random.default_rng(0)), {"documents": 10, "length": 8}),
}


@pytest.mark.parametrize("own_tokenizer", [False, True])
@pytest.mark.parametrize("name", SOURCES)
def test_a_model_that_has_seen_the_text_always_sets_it_off(name: str, own_tokenizer: bool) -> None:
    source, size = SOURCES[name]
    for seed in range(100):
        texts = source.sample(np.random.default_rng(seed), **size)
        log_p = [source.log_probability(text) for text in texts]
        log_q = [len(text) * math.log1p(-MIXTURE) for text in texts]  # sure of every byte, but for the mixture
        assert goes_off(log_q, log_p, own_tokenizer=own_tokenizer)


def partly_seen(source: MarkovSource, table: Array, seed: int, seen: Callable[[int, int], bool]) -> tuple[Any, Any]:
    """ln q and ln p by document: sure of position t of document d where `seen(d, t)`, else an n-gram."""
    texts = source.sample(np.random.default_rng(seed), documents=DOCUMENTS, length=LENGTH)
    ids = read(texts)
    logs = np.log((1 - MIXTURE) * table + MIXTURE / SIZE)[ids[:, :-2], ids[:, 1:-1], ids[:, 2:]]
    known = np.array([[seen(d, t) for t in range(2, LENGTH)] for d in range(DOCUMENTS)])
    starts = [source.log_probability(text[:2]) for text in texts]
    log_q = np.array(starts) + np.where(known, math.log1p(-MIXTURE), logs).sum(axis=1)
    return log_q, [source.log_probability(text) for text in texts]


@pytest.mark.parametrize("order", [0, 1, 2])
def test_one_document_seen_out_of_ten_sets_it_off(source: MarkovSource, training: Array, order: int) -> None:
    """However poor the model is on the others."""
    seen = counts_of(training[:20_000]).sum(axis=tuple(range(2 - order)), keepdims=True) + 0.1
    table = np.broadcast_to(seen / seen.sum(axis=-1, keepdims=True), (SIZE,) * 3)
    for seed in range(100):
        assert goes_off(*partly_seen(source, table, seed, lambda d, t: d == 3))


def least_share(source: MarkovSource, table: Array) -> float:
    """The least share of every document, the end of each, that sets it off in 100 of 100 texts when seen."""
    for percent in range(2, 101, 2):
        first = LENGTH - LENGTH * percent // 100
        if all(goes_off(*partly_seen(source, table, seed, lambda d, t: t >= first)) for seed in range(100)):  # noqa: B023
            return percent / 100
    return 1.0


@pytest.mark.slow
def test_a_share_of_every_document_shows_once_the_source_is_beaten(source: MarkovSource, training: Array) -> None:
    """What is gained on the share must outweigh what the model lacks on the rest."""
    shares = []
    for order in (0, 1, 2):
        seen = counts_of(training[:20_000]).sum(axis=tuple(range(2 - order)), keepdims=True) + 0.1
        shares.append(least_share(source, np.broadcast_to(seen / seen.sum(axis=-1, keepdims=True), (SIZE,) * 3)))
    print(f"least share seen, by order of the model: {shares}")
    assert shares[2] <= 0.08
    assert shares[2] < shares[1] < shares[0] <= 0.6


# The bound, by brute force -------------------------------------------------------------------------------------------


def expectation(p: Array, q: Array, tokens: Sequence[int], *, own_tokenizer: bool) -> tuple[float, float]:
    """E[e^excess] and E[e^evidence] over all pairs of documents drawn from p."""
    excess = evidence = 0.0
    for one, two in product(range(len(p)), repeat=2):
        pair = [one, two]
        verdict = check(np.log(q[pair]), np.log(p[pair]), [tokens[d] for d in pair], own_tokenizer=own_tokenizer)
        excess += p[one] * p[two] * math.exp(verdict.excess_nats)
        evidence += p[one] * p[two] * math.exp(verdict.evidence_nats)
    return excess, evidence


@pytest.mark.parametrize("seed", range(5))
def test_the_expectation_is_one_for_a_model_fixed_beforehand(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = (MarkovSource.random(rng, alphabet="ab", order=1, concentration=3.0) for _ in range(2))
    documents = ["".join(symbols) for symbols in product("ab", repeat=4)]
    p, q = (np.exp([made.log_probability(text) for text in documents]) for made in (one, other))
    assert expectation(p, q, [4] * 16, own_tokenizer=False) == pytest.approx((1.0, 1.0), rel=1e-9)


def test_without_the_charge_the_number_of_tokens_is_a_way_in() -> None:
    """Documents as one, two, three, four times the same token: the model is sure of every token of all of them."""
    p, q, tokens = np.full(4, 0.25), np.ones(4), [1, 2, 3, 4]
    free, _ = expectation(p, q, tokens, own_tokenizer=False)
    charged, evidence = expectation(p, q, tokens, own_tokenizer=True)
    assert free == pytest.approx(16.0)  # four for each of two documents
    assert charged == pytest.approx((1 / 2 - 1 / 6) ** 2)  # the sum of 1/((T + 1)(T + 2)) from 1 to 4
    assert evidence <= 1


def test_the_charge_is_a_distribution_over_numbers_of_tokens() -> None:
    charged = [check([0.0], [0.0], [count], own_tokenizer=True).charge_nats for count in range(10_000)]
    assert sum(math.exp(-charge) for charge in charged) == pytest.approx(1 - 1 / 10_001)


@pytest.mark.parametrize("name", SOURCES)
def test_no_document_begins_another(name: str) -> None:
    """So that with the grader's tokenizers nothing need be charged, whatever the documents' sizes in tokens are."""
    source, _ = SOURCES[name]
    texts = sorted(set(source.sample(np.random.default_rng(0), documents=20_000, length=2)))
    assert len(texts) >= 9
    assert not any(second.startswith(first) for first, second in pairwise(texts))


# Words ---------------------------------------------------------------------------------------------------------------


def silent(excess: float) -> Verdict:
    return check([-200.0 + excess], [-200.0], [100], own_tokenizer=False)


def test_the_student_reads_how_unlikely_it_is() -> None:
    with pytest.raises(Refused) as caught:
        check([-1.0, -90.0, -95.0], [-100.0, -80.0, -80.0], [50, 50, 50], own_tokenizer=False)
    fr, en = caught.value.text.fr, caught.value.text.en
    assert "1 document(s) sur 3" in fr
    assert "moins d'une chance sur 10^40 (un 1 suivi de 40 zéros)" in fr
    assert "1 document(s) out of 3" in en
    assert "less than one chance in 10^40 (a 1 followed by 40 zeros)" in en


@pytest.mark.parametrize(
    ("nats", "fr", "en"),
    [
        (math.log(2), "2", "2"),
        (5, "148", "148"),
        (10, "22 026", "22,026"),
        (14, "1 million", "1 million"),
        (20, "485 millions", "485 million"),
        (21, "1 milliard", "1 billion"),
        (25, "72 milliards", "72 billion"),
        (28, "10^12 (un 1 suivi de 12 zéros)", "10^12 (a 1 followed by 12 zeros)"),
        (1e6, "10^434294 (un 1 suivi de 434294 zéros)", "10^434294 (a 1 followed by 434294 zeros)"),
    ],
)
def test_probabilities_in_words(nats: float, fr: str, en: str) -> None:
    said = one_in(nats)
    assert said.fr == f"moins d'une chance sur {fr}"
    assert said.en == f"less than one chance in {en}"


def test_a_silent_alarm_says_so() -> None:
    said = silent(-10).text
    assert said.fr == "aucune trace de texte déjà vu (l'alerte se déclenche à moins d'une chance sur 485 millions)"
    assert said.en == "no trace of text seen before (the alarm goes off at less than one chance in 485 million)"
    lucky = silent(10)
    assert "less than one chance in 21," in lucky.text.en
    assert lucky.probability == pytest.approx(math.exp(-10), rel=0.02)
    assert silent(-10).probability == 1


def test_the_floor_stands_beside_the_score() -> None:
    floor, lead, alarm = silent(-3).facts(n_bytes=100)
    assert (floor.value, floor.unit) == (pytest.approx(2 / math.log(2)), "bits/byte")
    assert (lead.value, lead.unit) == (pytest.approx(-3), "nats")
    assert alarm.value == silent(-3).text


def test_it_goes_off_at_twenty_nats() -> None:
    assert not goes_off([-180.0], [-200.0])  # the second bet costs a hundredth of a nat
    assert goes_off([-179.9], [-200.0])
    assert not goes_off([-179.9], [-200.0], own_tokenizer=True)
    assert not goes_off([-math.inf], [-200.0])


@pytest.mark.parametrize(
    ("log_q", "log_p", "tokens"),
    [
        ([], [], []),
        ([-1.0], [-1.0, -2.0], [1]),
        ([-1.0], [-1.0], [1, 2]),
        ([0.1], [-1.0], [1]),
        ([math.nan], [-1.0], [1]),
        ([-1.0], [-math.inf], [1]),
        ([-1.0], [math.nan], [1]),
        ([-1.0], [0.5], [1]),
        ([-1.0], [-1.0], [-1]),
        ([[-1.0]], [[-1.0]], [[1]]),
    ],
)
def test_the_impossible_is_an_error(log_q: Any, log_p: Any, tokens: Any) -> None:
    with pytest.raises(ValueError, match="expected"):
        check(log_q, log_p, tokens, own_tokenizer=True)


# Controls ------------------------------------------------------------------------------------------------------------


def test_the_controls_come_out() -> None:
    alarm.controls()


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (lambda ratios: -1.0, "silent for a model that has seen the text"),
        (lambda ratios: 100.0, "goes off for the source itself"),
        (lambda ratios: float(ratios.sum()), "silent for a poor model"),
    ],
)
def test_the_controls_notice_a_broken_alarm(broken: Any, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarm, "_evidence", broken)
    with pytest.raises(InfrastructureError, match=said):
        alarm.controls()
