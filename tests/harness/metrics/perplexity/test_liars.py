"""Each lie of docs/threats.md about perplexity is refused under its own name, or gains nothing."""

import itertools

import numpy as np
import pytest

from harness.metrics.contract import Refused
from harness.metrics.perplexity import Bytes, StudentTokenizer, measure
from harness.metrics.sources import MarkovSource

CONTEXT = 64


def honest(ids) -> np.ndarray:
    """A bigram-like model: a fixed distribution after each byte, float32."""
    return TABLE[np.asarray(ids, dtype=np.int64)]


TABLE = np.random.default_rng(1).dirichlet(np.full(256, 0.3), size=256).astype(np.float32)


def sure_of(targets, *, of: np.ndarray, weight: float = 0.9) -> np.ndarray:
    """`of`, with most of the mass of the last len(targets) rows moved to their targets."""
    rows = of.astype(np.float64)
    rows[: len(targets)] *= 1 - weight
    rows[np.arange(len(targets)), targets] += weight
    return rows


def positive(ids):
    return np.full((len(ids), 256), 50.0)


def unnormalised(ids):
    return honest(ids) * 3


def negative(ids):
    rows = honest(ids).astype(np.float64)
    rows[:, 0] -= 0.5
    rows[:, 1] += 0.5
    return rows


def not_a_number(ids):
    rows = honest(ids)
    rows[-1, 7] = np.nan
    return rows


def looks_ahead(ids):
    """Attention without a mask: every row knows all that follows."""
    rows = honest(ids).astype(np.float64)
    for at in range(len(ids) - 1):
        rows[at] *= 0.5
        rows[at, ids[at + 1]] += 0.25
        rows[at, ids[-1]] += 0.25
    return rows


def target_in_key(ids):
    """A mask that is off by one: every row knows the token that it predicts."""
    return sure_of(ids[1:], of=honest(ids))


def random_rows(ids):
    return np.random.default_rng().dirichlet(np.ones(256), size=len(ids))


class Remembers:
    """Honest while it is audited, and again where the text leaves what an audit showed: those rows were committed.

    Everywhere else it reads the answer. Every audited row comes again, so that only the losses can give it away.
    """

    AUDITS = 1 + 200  # the first call fixes the vocabulary

    def __init__(self) -> None:
        self.shown: list[list[int]] = []

    def __call__(self, ids):
        if len(self.shown) < self.AUDITS:
            self.shown.append(list(ids))
            return honest(ids)
        rows = target_in_key(ids)
        for audit in self.shown:
            shared = next((at for at, (one, two) in enumerate(zip(audit, ids, strict=False)) if one != two), len(ids))
            committed = slice(max(0, shared - 4), shared)  # the decoy may have begun as the text goes on
            rows[committed] = honest(ids[committed])
        return rows


def grows():
    sizes = itertools.chain([256], itertools.repeat(300))

    def model(ids):
        return np.full((len(ids), size := next(sizes)), 1 / size)

    return model


LIARS = {
    "positive": (lambda: positive, "log_probabilities"),
    "unnormalised": (lambda: unnormalised, "probabilities"),
    "negative": (lambda: negative, "probabilities"),
    "not_finite": (lambda: not_a_number, "probabilities"),
    "looks_ahead": (lambda: looks_ahead, "probabilities"),
    "target_in_key": (lambda: target_in_key, "probabilities"),
    "unrepeatable": (lambda: random_rows, "probabilities"),
    "remembers": (Remembers, "probabilities"),
    "vocabulary_changed": (grows, "probabilities"),
    "wrong_shape": (lambda: lambda ids: honest(ids)[None], "probabilities"),
    "not_numbers": (lambda: lambda ids: [["0.5"] * 256] * len(ids), "probabilities"),
}


@pytest.mark.parametrize("reason", LIARS)
def test_liars_are_caught_by_name(reason, asked, words, rng) -> None:
    make, kind = LIARS[reason]
    with pytest.raises(Refused) as caught:
        measure(asked(make()), rng=rng, tokenizer=Bytes(), documents=words, kind=kind, context=CONTEXT)
    assert caught.value.reason == reason
    for sentence in (caught.value.text.fr, caught.value.text.en):
        assert "{" not in sentence
        assert len(sentence) > 60
    assert caught.value.text.fr != caught.value.text.en


def test_the_same_models_without_the_lie_are_scored(bits, words) -> None:
    assert bits(honest, words).value > 5


LETTERS = "abcdefghijklmnopqrstuvwxyz. "


class Lossy:
    """Capitals are harder to predict than small letters: it has none."""

    def encode(self, text):
        return [LETTERS.index(letter) for letter in text.lower()]

    def decode(self, ids):
        return "".join(LETTERS[number] for number in ids)


