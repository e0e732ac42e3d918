"""Drawn texts against the inverse of the distribution function, and against their exact distribution."""

import math
from collections import Counter
from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from scipy import stats

from reference.ngram import AddK, KneserNey, MarkovSource, counts_by_order, sample_tokens

TEXTS = ["abacabad", "bca", "dd"]


@pytest.mark.parametrize("order", [1, 2, 3])
def test_each_token_is_where_the_distribution_function_passes_a_uniform_number(order: int, proof: Callable) -> None:
    model = KneserNey(counts_by_order(TEXTS, order=order), "abcd", discounts=[0.5] * order)
    for seed in range(20):
        uniform = np.random.default_rng(seed)
        expected = list("ca")
        for _ in range(15):
            passed = np.cumsum(model.distribution(expected))
            expected.append("abcd"[int(np.searchsorted(passed, uniform.random() * passed[-1], side="right"))])
        drawn = sample_tokens(model, n_tokens=15, rng=np.random.default_rng(seed), context="ca")
        proof(sample_tokens, "inverse distribution function").equal(drawn, expected[2:])


def test_texts_have_the_exact_distribution(rng: np.random.Generator) -> None:
    model = KneserNey(counts_by_order(TEXTS, order=2, boundary=("<", ">")), "abcd>", discounts=[0.5, 0.5])
    drawn = Counter(
        "".join(map(str, sample_tokens(model, n_tokens=2, rng=rng, context="<", stop=">"))) for _ in range(4000)
    )
    exact = {"": model.probabilities(">", context="<")[0]}
    exact |= {one: math.prod(model.probabilities(one + ">", context="<")) for one in "abcd"}
    exact |= {a + b: math.prod(model.probabilities(a + b, context="<")) for a, b in product("abcd", repeat=2)}
    assert math.fsum(exact.values()) == pytest.approx(1, rel=1e-14)
    assert set(drawn) <= set(exact)
    fit = stats.chisquare([drawn[one] for one in exact], [4000 * p for p in exact.values()])
    assert fit.pvalue > 1e-3  # one fixed seed: decided once, not a matter of luck


def test_probability_zero_is_never_drawn(rng: np.random.Generator) -> None:
    model = AddK(counts_by_order(["abcabcabc"], order=2), ["z", "c", "b", "a", "y"], k=0)
    assert "".join(map(str, sample_tokens(model, n_tokens=30, rng=rng, context="c"))) == "abc" * 10


def test_it_ends_at_a_stop_or_after_n_tokens(rng: np.random.Generator) -> None:
    model = AddK(counts_by_order(["abcabcab"], order=2), "abc", k=0)
    assert sample_tokens(model, n_tokens=0, rng=rng, context="a") == []
    assert sample_tokens(model, n_tokens=2, rng=rng, context="a") == ["b", "c"]
    assert sample_tokens(model, n_tokens=9, rng=rng, context="a", stop="c") == ["b"]
    assert sample_tokens(model, n_tokens=9, rng=rng, context="a", stop=["b", "c"]) == []


def test_a_stop_is_a_token_not_a_part_of_one(rng: np.random.Generator) -> None:
    model = AddK(counts_by_order([["to", "do"]], order=1), ["to", "do"], k=0)
    assert len(sample_tokens(model, n_tokens=20, rng=rng, stop="to do")) == 20


def test_the_generator_alone_decides(rng: np.random.Generator) -> None:
    model = AddK([{}], "abcd", k=1)
    first, again, other = (sample_tokens(model, n_tokens=20, rng=np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == again != other
    assert sample_tokens(model, n_tokens=20, rng=rng) != sample_tokens(model, n_tokens=20, rng=rng)


def test_a_source_is_drawn_from_where_it_is_in_the_long_run(rng: np.random.Generator) -> None:
    source = MarkovSource(np.array([[0.0, 1.0], [0.5, 0.5]]), "ab")
    starts = [sample_tokens(source, n_tokens=1, rng=rng)[0] for _ in range(2000)]
    spread = math.sqrt(1 / 3 * 2 / 3 / 2000)  # standard deviation of the share of "a"
    assert abs(starts.count("a") / 2000 - 1 / 3) < 4 * spread


def test_a_negative_number_is_refused(rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match="n_tokens: expected 0 or more, got -1"):
        sample_tokens(AddK([{}], "ab", k=1), n_tokens=-1, rng=rng)
