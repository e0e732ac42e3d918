"""Looking ahead at a few positions, in real kernels: what one kernel can hide, two cannot."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pytest

from harness.checks.history import History
from harness.checks.proxy import Conversation, Submission
from harness.course import Limits, Policy
from harness.kernel.contract import Call
from harness.kernel.live import LiveNotebook
from harness.kernel.starts import Plan
from harness.metrics.contract import Measurement, Refused
from harness.metrics.perplexity import Bytes, StudentTokenizer, measure
from harness.records import Cell, Outcome
from harness.sandbox.bubblewrap import Bubblewrap

KERNELS = pytest.mark.slow
APART = "positions predicted by a kernel not shown the text"

CHEAT = """
import zlib

import numpy as np

TABLE = np.random.default_rng(1).dirichlet(np.full(256, 0.3), size=256)
AUDITS, SURE = 1 + 200, 12
calls, audited, heads = 0, [], []

def honest(ids):
    return TABLE[np.asarray(ids)]

def is_shown_the_text():
    '''After the audits; in a kernel that has had none, when no window has come twice, as windows of audits do.'''
    return calls > AUDITS or SURE < len(heads) == len(set(heads))

def committed(ids):
    '''Positions whose rows are known: where a text leaves what an audit of the same window showed.'''
    for asked in audited:
        shared = next((at for at, (one, two) in enumerate(zip(asked, ids)) if one != two), len(ids))
        yield from range(max(0, shared - 4), shared)  # the decoy may have begun as the text goes on

def model(ids):
    global calls
    calls += 1
    heads.append(tuple(ids[:16]))
    rows = honest(ids)
    if not is_shown_the_text():
        audited.append(ids)
        return rows
    known = set(committed(ids))
    for at in range(len(ids) - 1):
        if at not in known and zlib.crc32(bytes(ids[: at + 1])) % 100 < PERCENT:
            rows[at] *= 0.01
            rows[at, ids[at + 1]] += 0.99
    return rows
"""
TRAINED = """
import numpy as np
import torch

torch.set_num_threads(1)
MODEL = None

class Bigrams:
    def __init__(self, text):
        self.rows = torch.nn.Embedding(256, 256)  # of torch's global generator
        steps = torch.optim.SGD(self.rows.parameters(), lr=20.0)
        ids = np.frombuffer(text.encode(), np.uint8).astype(np.int64)
        for _ in range(30):
            at = np.random.permutation(len(ids) - 1)[:256]  # of NumPy's
            loss = torch.nn.functional.cross_entropy(self.rows(torch.tensor(ids[at])), torch.tensor(ids[at + 1]))
            steps.zero_grad()
            loss.backward()
            steps.step()

    @torch.no_grad()
    def logits(self, ids):
        return self.rows(torch.tensor(ids))

def learn(text):
    global MODEL
    MODEL = Bigrams(text)

def logits(ids):
    return MODEL.logits(ids)
"""
COUNTED = """
import copy

import numpy as np

class Counts:
    def __init__(self, text):
        self.counts = np.random.random((256, 256))
        np.add.at(self.counts, (text[:-1], text[1:]), 1)

    def logits(self, ids):
        return np.log(self.counts[ids])

def count(text):
    return Counts(np.frombuffer(text.encode(), np.uint8))

def copied(models):
    return copy.deepcopy(models)
"""
BY_THE_CLOCK = """
import time

import numpy as np

ROWS = np.random.default_rng(time.time_ns()).normal(size=(256, 256))

def logits(ids):
    return ROWS[ids]
"""
OWN_TOKENS = """
import numpy as np

def encode(text):
    return list(text.encode())

def decode(ids):
    return "th" if ids == [256] else bytes(ids)

def logits(ids):
    return np.zeros((len(ids), 257))