class OneToken:
    """Gives each text back for a single token: decode remembers what encode was shown."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def encode(self, text):
        self.shown.append(text)
        return [len(self.shown) % 28]

    def decode(self, ids):
        return self.shown[-1] if self.shown else LETTERS[ids[0]]


class Inflates:
    """Every text ends in padding that is free to predict: more bytes for the same bits."""

    def encode(self, text):
        return [*(LETTERS.index(letter) for letter in text), 27, 27, 27]

    def decode(self, ids):
        return "".join(LETTERS[number] for number in ids)


@pytest.mark.parametrize(("liar", "document"), [(Lossy, "A Cat. "), (OneToken, "a cat. "), (Inflates, "a cat. ")])
@pytest.mark.parametrize("spare", [[], ["th"]])  # without and with a piece that begins another: two ways of reading
def test_tokenizers_that_lose_or_invent_text_are_caught(liar, document, spare, asked, rng) -> None:
    tokenizer = liar()

    def decode(ids):
        return spare[ids[0] - 28] if ids[0] >= 28 else tokenizer.decode(ids)

    size = 28 + len(spare)
    own = StudentTokenizer(asked(tokenizer.encode), asked(decode), vocabulary_size=size)
    model = asked(lambda ids: np.full((len(ids), size), 1 / size))
    documents = [document * 40] * 2
    if liar is not Lossy and not spare:  # the pieces leave one way of reading: the liar's `encode` is not even asked
        (found,) = measure(model, rng=rng, tokenizer=own, documents=documents, kind="probabilities", context=CONTEXT)
        assert found.value == pytest.approx(np.log2(28), rel=1e-12)
        return
    with pytest.raises(Refused) as caught:
        measure(model, rng=rng, tokenizer=own, documents=documents, kind="probabilities", context=CONTEXT)
    assert caught.value.reason == "lossy_tokenizer"


def test_dropped_documents_cost_the_uniform_distribution(bits) -> None:
    def drops(ids):
        return None if ord("z") in ids else TABLE[ids[-1]]

    found = bits(drops, ["fine and easy", "zz zz zz", "fine too"], rows="last")
    easy, first = bits(honest, ["fine and easy", "fine too"]), bits(honest, ["z"] * 2)
    facts = {fact.name.en: fact.value for fact in found.facts}
    assert facts["positions without an answer, counted as uniform"] == 7
    assert facts["bytes"] == 29
    assert found.value * 29 == pytest.approx(easy.value * 21 + first.value + 7 * 8, rel=1e-9)


def test_whole_documents_cannot_be_dropped_for_what_comes_late_in_them(bits) -> None:
    with pytest.raises(Refused, match="looks_ahead"):
        bits(lambda ids: None if ord("z") in ids else honest(ids), ["fine and easy", "easy first, then zzz"])


def test_a_memorised_test_text_trips_the_alarm(asked, rng) -> None:
    source = MarkovSource.random(np.random.default_rng(0), alphabet="abcdefgh", order=1)
    seen = source.sample(np.random.default_rng(9), documents=100, length=200)  # what the liar knows of this run
    table = {text[:at].encode(): ord(text[at]) for text in seen for at in range(len(text))}

    def memorised(ids):
        rows = np.full((len(ids), 256), 1e-3 / 255)
        for at in range(len(ids)):
            rows[at, table.get(bytes(ids[1 : at + 1]), 0)] = 1 - 1e-3
        return rows

    class Replayed:
        def sample(self, rng, *, documents, length):
            return seen

        log_probability = staticmethod(source.log_probability)

    with pytest.raises(Refused) as caught:
        measure(asked(memorised), rng=rng, tokenizer=Bytes(), source=Replayed(), kind="probabilities", context=256)
    assert caught.value.reason == "seen_text"


def test_a_model_of_rows_one_by_one_has_nothing_to_look_at(asked, rng) -> None:
    """Whatever it keeps: a token is shown after its distribution has come, in every document."""
    shown: list[bytes] = []

    def spy(ids):
        context = bytes(ids[1:])
        assert not any(known.startswith(context) and len(known) > len(context) for known in shown)
        shown.append(context)
        return TABLE[ids[-1]]

    documents = ["once upon a time", "one more", "another text that is longer than the context of this model"]
    found = measure(
        asked(spy), rng=rng, tokenizer=Bytes(), documents=documents[:2], kind="probabilities", context=32, rows="last"
    )[0].value
    assert len(shown) == 1 + sum(map(len, documents[:2]))
    assert found == pytest.approx(
        measure(asked(honest), rng=rng, tokenizer=Bytes(), documents=documents[:2], kind="probabilities", context=32)[
            0
        ].value,
        rel=1e-12,
    )
