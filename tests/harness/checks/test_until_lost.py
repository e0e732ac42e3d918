"""Where only a verdict is asked for, the first loss ends it, nothing is shrunk, and what takes long comes last."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness import checks
from harness.checks.plugin import Marker
from harness.records import CheckResult, Outcome

SOURCE = """
@check(points=1, fr="Doubler", en="Double")
def test_double(submission, compare):
    compare(submission.double(3), 6)

@check(points=1, fr="Somme", en="Sum", needs=["double"])
def test_total(submission, oracle, differential):
    differential(submission.total, oracle.total, st.lists(st.integers(-9, 9), max_size=8), exact=True)

@check(points=1, fr="Caché", en="Hidden", visibility="hidden")
def test_hidden(submission, compare):
    compare(submission.double(0), 0)
"""
MEASURED = """
from harness.checks import check
@check(points=1, fr="a", en="Measured")
def test_measured(submission, speed): ...
@check(points=1, fr="b", en="Needs it", needs=["measured"])
def test_needs_it(submission): ...
@check(points=1, fr="c", en="Hidden", visibility="hidden")
def test_hidden(submission): ...
@check(points=1, fr="d", en="Other")
def test_other(submission): ...
"""
Verdict = Callable[..., dict[str, CheckResult]]


@pytest.fixture
def verdict(write: Callable[[str], Path], oracle: ModuleType, notebook: Any) -> Verdict:
    """Results by id of the functions given, until one loses points."""

    def verdict(**names: Any) -> dict[str, CheckResult]:
        path = write(SOURCE)
        bench = checks.Bench(path, oracle.__name__, "demo", 1, until_lost=True)
        select = [spec.id for spec in checks.collect(path)]
        return {one.id: one for one in checks.run(bench, notebook(**names), select=select).checks}

    return verdict


def outcomes(results: dict[str, CheckResult]) -> dict[str, str]:
    return {check: result.outcome.value for check, result in results.items()}


def test_without_a_loss_everything_is_run(verdict: Verdict) -> None:
    results = verdict(double=lambda x: 2 * x, total=sum)
    assert set(outcomes(results).values()) == {"passed"}


def test_after_a_loss_nothing_is_run(verdict: Verdict) -> None:
    asked: list[int] = []

    def double(x: int) -> int:
        asked.append(x)
        return 7

    results = verdict(double=double, total=sum)
    assert outcomes(results) == {"double": "failed", "total": "skipped", "hidden": "skipped"}
    assert asked == [3]


def test_what_cannot_be_called_is_a_loss_as_well(verdict: Verdict) -> None:
    assert outcomes(verdict(total=sum)) == {"double": "missing", "total": "skipped", "hidden": "skipped"}


def test_a_counterexample_is_the_first_one_and_not_the_smallest(verdict: Verdict, mark: Any) -> None:
    functions = {"double": lambda x: 2 * x, "total": lambda xs: sum(xs) if sum(xs) < 3 else 0}
    quick, whole = verdict(**functions)["total"], mark(SOURCE, **functions)["total"]
    assert quick.outcome is whole.outcome is Outcome.FAILED
    assert whole.counterexample == "total([3])"
    assert quick.counterexample not in {None, whole.counterexample}


@pytest.mark.parametrize(
    ("until_lost", "first", "order"),
    [
        (False, ["hidden"], ["measured", "needs_it", "other", "hidden"]),
        (True, [], ["hidden", "other", "measured", "needs_it"]),
        (True, ["other"], ["other", "hidden", "measured", "needs_it"]),
        (True, ["needs_it", "other"], ["other", "hidden", "measured", "needs_it"]),
    ],
)
def test_what_is_likely_to_lose_comes_first_and_what_measures_last(
    oracle: ModuleType, tmp_path: Path, first: list[str], order: list[str], *, until_lost: bool
) -> None:
    path = tmp_path / "checks.py"
    path.write_text(MEASURED, encoding="utf-8")
    specs = {spec.id: spec for spec in checks.collect(path)}
    marker = Marker(
        path,
        ModuleType("checks"),
        specs=specs,
        notebook=None,  # type: ignore[arg-type]  # nothing is run
        oracle_module=oracle,
        labels=(1, "demo"),
        selected=list(specs),
        until_lost=until_lost,
        first=first,
    )
    assert marker._with_needs() == order