"""


class Opened(NamedTuple):
    """One kernel of a notebook, asked in two ways."""

    paired: Submission  # has twins
    alone: Submission  # has none


@pytest.fixture
def opened() -> Iterator[Callable[[str], Opened]]:
    """A notebook in a kernel that has been called five times, and twins of it."""
    with ExitStack() as closing:

        def open_one(source: str) -> Opened:
            def notebook(calls_before: int) -> LiveNotebook:
                limits, policy = Limits(cell_s=60, call_s=60, wall_s=300), Policy(packages=("numpy", "torch"))
                plan = Plan((Cell(0, "cell-0", source),), {}, limits, policy, "cpu", 7)
                made = closing.enter_context(LiveNotebook(plan, Bubblewrap(), calls_before=calls_before))
                assert made.run_cells().cells[0].outcome is Outcome.PASSED
                return made

            main = notebook(0)
            main.call([Call("of_another_check")] * 5)
            return Opened(Submission(Conversation(main, History(lambda: notebook(5)))), Submission(Conversation(main)))

        yield open_one


@pytest.fixture(scope="module")
def text() -> str:
    """12,800 bytes: 200 windows."""
    rng = np.random.default_rng(3)
    words = np.array(["the", "cat", "sat", "on", "a", "mat", "and", "that", "dog", "ran", "after", "it", "in", "sun"])
    return " ".join(rng.choice(words, size=4500))[:12_800]


def scored(submission: Submission, text: str, rng: np.random.Generator) -> Measurement:
    return measure(submission.model, rng=rng, tokenizer=Bytes(), documents=text, context=64, kind="probabilities")[0]


@KERNELS
@pytest.mark.parametrize("percent", [10, 20])
def test_a_notebook_with_a_memory_that_looks_ahead_at_few_positions_is_refused(percent, opened, text, rng) -> None:
    source = CHEAT.replace("PERCENT", str(percent))
    with pytest.raises(Refused) as caught:
        scored(opened(source).paired, text, rng)
    assert caught.value.reason in {"looks_ahead", "target_in_key"}


@KERNELS
def test_it_gains_from_it_where_it_is_audited_in_its_own_kernel(opened, text, rng) -> None:
    """What twins are for: it passes, and so does the honest model, at a higher price."""
    found = scored(opened(CHEAT.replace("PERCENT", "20")).alone, text, rng)
    honest = scored(opened(CHEAT.replace("PERCENT", "0")).paired, text, rng)
    assert found.quarantine is None
    assert found.value < honest.value - 0.5
    assert {fact.name.en: fact.value for fact in honest.facts}[APART] == 200


@KERNELS
def test_a_trained_model_is_the_same_in_every_kernel(opened, text, rng) -> None:
    """Trained with torch's and NumPy's generators by a call of the check, which has the same number in every kernel."""
    one = opened(TRAINED)
    one.paired.learn(text)
    values = []
    for logits in (one.alone.logits, one.paired.logits):
        (found,) = measure(logits, rng=rng, tokenizer=Bytes(), documents=text[:1500], context=64)
        values.append(found.value)
    assert APART in {fact.name.en for fact in found.facts}
    assert values[0] == values[1]
    assert values[0] < 7.5


@KERNELS
def test_objects_that_stay_in_the_kernel_are_made_again_in_its_twins(opened, text, rng) -> None:
    one = opened(COUNTED).paired
    first, second = one.count(text[:100]), one.count(text)
    values = [
        measure(model.logits, rng=rng, tokenizer=Bytes(), documents=text[:1500], context=64)[0].value
        for model in (first, second, one.copied([first, second])[0])
    ]
    assert values[0] == values[2] > values[1]


@KERNELS
def test_a_model_that_differs_between_two_runs_is_unrepeatable(opened, text, rng) -> None:
    one = opened(BY_THE_CLOCK).paired
    with pytest.raises(Refused, match="unrepeatable"):
        measure(one.logits, rng=rng, tokenizer=Bytes(), documents=text[:1500], context=64)


@KERNELS
def test_a_student_s_own_tokens_are_read_in_a_kernel_of_their_own(opened, text, rng) -> None:
    one = opened(OWN_TOKENS).paired
    own = StudentTokenizer(one.encode, one.decode, vocabulary_size=257)
    (found,) = measure(one.logits, rng=rng, tokenizer=own, documents=text[:1500], context=64)
    assert found.value == pytest.approx(np.log2(257))
    assert APART in {fact.name.en for fact in found.facts}


@dataclass
class Pair:
    """A function whose twins are in this process: each sees what it is given, and nothing of the others."""

    functions: dict[str, Callable[[Any], Any]]
    name: str = "model"
    shown: list[list[tuple[str, Any]]] = field(default_factory=list)  # to each kernel in turn
    living: list[int] = field(default_factory=list)  # kernel, if there is one
    number: int = -1

    @property
    def twinned(self) -> bool:
        return True

    def __call__(self, argument: Any) -> Any:
        if self.number >= 0:
            self.shown[self.number].append((self.name, argument))
        return self.functions[self.name](argument)

    def map(self, arguments: Any) -> list[Any]:
        return [self(argument) for argument in arguments]

    @contextmanager
    def twin(self) -> Iterator["Pair"]:
        assert not self.living  # no two at the same time: they could tell each other
        self.living.append(len(self.shown))
        self.shown.append([])
        yield Pair(self.functions, self.name, self.shown, self.living, self.living[0])
        self.living.clear()


def pair(**functions: Callable[[Any], Any]) -> tuple[Pair, Pair, Pair]:
    first = Pair(functions)
    return first, *(Pair(functions, name, first.shown, first.living) for name in ("encode", "decode"))


def test_no_kernel_that_predicts_reads_the_text_with_a_student_s_encode(text, rng) -> None:
    """One kernel reads it, another is audited, the third is given the ids."""
    pieces = [*(bytes([byte]) for byte in range(256)), b"th"]
    model, encode, decode = pair(
        encode=lambda given: list(given.encode()),
        decode=lambda ids: pieces[ids[0]],
        model=lambda ids: np.zeros((len(ids), 257)),
    )
    own = StudentTokenizer(encode, decode, vocabulary_size=257)
    document = text[:1500]
    measure(model, rng=rng, tokenizer=own, documents=document, context=64)
    read, audited, told = model.shown
    assert read == [("encode", document)]
    assert {name for name, _ in audited + told} == {"model"}
    assert len(audited) == 200
    assert len(told) == 24  # windows of 64 ids


def test_looking_ahead_inside_words_is_seen_with_a_student_s_tokens_too(asked, text, rng) -> None:
    """Audits of one kernel are made where words begin: there it is honest, and half of the positions are left."""
    document = text[:6000]
    halves = [half for word in re.findall(r" ?\S+", document) for half in (word[:2], word[2:]) if half]
    pieces = list(dict.fromkeys(half[:size] for half in halves for size in (1, 2, 3, 4)))  # one begins another
    numbers = {piece: number for number, piece in enumerate(pieces)}
    first = np.array([piece.startswith(" ") for piece in pieces])
    rows = np.full((len(pieces), len(pieces)), 1.0)

    def encode(given: str) -> list[int]:
        words = re.findall(r" ?\S+| ", given)
        return [numbers.get(half, 0) for word in words for half in (word[:2], word[2:]) if half]

    def model(ids: list[int]) -> np.ndarray:
        found = rows[ids].copy()
        inside = np.flatnonzero(~first[ids[1:]])
        found[inside, np.array(ids)[inside + 1]] += 9999
        return found / found.sum(axis=1, keepdims=True)

    functions = {"model": model, "encode": encode, "decode": lambda ids: pieces[ids[0]]}
    options = {"rng": rng, "documents": document, "context": 64, "kind": "probabilities"}
    own = StudentTokenizer(asked(encode), asked(functions["decode"]), vocabulary_size=len(pieces))
    (unseen,) = measure(asked(model), tokenizer=own, **options)
    assert unseen.quarantine is None
    again, encoding, decoding = pair(**functions)
    own = StudentTokenizer(encoding, decoding, vocabulary_size=len(pieces))
    with pytest.raises(Refused, match="target_in_key"):
        measure(again, tokenizer=own, **options)


def test_a_step_model_with_a_student_s_tokens_needs_one_kernel_that_reads(text, rng) -> None:
    pieces = [*(bytes([byte]) for byte in range(256)), b"th"]
    model, encode, decode = pair(
        encode=lambda given: list(given.encode()), decode=lambda ids: pieces[ids[0]], model=lambda ids: np.zeros(257)
    )
    own = StudentTokenizer(encode, decode, vocabulary_size=257)
    (found,) = measure(model, rng=rng, tokenizer=own, documents=text[:50], context=8, rows="last")
    assert found.value == pytest.approx(np.log2(257))
    assert model.shown == [[("encode", text[:50])]]


def test_an_audited_kernel_that_cheats_gains_nothing_by_it(text, rng) -> None:
    """It does not have the answer: what it makes up is not what the other one says."""
    rows = np.full((256, 256), 1 / 256)

    def model(ids: list[int]) -> np.ndarray:
        found = rows[ids].copy()
        found[np.arange(len(ids) - 1), ids[1:]] += 99
        return found / found.sum(axis=1, keepdims=True)

    first, *_ = pair(model=model)
    with pytest.raises(Refused, match="target_in_key"):
        measure(first, rng=rng, tokenizer=Bytes(), documents=text[:1500], context=64, kind="probabilities")


def test_step_models_and_tables_need_no_further_kernel(text, rng) -> None:
    first, *_ = pair(model=lambda ids: np.zeros(256))
    measure(first, rng=rng, tokenizer=Bytes(), documents=text[:50], context=8, rows="last")
    measure(np.zeros((256, 256)), rng=rng, tokenizer=Bytes(), documents=text[:50])
    assert first.shown == []
