"""The split: sizes against scikit-learn and a search over all sizes, items disjoint and complete."""

from collections import Counter
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split  # type: ignore[import-untyped]

from reference.neural_lm import split_items, split_sizes

tenths = st.tuples(st.integers(0, 10), st.integers(0, 10)).filter(lambda two: sum(two) <= 10)


def nearest_sizes(n: int, quotas: list[Fraction]) -> tuple[int, int, int]:
    """Of all ways to share n, the nearest to the quotas; among equally near ones the earlier parts are larger."""
    shares = [(a, b, n - a - b) for a in range(n + 1) for b in range(n + 1 - a)]
    return min(
        shares, key=lambda share: (sum((s - q) ** 2 for s, q in zip(share, quotas, strict=True)), -share[0], -share[1])
    )


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.integers(0, 12), tenths)
def test_sizes_are_the_nearest_that_there_are(n: int, parts: tuple[int, int]) -> None:
    shares = (parts[0], parts[1], 10 - sum(parts))
    quotas = [Fraction(n * share, 10) for share in shares]
    sizes = split_sizes(n, (shares[0] / 10, shares[1] / 10, shares[2] / 10))
    assert sizes == nearest_sizes(n, quotas)
    assert all(abs(size - quota) < 1 for size, quota in zip(sizes, quotas, strict=True))


def test_sizes_are_proven_by_search(proof: Callable) -> None:
    cases = [(n, (a / 10, b / 10, (10 - a - b) / 10)) for n in range(8) for a in range(11) for b in range(11 - a)]
    searched = [nearest_sizes(n, [n * Fraction(str(one)) for one in shares]) for n, shares in cases]
    proof(split_sizes, "brute force over all sizes").equal([split_sizes(*case) for case in cases], searched)


@pytest.mark.parametrize("n", [10, 100, 1000, 12340])
def test_whole_quotas_are_the_sizes_of_scikit_learn(n: int, proof: Callable) -> None:
    train, rest = train_test_split(range(n), train_size=0.8, random_state=0)
    validation, test = train_test_split(rest, train_size=0.5, random_state=0)
    theirs = (len(train), len(validation), len(test))
    proof(split_sizes, "sklearn.model_selection.train_test_split").equal(split_sizes(n, (0.8, 0.1, 0.1)), theirs)


@pytest.mark.parametrize(
    ("n", "fractions", "expected"),
    [
        (0, (0.8, 0.1, 0.1), (0, 0, 0)),
        (1, (0.8, 0.1, 0.1), (1, 0, 0)),
        (1, (0.1, 0.1, 0.8), (0, 0, 1)),
        (1, (0.0, 0.5, 0.5), (0, 1, 0)),  # a fraction of 0 gives 0 items, a tie goes to the earlier part
        (2, (1 / 3, 1 / 3, 1 / 3), (1, 1, 0)),
        (3, (1 / 3, 1 / 3, 1 / 3), (1, 1, 1)),  # thirds as floats sum to less than 1
        (5, (1, 0, 0), (5, 0, 0)),
        (5, (0.7, 0.2, 0.1), (4, 1, 0)),  # 3.5, 1, 0.5: 0.7 as a float is below seven tenths, the tie still holds
        (5, (0.1, 0.2, 0.7), (1, 1, 3)),
        (100, (0.29, 0.57, 0.14), (29, 57, 14)),  # 0.29 · 100 is 28.999… in floats
        (10**15, (0.7, 0.2, 0.1), (7 * 10**14, 2 * 10**14, 10**14)),
        (100_000, (0.00001, 0.99999, 0.0), (1, 99_999, 0)),  # written 1e-05
    ],
)
def test_rounding(n: int, fractions: tuple[float, float, float], expected: tuple[int, int, int]) -> None:
    assert split_sizes(n, fractions) == expected


