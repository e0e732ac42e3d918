"""A twin is brought to the state of the kernel that a check has talked to; here both are in this process."""

import sys
from types import ModuleType

import numpy as np
import pytest
import torch

from harness import checks
from harness.checks.failures import NoAnswer
from harness.checks.history import History
from harness.checks.measuring import METRICS
from harness.checks.proxy import Conversation, Submission
from harness.errors import ConfigurationError
from harness.metrics.contract import Measurement
from harness.records import Better, Outcome, Text


class Counter:
    def __init__(self, start):
        self.value = start

    def add(self, numbers):
        self.value += int(np.asarray(numbers).sum())
        return self.value


@pytest.fixture
def twins(notebook):
    """The notebooks opened, the one that checks talk to first; `names(kernel)` gives what the numbered one defines."""

    class Kernel(notebook):
        closed = False

        def close(self):
            self.closed = True

    class Twins(list):
        def conversation(self, names) -> Conversation:
            self.open = lambda: self.append(Kernel(**names(len(self)))) or self[-1]
            return Conversation(self.open(), History(self.open))

    return Twins()


def counters(_):
    return {
        "make": Counter,
        "sum_of": lambda *made: sum(one.value for one in made),
        "read": lambda: 0,
    }


def test_objects_are_made_again_in_their_order_and_arguments_are_those_of_then(twins):
    submission = Submission(twins.conversation(counters))
    first, second = submission.make.map([5, -5])
    numbers, nested, tensor = np.array([1, 2]), [[3]], torch.tensor([4])
    first.add(numbers)
    first.add(tensor)
    second.add(nested)
    numbers += 100
    tensor += 100
    nested[0].append(100)
    assert submission.sum_of(first, second) == 10
    with second.add.twin() as add:
        assert len(twins) == 2
        assert not add.twinned
        assert add(0) == -2  # -5 + 3: the second one's, as it was
        assert twins[1].trips == [2, 1, 1, 1, 1, 1]
        assert [one.value for one in twins[1].kept] == [12, -2]
    assert [one.closed for one in twins] == [False, True]
    assert second.add(0) == -2


def test_what_a_measurement_asks_is_not_asked_again(twins):
    conversation = twins.conversation(counters)
    submission = Submission(conversation)
    submission.read()
    with conversation.history.paused():
        submission.read.map([()] * 9)
    submission.read()
    with submission.read.twin():
        assert twins[1].trips == [1, 1]
    assert conversation.calls == 11


@pytest.mark.parametrize("way", ["raises", "hands out less"])
def test_a_notebook_that_takes_another_course_gives_no_answer(way, twins, ends):
    other = ends(Outcome.ERROR) if way == "raises" else lambda start: start
    submission = Submission(twins.conversation(lambda kernel: counters(0) | ({"make": other} if kernel else {})))
    submission.make(5)
    with pytest.raises(NoAnswer, match="`make` ends differently") as caught, submission.read.twin():
        pass
    assert caught.value.outcome is Outcome.FAILED
    assert "`make` finit autrement" in caught.value.text.fr
    assert twins[1].closed


def test_an_object_of_another_check_has_no_twin(twins):
    conversation = twins.conversation(counters)
    with conversation.history.paused():
        first = Submission(conversation).make(5)
    with pytest.raises(ConfigurationError, match="another check made"), first.add.twin():
        pass
    assert twins[1].closed


SOURCE = """
    @check(points=1, fr="Avant", en="Before")
    def test_before(submission):
        submission.learn.map([1, 2, 3])

    @check(points=1, fr="Bits par octet", en="Bits per byte")
    def test_bits(submission, perplexity):
        submission.learn(4)
        perplexity(submission.model)
"""


def test_a_check_of_perplexity_can_open_its_notebook_again_with_its_calls_numbered_alike(
    write, oracle, notebook, monkeypatch
):
    """Only what the check itself has asked is asked again: what earlier ones asked is not."""
    seen = []

    def measure(model, *, rng):
        model()
        with model.twin() as again:
            seen.append(again())
        title = Text("Une mesure", "A measurement")
        return (Measurement("bits", title, float(len(seen)), "bits/byte", 0.0, 9.0, Better.LOWER),)

    module = ModuleType("checks_test_twins")
    module.measure = measure
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(METRICS, "perplexity", module.__name__)
    numbers = []

    class Kernel(notebook):
        def __init__(self, calls_before=None):
            known = []
            super().__init__(learn=known.append, model=lambda: list(known))
            numbers.append(calls_before)

        def close(self):
            numbers.append("closed")

    bench = checks.Bench(write(SOURCE), oracle.__name__, "demo", 1, twin=Kernel)
    found = checks.run(bench, Kernel(), select=["before", "bits"])
    assert [result.outcome for result in found.checks] == [Outcome.PASSED] * 2
    assert seen == [[4]]
    assert numbers == [None, 3, "closed"]
