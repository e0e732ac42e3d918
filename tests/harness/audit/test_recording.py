"""What passes between checks and a notebook is heard, timed, and not changed."""

import pickle
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.audit.recording import Recorder, Recording, record, timed
from harness.checks import Marks
from harness.kernel import Answer, Call, Handle, Notebook
from harness.records import Outcome

CALLS = [Call("double", (2,)), Call("fails"), Call("opens"), Call("double", (3,), {"twice": True})]
ANSWERS = (
    Answer(Outcome.PASSED, 4),
    Answer(Outcome.ERROR),
    Answer(Outcome.PASSED, Handle(1, "Counter", 1)),
    Answer(Outcome.PASSED, 12),
)


class Mute:
    """A notebook that gives known answers, and says what else was asked of it."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def call(self, calls: Sequence[Call]) -> tuple[Answer, ...]:
        assert list(calls) == CALLS
        return ANSWERS

    def __getattr__(self, name: str) -> Any:
        def ask(*arguments: Any) -> tuple[str, tuple[Any, ...]]:
            self.asked.append(name)
            return name, arguments

        return ask


@pytest.fixture
def marked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Marking asks CALLS of the notebook, and no more."""

    def grade(job: Any, tell: Any = None, *, watch: Any) -> str:
        for check in ("first", "second"):
            watch(Mute()).call(CALLS)
            if tell is not None:
                tell(Marks((SimpleNamespace(id=check),), {}))  # type: ignore[arg-type]  # all that is looked at
        return f"graded {job}"

    monkeypatch.setattr("harness.audit.recording.pipeline.grade", grade)


def test_a_recorder_hands_everything_on() -> None:
    heard: list[tuple[Any, ...]] = []
    mute = Mute()
    recorder: Notebook = Recorder(lambda *news: heard.append(news), mute)
    assert recorder.call(CALLS) == ANSWERS
    ((calls, answers, wall_s),) = heard
    assert (calls, answers) == (CALLS, ANSWERS)
    assert wall_s >= 0
    recorder.defined(["a"])
    for ask in (recorder.run_cells, recorder.violations, recorder.reading, recorder.close):
        ask()
    assert mute.asked == ["defined", "run_cells", "violations", "reading", "close"]


@pytest.mark.usefixtures("marked")
def test_what_was_answered_with_data_is_written(tmp_path: Path) -> None:
    path = tmp_path / "memory"
    assert record(Recording("job", path)) == "graded job"  # type: ignore[arg-type,comparison-overlap]
    assert pickle.loads(path.read_bytes()) == 2 * [("double", (2,), {}, 4), ("double", (3,), {"twice": True}, 12)]


@pytest.mark.usefixtures("marked")
def test_the_slowest_round_trip_is_told_and_what_each_check_called(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 13.5, 20.0, 21.0])
    monkeypatch.setattr("harness.audit.recording.time.monotonic", partial(next, clock))
    result = timed("job")  # type: ignore[arg-type]
    assert str(result.graded) == "graded job"
    assert result.call_s == 3.5
    assert result.called == dict.fromkeys(["first", "second"], frozenset({"double", "fails", "opens"}))
