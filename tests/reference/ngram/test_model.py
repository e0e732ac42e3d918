"""Rules that all models keep: probabilities sum to one, contexts are cut, unknown tokens are refused."""

from collections.abc import Callable, Hashable
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.lm import MLE, Vocabulary  # type: ignore[import-untyped]

from reference.ngram import AddK, Interpolated, KneserNey, MarkovSource, Model, counts_by_order, transition_array

# V = 4 terms, each of at most n = 4 levels of 7 roundings: 30 · 2^-53 ≈ 4e-15
WITHIN = 5e-15
texts = st.lists(st.text("abc", max_size=9), max_size=4)
boundaries = st.sampled_from([None, ("<", ">"), (">", ">")])
shares = st.floats(0, 1)


@st.composite
def models(draw: st.DrawFn) -> Model:
    order = draw(st.integers(1, 4))
    counts = counts_by_order(draw(texts), order=order, boundary=draw(boundaries))
    kind = draw(st.sampled_from([AddK, Interpolated, KneserNey]))
    if kind is AddK:
        return AddK(counts, "abc>", k=draw(st.just(0) | st.floats(0, 1e6)))
    if kind is KneserNey:
        return KneserNey(counts, "abc>", discounts=[draw(shares) for _ in range(order)])
    weights = np.array([draw(shares) for _ in range(order + 1)]) + 1e-3
    return Interpolated(counts, "abc>", weights=(weights / weights.sum()).tolist())


class Parrot(Model):
    """Certain that what was said `order` - 1 tokens ago comes again; keeps the contexts it was shown."""

    def __init__(self, vocabulary: str, order: int) -> None:
        super().__init__(vocabulary, order=order)
        self.seen: list[tuple[Hashable, ...]] = []

    def _probability(self, token: Hashable, context: tuple[Hashable, ...]) -> float:
        self.seen.append(context)
        return float(token == (context or self.vocabulary)[0])


@settings(derandomize=True, deadline=None, max_examples=300)
@given(models(), st.text("abc<>?", max_size=6))
def test_probabilities_sum_to_one_after_every_context(model: Model, context: str) -> None:
    distribution = model.distribution(context)
    assert (distribution >= 0).all()
    assert distribution.sum() == pytest.approx(1, rel=WITHIN)


@settings(derandomize=True, deadline=None)
@given(models(), st.text("abc>", max_size=6), st.text("abc<", max_size=6))
def test_probabilities_of_a_text_are_those_of_its_tokens_one_by_one(model: Model, text: str, before: str) -> None:
    one_by_one = [model.distribution(before + text[:at])["abc>".index(token)] for at, token in enumerate(text)]
    np.testing.assert_array_equal(model.probabilities(text, before), np.array(one_by_one))


@pytest.mark.parametrize("order", [1, 2, 3])
def test_only_the_last_tokens_of_a_context_are_read(order: int) -> None:
    model = Parrot("abcd", order)
    model.probabilities("dd", context="abc")
    assert model.seen == [tuple("abc"[4 - order :]), tuple("abcd"[5 - order :])]
    model.seen.clear()
    model.probabilities("dca")
    assert model.seen == [(), tuple("d"[: order - 1]), tuple("dc"[max(0, 3 - order) :])]
    model.seen.clear()
    model.distribution("abc")
    assert set(model.seen) == {tuple("abc"[4 - order :])}


@pytest.mark.parametrize("order", [1, 2, 3])
def test_a_model_equals_nltk_on_a_text(order: int, proof: Callable) -> None:
    counts = counts_by_order(["abacabadcab"], order=order)
    theirs = MLE(order, Vocabulary("abcd"))
    theirs.fit([[gram for counter in counts for gram in counter.elements()]])
    text = "abacaba"
    expected = [theirs.score(token, [*text[max(0, at + 1 - order) : at]]) for at, token in enumerate(text)]
    ours = AddK(counts, "abcd", k=0).probabilities(text)
    proof(Model, "nltk.lm.MLE.score").close(ours, np.array(expected), within=2e-16)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_transition_array_lists_every_context(order: int, proof: Callable) -> None:
    model = KneserNey(counts_by_order(["abcab"], order=order), "abc", discounts=[0.5] * order)
    array = transition_array(model)
    assert array.shape == (3,) * order
    one_by_one = np.empty((3,) * order)
    for at in product(range(3), repeat=order):
        *context, token = ("abc"[index] for index in at)
        one_by_one[at] = model.probabilities([token], context)[0]
    proof(transition_array, "one entry at a time").close(array, one_by_one, within=0.0)


def test_transition_array_of_a_source_is_its_own() -> None:
    transitions = np.array([[0.9, 0.1], [0.3, 0.7]])
    np.testing.assert_array_equal(transition_array(MarkovSource(transitions, "ab")), transitions)


def test_no_token_has_no_probability() -> None:
    assert Parrot("ab", 2).probabilities("").shape == (0,)
    assert Parrot("ab", 2).probabilities([], context="ab").dtype == np.float64


def test_one_token_is_certain() -> None:
    for text in ("", "a", "aaaa"):
        counts = counts_by_order([text], order=2)
        for model in (
            AddK(counts, "a", k=0.5),
            Interpolated(counts, "a", weights=[0.25, 0.25, 0.5]),
            KneserNey(counts, "a", discounts=[0.5, 0.5]),
            MarkovSource(np.ones((1, 1)), "a"),
        ):
            assert model.probabilities("aa").tolist() == [1.0, 1.0]


@pytest.mark.parametrize("text", ["az", "za", "z"])
def test_a_token_outside_the_vocabulary_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="tokens: expected tokens of the vocabulary, got 'z'"):
        AddK(counts_by_order(["ab"], order=2), "ab", k=1).probabilities(text)


def test_a_context_may_hold_any_token() -> None:
    model = AddK(counts_by_order(["ab"], order=2), "ab", k=1)
    assert model.probabilities("a", context=["<s>"]).tolist() == [0.5]


@pytest.mark.parametrize(
    ("vocabulary", "quoted"), [("", "at least one token, got none"), ("aba", "distinct tokens, got .*'a', 'b', 'a'")]
)
def test_a_vocabulary_has_tokens_and_each_once(vocabulary: str, quoted: str) -> None:
    with pytest.raises(ValueError, match=f"vocabulary: expected {quoted}"):
        AddK([{}], vocabulary, k=1)


def test_an_order_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="order: expected 1 or more, got 0"):
        Parrot("ab", 0)


def test_a_number_is_no_context() -> None:
    with pytest.raises(TypeError):
        Parrot("ab", 2).distribution(3)  # type: ignore[arg-type]
