"""The search finds a difference, shrinks it, spends few round trips, and does the same again with the same seed."""

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.records import Outcome

SEARCH = """
@check(points=1, fr="Somme", en="Sum")
def test_total(submission, oracle, differential):
    differential(submission.total, oracle.total, st.lists(st.integers(-1000, 1000)))
"""


def test_a_right_function_costs_a_few_round_trips(mark: Any, notebook: Any) -> None:
    book = notebook(total=sum)
    assert mark(SEARCH, book)["total"].outcome is Outcome.PASSED
    assert len(book.trips) <= 5
    assert sum(book.trips) >= 100


@pytest.mark.parametrize("seed", range(5))
def test_the_smallest_input_is_reported(mark: Any, seed: int) -> None:
    def total(values: list[int]) -> int:
        return sum(values) if max(values, default=0) < 17 else 0

    result = mark(SEARCH, total=total, seed=seed)["total"]
    assert result.outcome is Outcome.FAILED
    assert result.counterexample == "total([17])"
    assert result.message.en == "`total([17])`: expected 17, got 0."


def test_an_exception_counts_with_its_input(mark: Any) -> None:
    result = mark(SEARCH, total=lambda values: sum(values) + 0 * values[0])["total"]
    assert (result.outcome, result.counterexample) == (Outcome.ERROR, "total([])")
    assert "IndexError" in result.message.en


def test_what_ends_the_kernel_is_not_tried_again_and_again(mark: Any, notebook: Any, ends: Any) -> None:
    crash = ends(Outcome.CRASHED)
    calls = []

    def total(values: list[int]) -> int:
        calls.append(values)
        return sum(values) if len(values) < 3 else crash()

    result = mark(SEARCH, notebook(total=total))["total"]
    assert result.outcome is Outcome.CRASHED
    assert len(calls) <= 101
    assert result.counterexample.startswith("total([")


def test_a_batch_that_is_too_slow_is_tried_alone(mark: Any, notebook: Any, ends: Any) -> None:
    slow = ends(Outcome.TIMEOUT)

    class Shared(type(notebook())):
        def call(self, calls: Any) -> Any:
            self.names["total"] = sum if len(calls) == 1 else slow
            return super().call(calls)

    book = Shared()
    assert mark(SEARCH, book)["total"].outcome is Outcome.PASSED


def test_a_missing_function_is_asked_for_once(mark: Any, notebook: Any) -> None:
    book = notebook()
    result = mark(SEARCH, book)["total"]
    assert (result.outcome, result.counterexample) == (Outcome.MISSING, None)
    assert len(book.trips) <= 4


def test_answers_that_change_are_called_so(mark: Any) -> None:
    calls = 0

    def total(values: list[int]) -> int:
        nonlocal calls
        calls += 1
        return sum(values) + (calls == 5)

    result = mark(SEARCH, total=total)["total"]
    assert result.outcome is Outcome.FAILED
    assert "sometimes right and sometimes wrong" in result.message.en


def test_a_changed_argument_is_found(mark: Any) -> None:
    def total(values: list[int]) -> int:
        values.sort()
        return sum(values)

    result = mark(SEARCH, total=total)["total"]
    assert result.outcome is Outcome.FAILED
    assert result.counterexample in {"total([1, 0])", "total([0, -1])"}  # the smallest lists out of order


def test_inputs_repeat_with_the_seed_whatever_was_loaded_between(
    mark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seen(seed: int) -> list[list[int]]:
        inputs: list[list[int]] = []
        mark(SEARCH, total=lambda values: inputs.append(values) or sum(values), seed=seed)
        return inputs

    first = seen(1)
    (tmp_path / "tables.py").write_text("PRIMES = [-999, 977, 953, 941, 929, 919, 911]")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "tables", importlib.import_module("tables"))
    assert seen(1) == first
    assert seen(2) != first


def test_lists_are_tried_in_order(mark: Any, notebook: Any) -> None:
    source = """
    @check(points=1, fr="Doubler", en="Double")
    def test_double(submission, oracle, differential):
        differential(submission.double, oracle.double, [1, (2,), np.ones(2), [3]])
    """
    book = notebook(double=lambda x: 2 * x if isinstance(x, int) else x)
    result = mark(source, book)["double"]
    assert book.trips[0] == 4
    assert result.counterexample == "double(np.array([1.0, 1.0], dtype='float64'))"


def test_large_arrays_that_look_alike_are_kept_apart(mark: Any) -> None:
    source = """
    @check(points=1, fr="Doubler", en="Double")
    def test_double(submission, oracle, differential):
        one, other = np.zeros(5000), np.zeros(5000)
        other[2500] = 1.0
        differential(submission.double, oracle.double, st.sampled_from([one, other]))
    """
    result = mark(source, double=lambda x: 0 * x)["double"]
    assert result.outcome is Outcome.FAILED
    assert "at [2500]: expected 2.0, got 0.0" in result.message.en


def test_a_fault_of_the_oracle_is_ours(mark: Any) -> None:
    source = SEARCH.replace("oracle.total,", "lambda values: 1 // len(values),")
    assert mark(source, total=lambda values: 1 // len(values))["total"].outcome is Outcome.INFRASTRUCTURE