@pytest.mark.parametrize("slip", [5e-10, -5e-10])
def test_fractions_that_sum_to_one_but_for_rounding_still_share_everything(slip: float) -> None:
    n = 10**12  # so many that the slip itself is worth 500 items
    sizes = split_sizes(n, (0.5 + slip, 0.5, 0.0))
    assert sum(sizes) == n
    assert sizes[2] == 0
    assert abs(sizes[0] - sizes[1]) == pytest.approx(n * 5e-10, abs=2)


@settings(derandomize=True, deadline=None, max_examples=50)
@given(st.lists(st.text(max_size=2), max_size=30), tenths, st.integers(0, 100))
def test_items_are_disjoint_and_complete(items: list[str], parts: tuple[int, int], seed: int) -> None:
    fractions = (parts[0] / 10, parts[1] / 10, (10 - sum(parts)) / 10)
    numbered = list(enumerate(items))  # equal items are separate items
    split = split_items(numbered, fractions=fractions, rng=np.random.default_rng(seed))
    assert tuple(map(len, split)) == split_sizes(len(items), fractions)
    assert Counter(item for part in split for item in part) == Counter(numbered)
    assert numbered == list(enumerate(items))


def test_the_permutation_is_dealt_out_in_order(proof: Callable) -> None:
    order = np.random.default_rng(5).permutation(20).tolist()
    ours = split_items(list(range(20)), fractions=(0.5, 0.3, 0.2), rng=np.random.default_rng(5))
    proof(split_items, "brute force, numpy permutation").equal(ours, (order[:10], order[10:16], order[16:]))


def test_every_item_is_as_likely_in_every_part() -> None:
    rng, n_splits = np.random.default_rng(0), 2000
    in_test = Counter(
        item for _ in range(n_splits) for item in split_items([0, 1, 2, 3, 4], fractions=(0.6, 0.2, 0.2), rng=rng)[2]
    )
    deviation = (n_splits * 0.2 * 0.8) ** 0.5
    assert all(abs(in_test[item] - n_splits / 5) < 5 * deviation for item in range(5))


def test_the_generator_decides_and_is_drawn_from_once() -> None:
    same = [split_items(list("abcdef"), fractions=(0.5, 0.5, 0), rng=np.random.default_rng(1)) for _ in range(2)]
    assert same[0] == same[1]
    ours, plain = np.random.default_rng(1), np.random.default_rng(1)
    split_items(["a"], fractions=(1, 0, 0), rng=ours)
    plain.permutation(1)
    assert ours.random() == plain.random()


@pytest.mark.parametrize(
    ("n", "fractions", "message"),
    [
        (-1, (1, 0, 0), "n_items: expected 0 or more, got -1"),
        (5, (0.8, 0.1, 0.2), "fractions: expected probabilities that sum to 1, got a sum of 1.1"),
        (5, (0.8, 0.1, 0.0), "got a sum of 0.9"),
        (5, (1.2, -0.1, -0.1), "fractions: expected probabilities of 0 or more, got -0.1"),
        (5, (float("nan"), 0.5, 0.5), "got nan"),
        (5, (float("inf"), 0.0, 0.0), "got a sum of inf"),
        (0, (0, 0, 0), "got a sum of 0"),
    ],
)
def test_bad_values_are_quoted(n: int, fractions: tuple[float, float, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        split_sizes(n, fractions)
    if n >= 0:
        with pytest.raises(ValueError, match=message):
            split_items([0] * n, fractions=fractions, rng=np.random.default_rng(0))


def test_two_fractions_are_a_type_error() -> None:
    with pytest.raises(TypeError):
        split_sizes(5, (0.5, 0.5))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fractions", "total"), [((0.5, 0.5, 1e-7), "1.0000001"), ((1e308, 1e308, 0.0), "inf"), ((0.5, 0.4, 0.0), "0.9")]
)
def test_a_sum_that_is_off_is_quoted_to_the_digit_that_is_off(
    fractions: tuple[float, float, float], total: str
) -> None:
    with pytest.raises(ValueError, match=f"got a sum of {total}$"):
        split_sizes(3, fractions)
