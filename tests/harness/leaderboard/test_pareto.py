"""The front against the definition, pair by pair."""

from hypothesis import given
from hypothesis import strategies as st

from harness.leaderboard.pareto import Pair, dominated
from harness.records import Better

COARSE = st.integers(0, 5).map(float)  # so that equal figures are frequent
POINTS = st.lists(st.tuples(COARSE, COARSE), max_size=25)


def by_definition(points: list[Pair], betters: tuple[Better, Better]) -> list[bool]:
    def as_good(a: float, b: float, better: Better) -> bool:
        return a <= b if better is Better.LOWER else a >= b

    def dominates(a: Pair, b: Pair) -> bool:
        return all(map(as_good, a, b, betters)) and a != b

    return [any(dominates(other, point) for other in points) for point in points]


@given(POINTS, st.tuples(st.sampled_from(Better), st.sampled_from(Better)))
def test_it_is_what_the_definition_says(points: list[Pair], betters: tuple[Better, Better]) -> None:
    assert dominated(points, betters) == by_definition(points, betters)


@given(POINTS.filter(bool), st.tuples(st.sampled_from(Better), st.sampled_from(Better)))
def test_somebody_is_always_on_the_front(points: list[Pair], betters: tuple[Better, Better]) -> None:
    assert not all(dominated(points, betters))
