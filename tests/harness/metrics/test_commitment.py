"""Promised distributions: honest kernels get the right figure, every kind of liar is caught, in real kernels too."""

import hashlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from scipy.special import log_softmax, logsumexp

from harness.checks.failures import NoAnswer
from harness.checks.proxy import Conversation, Submission
from harness.course import Limits, Policy
from harness.kernel.live import LiveNotebook
from harness.kernel.starts import Plan
from harness.metrics import commitment
from harness.metrics.commitment import log_probabilities
from harness.metrics.contract import Refused
from harness.records import Cell
from harness.sandbox.bubblewrap import Bubblewrap

WIDTH = 50


def secret() -> np.random.Generator:
    return np.random.default_rng(11)


def targets_of(length: int) -> list[int]:
    return np.random.default_rng(1).integers(WIDTH, size=length).tolist()


# In this process: every lie that can be told --------------------------------------------------------------------------


class Kernel:
    """An honest kernel of this process; each test changes what it says."""

    def __init__(self, matrix: Any) -> None:
        self.matrix = matrix
        self.taken: list[int] = []
        self.released = False

    def committed(self, *args: Any) -> tuple[Any, Any]:
        return self, (None, self.matrix.dtype.str, self.matrix.shape, self.digests())

    def digests(self) -> bytes:
        header = f"{self.matrix.dtype.str} {len(self.matrix)} {self.matrix.shape[1]}"
        rows = (f"{header} {i}\n".encode() + row.tobytes() for i, row in enumerate(self.matrix))
        return b"".join(hashlib.sha256(row).digest() for row in rows)

    def gather(self, columns: Any) -> Any:
        exact = self.matrix.astype(float)
        with np.errstate(all="ignore"):
            sums = logsumexp(exact, axis=1)
        return exact[np.arange(len(exact)), columns], sums

    def take(self, indices: Any) -> Any:
        self.taken += list(indices)
        return self.matrix[indices]

    def release(self) -> None:
        self.released = True


def logits(length: int = 300, dtype: str = "<f4") -> Any:
    return (3 * np.random.default_rng(0).normal(size=(length, WIDTH))).astype(dtype)


def ask(kernel: Any, length: int = 300, **options: Any) -> Any:
    return log_probabilities(kernel, "ids", targets_of(length), rng=secret(), **options)


def reason(kernel: Any, length: int = 300, **options: Any) -> str:
    with pytest.raises(Refused) as caught:
        ask(kernel, length, **options)
    assert caught.value.text.fr != caught.value.text.en
    return caught.value.reason


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8"])
def test_an_honest_kernel_gets_the_log_softmax(dtype: str) -> None:
    kernel = Kernel(logits(dtype=dtype))
    expected = log_softmax(kernel.matrix.astype(float), axis=1)[np.arange(300), targets_of(300)]
    assert ask(kernel) == pytest.approx(expected, rel=1e-12)
    assert kernel.released


def test_log_probabilities_are_normalised_to_the_last_digit() -> None:
    """What the tolerance leaves cannot be gained."""
    generous = log_softmax(logits(dtype="<f8"), axis=1) + 0.9e-4
    exact = log_softmax(generous, axis=1)[np.arange(300), targets_of(300)]
    assert ask(Kernel(generous), kind="log_probabilities") == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize(
    ("length", "total", "audited"),
    [(1, None, 1), (150, None, 150), (300, None, 200), (20_000, None, 400), (500, 50_000, 10), (500, 5_000, 20)],
)
def test_as_many_rows_are_audited_as_the_protocol_says(length: int, total: int | None, audited: int) -> None:
    kernel = Kernel(logits(length))
    ask(kernel, length, total=total)
    assert len(set(kernel.taken)) == len(kernel.taken) == audited


def test_audits_are_drawn_anew_and_from_everywhere() -> None:
    drawn = []
    for seed in range(40):
        kernel = Kernel(logits(400))
        log_probabilities(kernel, None, targets_of(400), rng=np.random.default_rng(seed))
        drawn.append(set(kernel.taken))
    assert len({frozenset(one) for one in drawn}) == 40
    assert set.union(*drawn) == set(range(400))


def test_whole_rows_come_in_answers_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commitment, "REQUEST_BYTES", 7 * WIDTH * 4)
    kernel, sizes = Kernel(logits()), []
    take = kernel.take
    kernel.take = lambda indices: sizes.append(len(indices)) or take(indices)  # type: ignore[method-assign]
    ask(kernel)
    assert sizes == [7] * 28 + [4]


