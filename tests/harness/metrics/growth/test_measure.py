"""Growth over kernels that are made up, whose costs are known, and over real ones."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from harness.errors import ConfigurationError, InfrastructureError
from harness.metrics import growth
from harness.metrics.contract import Reading, Refused, Timing
from harness.metrics.growth.costs import FEWEST_SIZES, LARGEST_BYTES, LEAST_SPAN, TICK_S
from harness.metrics.growth.measure import CLASS_WORDS
from harness.records import Better, Text

MIB = 2**20
NULL_S = 0.001


class Kernel:
    """Uses `seconds(n)` and holds `held(n)` bytes at most in a call with an array of n values."""

    def __init__(self, seconds=lambda n: 0.0, held=lambda n: 0, *, rest=50 * MIB, answer=lambda x: float(x.sum())):
        self._seconds, self._held, self._rest, self._answer = seconds, held, rest, answer
        self.calls = []
        self.start = 1
        self.cpu_s = 0.0
        self.when_called = lambda: None
        self._peak = rest

    def timed(self, x):
        self.calls.append(len(x))
        self.when_called()
        self.cpu_s += self._seconds(len(x)) + NULL_S * (1 + len(x) / 1e5)
        self._peak = max(self._peak, self._rest + self._held(len(x)) + 3 * x.nbytes)
        return Timing(self._answer(x), 0.0)

    def null(self, args, answer):
        n = sum(len(each) for each in args if isinstance(each, np.ndarray))
        self.cpu_s += 2 * NULL_S + NULL_S * n / 1e5
        self._peak = max(self._peak, self._rest + 3 * 8 * n)
        return Timing(answer, 0.0)

    def reading(self):
        peak, self._peak = self._peak, self._rest
        return Reading(self.cpu_s, 0.0, peak, self.start)


class Forking(Kernel):
    """Works in children from call `late` on; what they have used is read in ticks, user and system time each."""

    def __init__(self, seconds, *, rng, late=0):
        super().__init__(answer=lambda _: 0.0)
        self._of_children, self._rng, self._late = seconds, rng, late
        self._user_s, self._system_s = rng.uniform(0.0, TICK_S, 2)  # ticks begin anywhere between two readings

    def timed(self, x):
        used_s = self._of_children(len(x)) * (1 + 0.3 * abs(self._rng.standard_normal()))  # a busy machine
        if len(self.calls) < self._late:
            self.cpu_s += used_s
        else:
            self._user_s += 0.9 * used_s
            self._system_s += 0.1 * used_s + 0.002  # a fork
        return super().timed(x)

    def reading(self):
        ticked_s = (self._user_s // TICK_S + self._system_s // TICK_S) * TICK_S
        own = super().reading()
        return replace(own, cpu_s=own.cpu_s + ticked_s, ticked_s=ticked_s)


def agree(answer, expected):
    assert answer == expected, "another answer"


def run(subject, baseline, order, *, sizes=(64, 50_000), quantity="time"):
    (found,) = growth.measure(
        subject,
        baseline,
        lambda n, rng: (rng.normal(size=n),),
        rng=np.random.default_rng(0),
        same=agree,
        promise=growth.Promise(order, sizes, quantity),
    )
    english = ((fact, fact.value.en if isinstance(fact.value, Text) else fact.value) for fact in found.facts)
    return found, {fact.name.en: value for fact, value in english}


LAWS = {
    "n": lambda n: n * 1e-5,
    "n log n": lambda n: n * np.log(n) * 1e-6,
    "n^2": lambda n: n**2 * 1e-7,
}


@pytest.mark.parametrize(("name", "promised"), list(itertools.product(LAWS, LAWS)))
def test_a_promise_is_kept_by_its_own_class_and_by_those_below(name, promised):
    found, facts = run(Kernel(LAWS[name]), Kernel(LAWS["n"]), promised)
    assert facts["class"] == CLASS_WORDS[name].en
    assert facts["promise"] == CLASS_WORDS[promised].en
    assert facts["class of the solution"] == "linear (n)"
    assert growth.keeps(found) == (list(LAWS).index(name) <= list(LAWS).index(promised))
    assert found.value == pytest.approx(2.0 if name == "n^2" else 1.0, abs=0.2)
    assert found.low <= found.value <= found.high
    assert found.oracle == pytest.approx(1.0, abs=0.02)
    assert (found.name, found.unit, found.better, found.timed) == ("growth_time", "", Better.LOWER, True)


def test_sizes_are_where_the_work_shows_and_rounds_are_shuffled():
    subject = Kernel(LAWS["n"])
    _, facts = run(subject, Kernel(LAWS["n"]), "n")
    sizes = [float(size) for size in str(facts["sizes"]).split(", ")]
    assert len(sizes) >= FEWEST_SIZES
    assert 100 <= sizes[0] <= 200  # 1 ms of work
    assert 10_000 <= sizes[-1] <= 20_000  # 100 ms
    rounds = np.array(subject.calls[-7 * 7 :]).reshape(7, 7)
    assert all(sorted(each) == sizes for each in rounds.tolist())
    assert len({tuple(each) for each in rounds.tolist()}) > 3


def test_a_slow_notebook_is_not_called_with_the_largest_sizes():
    subject = Kernel(lambda n: n**2 * 1e-5)
    run(subject, Kernel(LAWS["n"]), "n")
    assert max(subject.calls) <= 64 * LEAST_SPAN


@pytest.mark.parametrize("burned_s", [0.1, 1.0])
def test_time_burned_in_every_call_hides_no_growth(burned_s):
    found, facts = run(Kernel(lambda n: burned_s + LAWS["n^2"](n)), Kernel(LAWS["n"]), "n log n")
    assert facts["class"] == "quadratic (n²)"
    assert not growth.keeps(found)


@pytest.mark.parametrize("late", [0, 20], ids=["from the first call", "when sizes have been chosen"])
@pytest.mark.parametrize("law", ["n log n", "n^2"])
def test_children_that_are_counted_in_ticks_hide_no_growth_and_make_none_up(law, late):
    kept = []
    for seed in range(20):
        subject = Forking(LAWS[law], rng=np.random.default_rng(seed), late=late)
        found, _ = run(subject, Kernel(LAWS["n"], answer=lambda _: 0.0), "n log n")
        kept.append(growth.keeps(found))
    assert kept == [law == "n log n"] * 20


def test_memory_taken_in_every_call_hides_no_growth():
    subject = Kernel(held=lambda n: 300 * MIB + 8 * n**2)
    found, _ = run(subject, Kernel(held=lambda n: 4096 * n), "n", sizes=(64, 4096), quantity="memory")
    assert not growth.keeps(found)


def test_work_after_the_answer_is_charged_to_the_call():
    """A thread goes on computing while the baseline is asked."""
    subject, baseline = Kernel(LAWS["n"]), Kernel(LAWS["n"])

    def go_on():
        subject.cpu_s += 0.05

    baseline.when_called = go_on
    _, facts = run(subject, baseline, "n")
    assert facts["fitted constant"] == pytest.approx(50.0, rel=0.1)


def test_every_answer_is_checked_where_memory_is_measured():
    wrong = itertools.count()
    subject = Kernel(held=lambda n: n, answer=lambda x: float(x.sum()) if next(wrong) != 15 else 0.0)
    with pytest.raises(AssertionError, match="another answer"):
        run(subject, Kernel(held=lambda n: 4096 * n), "n", sizes=(64, 4096), quantity="memory")


def test_every_answer_is_checked():
    wrong = itertools.count()
    subject = Kernel(LAWS["n"], answer=lambda x: float(x.sum()) if next(wrong) != 40 else 0.0)
    with pytest.raises(AssertionError, match="another answer"):
        run(subject, Kernel(LAWS["n"]), "n")


def test_a_kernel_that_starts_again_is_refused():
    subject = Kernel(LAWS["n"])

    def restart(x):
        subject.start += 1
        return float(x.sum())

    subject._answer = restart
    with pytest.raises(Refused, match="restarted"):
        run(subject, Kernel(LAWS["n"]), "n")


def test_sizes_at_which_nothing_costs_anything_are_the_instructor_s_to_mend():
    with pytest.raises(ConfigurationError, match="calls of size 1000 cost nothing"):
        run(Kernel(), Kernel(), "n", sizes=(64, 1000))


def test_a_notebook_that_is_too_fast_to_be_seen_keeps_its_promise_and_its_interval_says_how_little_that_is():
    found, facts = run(Kernel(), Kernel(LAWS["n"]), "n")
    assert growth.keeps(found)
    assert facts["class"] == "constant"
    assert found.high - found.low > 0.5


@pytest.mark.parametrize(
    ("held", "expected"),
    [(lambda n: 5 * MIB, "1"), (lambda n: 4096 * n, "n"), (lambda n: 8 * n**2, "n^2")],
)
def test_growth_of_memory(held, expected):
    subject = Kernel(held=held)
    found, facts = run(subject, Kernel(held=lambda n: 4096 * n), "n", sizes=(64, 4096), quantity="memory")
    assert facts["class"] == CLASS_WORDS[expected].en
    assert growth.keeps(found) == (expected != "n^2")
    assert found.name == "growth_memory"
    assert subject.calls == sorted(subject.calls)
    assert float(str(facts["median costs"]).split(", ")[-1]) == pytest.approx(held(4096) / MIB, rel=0.01)  # MiB
    assert found.quarantine is None


def test_memory_is_not_driven_to_its_limit():
    subject = Kernel(held=lambda n: n**3)
    run(subject, Kernel(held=lambda n: n), "n", sizes=(64, 65536), quantity="memory")
    assert max(subject.calls) ** 3 < 64 * LARGEST_BYTES * 1000


def test_memory_held_before_any_call_is_looked_at():
    found, _ = run(Kernel(rest=300 * MIB), Kernel(held=lambda n: 4096 * n), "n", sizes=(64, 4096), quantity="memory")
    assert "250 MiB" in found.quarantine.en
    assert "250 Mio" in found.quarantine.fr


def test_a_system_that_tells_no_peak_is_no_score():
    with pytest.raises(InfrastructureError, match="does not say how much"):
        run(Kernel(rest=0), Kernel(rest=0), "n", sizes=(64, 4096), quantity="memory")


@pytest.mark.parametrize(
    ("promise", "words"),
    [
        (("n!", (2, 100)), "order='n!'"),
        (("n", (2, 100), "joules"), "quantity='joules'"),
        (("n", (1, 100)), "sizes from 1 to 100"),
        (("n", (0, 100)), "sizes from 0 to 100"),
        (("n", (100, 700)), "sizes from 100 to 700"),
        (("n", (-5, 5)), "sizes from -5 to 5"),
        (("n", (100, 2)), "sizes from 100 to 2"),
    ],
)
def test_impossible_promises_are_named(promise, words):
    with pytest.raises(ConfigurationError, match=words):
        growth.Promise(*promise)


def test_controls_come_out_and_a_broken_one_stops_the_run(monkeypatch):
    growth.controls()
    monkeypatch.setitem(growth.measure.__globals__["CLASSES"], "n log n", lambda n: n)
    with pytest.raises(InfrastructureError, match="class n log n are taken for n"):
        growth.controls()


SORTS = """
def ordered(x):
    def sort(values):
        if len(values) < 2:
            return values
        middle = len(values) // 2
        left, right = sort(values[:middle]), sort(values[middle:])
        merged, i, j = [], 0, 0
        while i < len(left) and j < len(right):
            if left[i] <= right[j]:
                merged.append(left[i])
                i += 1
            else:
                merged.append(right[j])
                j += 1
        return merged + left[i:] + right[j:]
    return sort(x.tolist())[len(x) // 2]
"""
INSERTS = """
def ordered(x):
    values = x.tolist()
    for i in range(1, len(values)):
        j, value = i, values[i]
        while j and values[j - 1] > value:
            values[j] = values[j - 1]
            j -= 1
        values[j] = value
    return values[len(values) // 2]
"""
IN_A_CHILD = f"""
import os, json
{INSERTS}
slowly = ordered
def ordered(x):
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.write(writer, json.dumps(slowly(x)).encode())
        os._exit(0)
    os.close(writer)
    answer = json.loads(os.read(reader, 1000))
    os.close(reader)
    os.wait()
    return answer
"""

LEFT = "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n" + IN_A_CHILD.replace("    os.wait()\n", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    "source", [SORTS, INSERTS, IN_A_CHILD, LEFT], ids=["merge", "insert", "child", "child of nobody"]
)
def test_sorting_in_real_kernels(live, baseline, source):
    found, facts = run(live(source).ordered, baseline(SORTS).ordered, "n log n", sizes=(64, 50_000))
    expected = "n log n" if source is SORTS else "n^2"
    assert facts["class"] == CLASS_WORDS[expected].en
    assert growth.keeps(found) == (source is SORTS)


SQUARE = """
import numpy as np
def pairs(x):
    return float(np.abs(x[:, None] - x[None, :]).sum())
"""
TILED = """
import numpy as np
def pairs(x):
    return float(sum(np.abs(x[i : i + 128, None] - x[None, :]).sum() for i in range(0, len(x), 128)))
"""
RAISED = "import numpy as np\nraised = np.ones(1 << 25)\ndel raised\n"  # 256 MiB: lifts the mark above what follows
POOLED = """
import numpy as np
pool = np.ones(2048 * 2048 * 4)
def pairs(x):
    held = pool[: len(x) ** 2].reshape(len(x), len(x))
    np.abs(np.subtract(x[:, None], x[None, :], out=held), out=held)
    return float(held.sum())
"""


def close(answer, expected):
    np.testing.assert_allclose(answer, expected, rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "kept", "held"),
    [(TILED, True, False), (SQUARE, False, False), (RAISED + SQUARE, False, False), (POOLED, True, True)],
    ids=["tiled", "square", "raised", "pooled"],
)
def test_memory_in_real_kernels(live, baseline, source, kept, held):
    (found,) = growth.measure(
        live(source).pairs,
        baseline(TILED).pairs,
        lambda n, rng: (rng.normal(size=n),),
        rng=np.random.default_rng(0),
        same=close,
        promise=growth.Promise("n", (128, 4096), "memory"),
    )
    assert growth.keeps(found) == kept
    assert (found.quarantine is not None) == held
