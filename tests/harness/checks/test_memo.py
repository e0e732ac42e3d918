"""The oracle with a memory: computed once, and nothing can tell a remembered answer from a fresh one."""

import random
import subprocess
import sys
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from harness import checks
from harness.checks import Answers, Memo
from harness.checks.memo import WORTH_S, RememberingOracle
from harness.kernel import wire

Remember = Callable[..., Callable[..., Any]]


@pytest.fixture
def memo() -> Memo:
    return Memo(wire.encode, wire.decode, Answers(None))


@pytest.fixture
def remember(memo: Memo, monkeypatch: pytest.MonkeyPatch) -> Remember:
    """A function of an oracle that remembers, and the number of times that it was computed."""
    monkeypatch.setattr("harness.checks.memo.WORTH_S", 0.0)  # however quick

    def remember(function: Callable[..., Any]) -> Callable[..., Any]:
        module = ModuleType("memo_test_oracle")

        def counted(*args: Any, **kwargs: Any) -> Any:
            counted.computed += 1
            return function(*args, **kwargs)

        counted.computed = 0
        module.function = counted
        remembering = RememberingOracle(module, memo).function
        return lambda *args, **kwargs: (remembering(*args, **kwargs), counted.computed)

    return remember


ANSWERS = [
    None,
    2**70,
    -0.0,
    float("inf"),
    "é\ud800",
    b"\x00",
    [1, (2.5, [None]), {"b": True, "a": [0j]}],
    {(1, "a"): [1.0], 2: {}},
    np.float32(0.1),
    np.arange(6.0).reshape(2, 3),
    np.zeros((0, 3), dtype=np.int16),
    torch.arange(6, dtype=torch.bfloat16).reshape(3, 2),
    torch.tensor(0.1),
    (torch.zeros(2), np.zeros(2)),
]


@pytest.mark.parametrize("answer", ANSWERS, ids=str)
def test_plain_answers_are_computed_once_and_come_back_the_same(remember: Remember, answer: Any) -> None:
    function = remember(lambda _: answer)
    asked = [function(1), function(1), function(1)]
    assert [computed for _, computed in asked] == [1, 1, 1]
    for got, _ in asked:
        assert wire.encode((got,)) == wire.encode((answer,))
        assert type(got) is type(answer)
        assert repr(got) == repr(answer)  # the order of a dictionary, the sign of a zero


def test_everyone_gets_a_copy_of_their_own(remember: Remember) -> None:
    function = remember(lambda size: [np.zeros(size), {"a": [1]}])
    first, _ = function(2)
    first[0][:] = 9
    first[1]["a"].append(9)
    second, _ = function(2)
    second[1].clear()
    assert function(2) == ([pytest.approx(np.zeros(2)), {"a": [1]}], 1)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (1, True),
        (0.0, -0.0),
        ([1], (1,)),
        ("a", b"a"),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (np.zeros(2), torch.zeros(2)),
        (np.zeros(2), np.zeros(2, dtype=np.float32)),
        (np.zeros((2, 1)), np.zeros((1, 2))),
        (1.0, np.float64(1.0)),
    ],
    ids=str,
)
def test_arguments_that_differ_in_anything_are_asked_apart(remember: Remember, one: Any, other: Any) -> None:
    function = remember(lambda value: repr(value))
    assert function(one) == (repr(one), 1)
    assert function(other) == (repr(other), 2)


def test_the_settings_of_torch_are_part_of_the_question(remember: Remember) -> None:
    function = remember(lambda: torch.ones(1).dtype is torch.get_default_dtype())
    function()
    with torch.no_grad():
        assert function()[1] == 2
    torch.set_default_dtype(torch.float64)
    try:
        assert function()[1] == 3
    finally:
        torch.set_default_dtype(torch.float32)


def test_a_call_that_changes_its_arguments_changes_them_each_time(remember: Remember) -> None:
    asked = remember(lambda values: values.append(0))
    for computed in (1, 2):
        values = [1]
        assert asked(values) == (None, computed)
        assert values == [1, 0]


ROW = [1, 2]
TABLE = np.arange(6.0)


@pytest.mark.parametrize(
    ("function", "argument"),
    [
        (lambda _: random.random(), 1),
        (lambda _: float(np.random.random()), 1),
        (lambda _: torch.rand(1).item(), 1),
        (lambda size: (each for each in range(size)), 3),
        (lambda _: object(), 1),
        (lambda _: Counter("aab"), 1),
        (lambda _: {1, 2}, 1),
        (lambda _: [ROW, ROW], 1),
        (lambda _: (TABLE, TABLE[1:]), 1),
        (lambda values: values, [1]),
        (lambda _: TABLE.reshape(2, 3).T, 1),
        (lambda _: torch.zeros(2, 3).T, 1),
        (lambda _: torch.zeros(2, requires_grad=True), 1),
        (lambda _: torch.nn.Parameter(torch.zeros(2)), 1),
        (lambda _: torch.ones(2, dtype=torch.complex64).conj(), 1),
        (lambda _: np.broadcast_to(np.zeros(1), 3), 1),
        (len, OrderedDict(a=1)),
        (len, np.zeros((2, 3)).T),
        (len, [ROW, ROW]),
        (repr, np.random.default_rng(0)),
        (repr, len),
    ],
)
def test_what_a_copy_would_not_be_like_is_computed_each_time(
    remember: Remember, function: Callable[..., Any], argument: Any
) -> None:
    asked = remember(function)
    assert [asked(argument)[1] for _ in range(3)] == [1, 2, 3]