def test_nothing_is_revealed_before_the_promise() -> None:
    order: list[str] = []

    class Watched(Kernel):
        def committed(self, *args: Any) -> tuple[Any, Any]:
            order.append(f"committed {args}")
            return super().committed(*args)

        def gather(self, columns: Any) -> Any:
            order.append("gather")
            return super().gather(columns)

        def take(self, indices: Any) -> Any:
            order.append("take")
            return super().take(indices)

    ask(Watched(logits()))
    assert order == ["committed ('ids',)", "gather", "take"]


Lie = Callable[[Kernel], None]


def says(name: str, make: Callable[..., Any]) -> Lie:
    """A lie told by one method, from the truth."""

    def tell(kernel: Kernel) -> None:
        truth = getattr(kernel, name)
        setattr(kernel, name, lambda *args: make(kernel, truth(*args), *args))

    return tell


BROKEN: dict[str, Lie] = {
    "other hashes": says("digests", lambda kernel, said: said[::-1]),
    "hashes of one row for all": says("digests", lambda kernel, said: said[:32] * 300),
    "hashes of neighbours": says("digests", lambda kernel, said: said[32:] + said[:32]),
    "likelier targets": says("gather", lambda kernel, said, columns: (said[0] + 1e-6, said[1])),
    "certain targets": says("gather", lambda kernel, said, columns: (said[1], said[1])),
    "impossible targets": says("gather", lambda kernel, said, columns: (said[0] + 1000, said[1])),
    "smaller sums": says("gather", lambda kernel, said, columns: (said[0], np.maximum(said[1] - 1e-3, said[0]))),
    "sums of probability one": says("gather", lambda kernel, said, columns: (said[0] - said[1], 0 * said[1])),
    "targets of a neighbour": says("gather", lambda kernel, said, columns: (np.roll(said[0], 1), said[1])),
    "one number": says("gather", lambda kernel, said, columns: said[0]),
    "too few numbers": says("gather", lambda kernel, said, columns: (said[0][:-1], said[1][:-1])),
    "numbers as float32": says("gather", lambda kernel, said, columns: (said[0].astype("f4"), said[1])),
    "numbers as text": says("gather", lambda kernel, said, columns: ("a", "b")),
    "no numbers": says("gather", lambda kernel, said, columns: None),
    "rows of other places": says("take", lambda kernel, said, indices: kernel.matrix[(indices + 1) % 300]),
    "rows in another order": says("take", lambda kernel, said, indices: said[::-1]),
    "rows a little off": says("take", lambda kernel, said, indices: np.nextafter(said, np.float32(99))),
    "rows in more digits": says("take", lambda kernel, said, indices: said.astype(float)),
    "fewer rows": says("take", lambda kernel, said, indices: said[:-1]),
    "narrower rows": says("take", lambda kernel, said, indices: said[:, :-1]),
    "no rows": says("take", lambda kernel, said, indices: []),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_lie_breaks_the_commitment(name: str) -> None:
    kernel = Kernel(logits())
    BROKEN[name](kernel)
    assert reason(kernel) == "broken_commitment"


def test_a_probability_above_one_needs_no_audit() -> None:
    kernel = Kernel(logits())
    BROKEN["impossible targets"](kernel)
    assert reason(kernel) == "broken_commitment"
    assert kernel.taken == []


def test_the_right_bytes_of_another_type_are_other_rows() -> None:
    kernel = Kernel(logits(dtype="<f8"))
    says("take", lambda kernel, said, indices: said.view("<c8"))(kernel)
    assert reason(kernel) == "broken_commitment"


def test_rows_made_to_fit_the_lie_do_not_fit_the_hash() -> None:
    """The targets are raised, and the rows that are demanded show it: only the promise knows better."""
    kernel = Kernel(logits())
    promise = kernel.committed("ids")
    kernel.matrix[np.arange(300), targets_of(300)] += 2
    kernel.committed = lambda *args: promise  # type: ignore[method-assign]
    assert reason(kernel) == "broken_commitment"


def test_rows_that_claim_to_be_normalised_and_are_not_are_caught() -> None:
    kernel = Kernel(log_softmax(logits(), axis=1) + np.float32(0.5))
    assert reason(kernel, kind="log_probabilities") == "unnormalised"  # honest about it
    says("gather", lambda kernel, said, columns: (np.minimum(said[0], 0), 0 * said[1]))(kernel)
    assert reason(kernel, kind="log_probabilities") == "broken_commitment"


def test_honest_mistakes_are_called_by_their_name() -> None:
    spoilt = logits()
    spoilt[7, 3] = np.nan
    kernel = Kernel(spoilt)
    assert reason(kernel) == "not_finite"
    assert kernel.taken == []  # the row's sum says it
    spoilt = logits()
    spoilt[np.arange(300), np.array(targets_of(300)) - 1] = -np.inf  # neither the targets nor the sums show it
    assert reason(Kernel(spoilt)) == "not_finite"
    assert reason(Kernel(logits(299))) == "wrong_shape"
    assert reason(Kernel(logits(301))) == "wrong_shape"
    assert reason(Kernel(logits()[:, :40])) == "wrong_shape"


SAID: dict[str, Any] = {
    "nothing": None,
    "a list": [[0.5, 0.5]],
    "other dtype": (None, "<i4", (300, WIDTH), bytes(300 * 32)),
    "object dtype": (None, "|O", (300, WIDTH), bytes(300 * 32)),
    "shape as text": (None, "<f4", "300", bytes(300 * 32)),
    "one dimension": (None, "<f4", (300,), bytes(300 * 32)),
    "negative shape": (None, "<f4", (300, -WIDTH), bytes(300 * 32)),
    "too few hashes": (None, "<f4", (300, WIDTH), bytes(299 * 32)),
    "hashes as text": (None, "<f4", (300, WIDTH), "0" * 300 * 32),
    "more": (None, "<f4", (300, WIDTH), bytes(300 * 32), 1),
}


@pytest.mark.parametrize("name", SAID)
def test_what_is_no_promise_is_refused(name: str) -> None:
    kernel = Kernel(logits())
    kernel.committed = lambda *args: (kernel, SAID[name])  # type: ignore[method-assign]
    assert reason(kernel) == "wrong_shape"
    kernel.committed = lambda *args: (None, Kernel(logits()).committed()[1])  # type: ignore[method-assign]
    assert reason(kernel) == "wrong_shape"


def test_a_gigantic_width_is_only_a_lie() -> None:
    kernel = Kernel(logits())
    said = (None, "<f4", (300, 10**15), Kernel(logits()).digests())
    kernel.committed = lambda *args: (kernel, said)  # type: ignore[method-assign]
    assert reason(kernel) == "broken_commitment"


def test_what_is_masked_by_a_huge_negative_logit_is_impossible() -> None:
    matrix = np.zeros((2, 3))
    matrix[:, 1] = -1e308
    found = log_probabilities(Kernel(matrix), None, [0, 1], rng=secret())
    assert found.tolist() == pytest.approx([-math.log(2), -1e308])


@pytest.mark.parametrize(("dtype", "level"), [("<f8", 1e17), ("<f4", 1e20), ("<f8", -1e17), ("<f8", 1e308)])
def test_a_constant_so_large_that_rounding_makes_every_token_certain(dtype: str, level: float) -> None:
    """x - s would be 0 for whatever was asked, with hashes, numbers and sums that are all true."""
    assert reason(Kernel(np.full((300, WIDTH), level, dtype))) == "too_large"


def test_an_offset_of_all_logits_hides_no_lie_about_their_sum() -> None:
    """A tolerance in proportion to s would let each sum be told as too small by a thousandth of it in a billion."""
    kernel = Kernel(logits(dtype="<f8") + 9e5)
    numbers, sums = kernel.gather(targets_of(300))
    np.testing.assert_allclose(ask(kernel), numbers - sums)
    kernel.gather = lambda columns: (numbers, sums - 1e-6)  # type: ignore[method-assign]
    assert reason(kernel) == "broken_commitment"


@pytest.mark.parametrize("targets", [[], [-1], [[1]]], ids=str)
def test_impossible_targets_are_our_own_error(targets: Any) -> None:
    with pytest.raises(ValueError, match="token ids from 0"):
        log_probabilities(Kernel(logits(1)), None, targets, rng=secret())


@pytest.mark.parametrize(("lies", "share"), [(1, 0.2), (3, 0.488), (10, 0.894)])
def test_a_few_lies_are_caught_as_often_as_stated(lies: int, share: float) -> None:
    """200 audits of 1,000 rows: 1 - C(1000 - m, 200)/C(1000, 200), within four standard errors of 400 trials."""
    exact = 1 - math.comb(1000 - lies, 200) / math.comb(1000, 200)
    assert exact == pytest.approx(share, abs=5e-4)
    kernel, targets = Kernel(logits(1000)), targets_of(1000)
    numbers, sums = kernel.gather(targets)
    promise = kernel.committed()
    kernel.committed = lambda *args: promise  # type: ignore[method-assign]
    caught, trials = 0, 400
    for seed in range(trials):
        rng = np.random.default_rng(seed)
        told = numbers.copy()
        liars = rng.choice(1000, size=lies, replace=False)
        told[liars] = sums[liars]
        kernel.gather = lambda columns, told=told: (told, sums)  # type: ignore[method-assign]
        try:
            log_probabilities(kernel, None, targets, rng=rng)
        except Refused:
            caught += 1
    assert abs(caught / trials - exact) < 4 * math.sqrt(exact * (1 - exact) / trials)


# In real kernels ------------------------------------------------------------------------------------------------------

NOTEBOOK = (
    "import numpy as np, sys",
    """
rows = sys.modules['bareme.rows']
honest = {name: getattr(rows.Rows, name) for name in ('promise', 'gather', 'take')}

def matrix(ids):
    return (3 * np.random.default_rng(0).normal(size=(len(ids), 50))).astype('<f4')

def model(ids):
    return matrix(ids)

def crashing(ids):
    rows.Rows.gather = lambda self, columns: __import__('os')._exit(1)
    return matrix(ids)
""",
    # each liar patches the probe's own class in its kernel; `model` does not know
    """
def tell(**lies):
    for name in honest:
        setattr(rows.Rows, name, lies.get(name, honest[name]))

def nothing(): tell()

def other_hashes():
    tell(promise=lambda self: (*honest['promise'](self)[:3], bytes(32 * len(self.matrix))))

def certain():
    def gather(self, columns):
        numbers, sums = honest['gather'](self, columns)
        return sums, sums
    tell(gather=gather)

def unnormalised():
    def gather(self, columns):
        numbers, sums = honest['gather'](self, columns)
        return numbers, np.maximum(sums - 2, numbers)
    tell(gather=gather)

def other_rows():
    tell(take=lambda self, indices: self.matrix[np.array(indices) - 1])

def made_to_fit():
    def gather(self, columns):
        self.matrix[np.arange(len(self.matrix)), columns] += 2
        return honest['gather'](self, columns)
    tell(gather=gather)

def promised_twice():
    def take(self, indices):
        self.matrix = self.matrix + 0
        self.matrix[:] = 0
        return self.matrix[indices]
    tell(take=take)

class Own:
    def gather(self, columns): return np.zeros(len(columns)), np.zeros(len(columns))
    def take(self, indices): return np.zeros((len(indices), 50), dtype='<f4')
    def release(self): pass

def own_promise(ids):
    return Own(), '<f4', (len(ids), 50), bytes(32 * len(ids))
""",
)
LIARS = ("other_hashes", "certain", "unnormalised", "other_rows", "made_to_fit", "promised_twice")


@pytest.fixture(scope="module")
def submission() -> Iterator[Submission]:
    cells = tuple(Cell(index, f"cell-{index}", source) for index, source in enumerate(NOTEBOOK))
    limits = Limits(cell_s=20, call_s=20, wall_s=120)
    plan = Plan(cells, {}, limits, Policy(packages=("numpy",)), "cpu", 7)
    with LiveNotebook(plan, Bubblewrap()) as notebook:
        notebook.run_cells()
        yield Submission(Conversation(notebook))


def ask_live(function: Any, length: int = 300) -> Any:
    return log_probabilities(function, list(range(length)), targets_of(length), rng=secret())


def test_a_real_kernel_gets_the_log_softmax(submission: Submission) -> None:
    submission.nothing()
    expected = log_softmax(logits().astype(float), axis=1)[np.arange(300), targets_of(300)]
    assert ask_live(submission.model) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("liar", LIARS)
def test_a_real_kernel_that_is_tampered_with_is_caught(submission: Submission, liar: str) -> None:
    getattr(submission, liar)()
    with pytest.raises(Refused) as caught:
        ask_live(submission.model)
    assert caught.value.reason == "broken_commitment"


def test_a_promise_of_ones_own_is_held_to_as_well(submission: Submission) -> None:
    with pytest.raises(Refused) as caught:
        ask_live(submission.own_promise)
    assert caught.value.reason == "broken_commitment"


def test_a_kernel_that_ends_gives_no_answer(submission: Submission) -> None:
    with pytest.raises(NoAnswer):
        ask_live(submission.crashing)
