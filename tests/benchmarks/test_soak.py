"""The soak's judgement: what is wrong, left or growing is seen; the run itself is the benchmark."""

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmarks import soak
from benchmarks.soaking import judge, watch
from benchmarks.soaking.cohort import HOSTILE, KINDS, draw
from benchmarks.soaking.watch import Held, Sample

STUDENTS = {"a": "honest", "b": "loops"}


def marked(student: str, **given: Any) -> dict[str, Any]:
    kind = KINDS[STUDENTS[student]]
    checks = {"double": kind.double, "locate": kind.locate, **given}
    return {"student": student, "status": "marked", "checks": [{"id": each, "status": checks[each]} for each in checks]}


def samples(grows: float, *, what: str) -> list[Sample]:
    """Twenty moments of a run of 100, in which one quantity of a worker grows by `grows` each time."""
    found = []
    for number in range(20):
        held = {"descriptors": 20.0, "anonymous_mib": 60.0, "pss_mib": 40.0}
        held[what] += grows * number
        found.append(Sample(number, number * 5, 9, 99, 9, 9, 9, 20, {"worker": Held(**held)}))
    return found


def test_every_hostile_kind_is_drawn_and_five_percent_are_hostile() -> None:
    counted = Counter(draw(2000, seed=1).values())
    assert sum(counted[kind] for kind in HOSTILE) == 100
    assert {counted[kind] for kind in HOSTILE} == {11, 12}
    assert draw(2000, seed=1) != draw(2000, seed=2)


def test_right_results_are_right() -> None:
    assert list(judge.wrong_results([marked("a"), marked("b")], STUDENTS)) == []


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([marked("a")], "b is missing"),
        ([marked("a"), marked("a"), marked("b")], "a is there 2 times"),
        ([marked("a"), marked("b", double="crashed")], "b (loops): marked, {'double': 'crashed'"),
        ([{**marked("a"), "status": "infrastructure"}, marked("b")], "a (honest): infrastructure"),
    ],
)
def test_wrong_results_are_named(found: Any, words: str) -> None:
    assert any(words in sentence for sentence in judge.wrong_results(found, STUDENTS))


@pytest.mark.parametrize(("what", "step"), [("descriptors", 0.5), ("anonymous_mib", 0.4)])
def test_what_grows_is_seen(what: str, step: float) -> None:
    assert all(each.flat for each in judge.growth(samples(0.0, what=what), 100))
    assert [each.flat for each in judge.growth(samples(step, what=what), 100)].count(False) == 1


def test_what_is_left_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak, "ENDING_S", 0.0)
    (tmp_path / "tmp").mkdir()
    run = soak.Soak(1, tmp_path)
    before = run.left_behind()
    (tmp_path / "tmp" / "bareme-left").touch()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        run.seen = watch.sample(psutil.Process(child.pid), 0.0, 0)[1]
        left = "\n".join(each for each in run.left_behind() if each not in before)
        child.communicate()
    assert f"process {child.pid} runs" in left
    assert "bareme-left is left" in left