def test_a_container_of_itself_is_no_plain_data(remember: Remember) -> None:
    endless: list[Any] = []
    endless.append(endless)
    asked = remember(len)
    assert [asked(endless)[1] for _ in range(2)] == [1, 2]


def test_an_error_is_raised_each_time(remember: Remember) -> None:
    function = remember(lambda value: 1 / value)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            function(0)
    assert function(1) == (1.0, 3)


def test_what_is_quick_is_computed_again(memo: Memo) -> None:
    oracle = RememberingOracle(sys.modules["math"], memo)
    memo.seconds[f"{oracle.sqrt.__module__}.sqrt"] = WORTH_S / 10
    assert oracle.sqrt(4.0) == 2.0
    assert memo.seconds["math.sqrt"] < WORTH_S
    assert not memo.answers._kept


def test_all_else_of_the_module_is_as_it_is(memo: Memo) -> None:
    import fractions

    oracle = RememberingOracle(fractions, memo)
    assert oracle.Fraction is fractions.Fraction
    assert oracle.__name__ == "fractions"
    with pytest.raises(AttributeError):
        oracle.absent  # noqa: B018


def test_the_oldest_answers_make_room() -> None:
    answers = Answers(None, memory_bytes=100)
    for name in "abc":
        answers.keep(name, [b"x" * 30])
    assert answers.recall("a") is None
    assert answers.recall("b") == [b"x" * 30]
    answers.keep("d", [b"x" * 30])
    assert [answers.recall(name) is None for name in "bcd"] == [False, True, False]
    answers.keep("e", [b"x" * 200])
    assert all(answers.recall(name) is None for name in "abcde")


def test_workers_share_what_they_keep(tmp_path: Path) -> None:
    one, other = Answers(tmp_path), Answers(tmp_path)
    one.keep("a", [b"", b"first", memoryview(b"second")])
    assert other.recall("a") == [b"", b"first", b"second"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]


WORKER = """
import sys, time
from pathlib import Path
from types import ModuleType
from harness.checks import Answers, Memo
from harness.checks.memo import RememberingOracle
from harness.kernel import wire

def slow(number):
    with open(sys.argv[2], "a") as log:
        log.write("computed\\n")
    time.sleep(0.2)
    return [number] * 3

slow.__module__ = "oracle"
module = ModuleType("oracle")
module.slow = slow
print(RememberingOracle(module, Memo(wire.encode, wire.decode, Answers(Path(sys.argv[1])))).slow(7))
"""


@pytest.mark.slow
def test_workers_that_ask_at_once_have_it_computed_once(tmp_path: Path) -> None:
    folder, log = tmp_path / "answers", tmp_path / "log"
    folder.mkdir(mode=0o700)
    command = [sys.executable, "-c", WORKER, str(folder), str(log)]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [worker.communicate(timeout=60)[0] for worker in workers] == ["[7, 7, 7]\n"] * 3
    assert log.read_text() == "computed\n"


SOURCE = """
@check(points=1, fr="a", en="a")
def test_a(submission, oracle, differential):
    differential(submission.slowly, oracle.slowly, st.lists(st.integers(0, 9), max_size=3), examples=5)

@check(points=1, fr="b", en="b")
def test_b(submission, oracle, compare, rng):
    values = rng.random(4)
    expected = oracle.slowly(values)
    expected += 1
    compare(submission.slowly(values) + 1, expected, exact=True)
"""


def test_marks_are_the_same_with_and_without(write: Any, notebook: Any, memo: Memo) -> None:
    computed = []

    def slowly(values: Any) -> Any:
        computed.append(1)
        time.sleep(2 * WORTH_S)
        return values[::-1].copy()

    module = ModuleType("memo_test_oracle")
    module.slowly = slowly
    sys.modules[module.__name__] = module
    path = write(SOURCE)
    books = [notebook(slowly=lambda values: values[::-1]), notebook(slowly=lambda values: values)]

    def marks(memory: Memo | None) -> list[tuple[object, ...]]:
        bench = checks.Bench(path, module.__name__, "demo", 3, memo=memory)
        done = [result for book in books for result in checks.run(bench, book, select=["a", "b"]).checks]
        return [(one.outcome, one.points, one.message, one.counterexample) for one in done]

    plain = marks(None)
    assert {str(outcome) for outcome, *_ in plain} == {"passed", "failed"}
    first = marks(memo)
    computed.clear()
    assert plain == first == marks(memo)
    assert not computed
