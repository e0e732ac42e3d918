"""The oracle with a memory: what a check asks of it for every submission of a run is computed once.

A call is remembered where nothing can tell a remembered answer from a fresh one: its arguments and its answer are plain
data in the usual layout, no two parts of them share memory, and the call has left its arguments and every global
generator as they were. The name of an answer says all it may depend on: the function, the arguments' bytes, and
torch's settings. Whoever asks gets a copy of their own. All else (objects, generators, classes, errors) is as it was.
Not covered: a function that answers by a clock, a file or a counter of its own; an oracle has no such functions.
"""

import hashlib
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import wraps
from inspect import isroutine
from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np

from harness.checks.answers import Answers, Parts
from harness.checks.show import is_tensor

WORTH_S = 1e-3  # remembering takes 0.1 to 0.5 ms: a function that took less when last computed is computed again
DEEPEST = 32  # containers within containers; what lies deeper is not remembered
ATOMS = {type(None), bool, int, float, complex, str, bytes}  # immutable: copies cannot be told apart


@dataclass(frozen=True)
class Question:
    """One call of an oracle's function."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    @property
    def name(self) -> str:
        """Of the function."""
        return f"{self.function.__module__}.{self.function.__qualname__}"


@dataclass
class Memo:
    """Remembers answers of oracles; one a worker."""

    encode: Callable[[object], Parts]  # plain data to bytes; TypeError or ValueError for all else
    decode: Callable[[Parts], Any]
    answers: Answers
    seconds: dict[str, float] = field(default_factory=dict)  # function -> what its last computed answer took

    def answer(self, question: Question) -> Any:
        """What the call gives, computed or remembered."""
        worth = self.seconds.get(question.name, WORTH_S) >= WORTH_S
        asked = self._written(question.args, question.kwargs) if worth else None
        if asked is None:
            return self._computed(question)
        key = _key(question.name, asked)
        known = self.answers.recall(key)
        if known is not None:
            return self.decode(known)[0]
        with self.answers.alone(key):
            known = self.answers.recall(key)  # another worker may have found it meanwhile
            return self.decode(known)[0] if known is not None else self._found(question, key, asked)

    def _found(self, question: Question, key: str, asked: Sequence[bytes]) -> Any:
        """The computed answer, kept under `key` where a copy is as good."""
        before = _generators()
        value = self._computed(question)
        untouched = _generators() == before and self._written(question.args, question.kwargs) == asked
        if untouched and _apart([value, question.args, question.kwargs]):
            parts = self._written(value)
            if parts is not None:
                self.answers.keep(key, parts)
        return value

    def _computed(self, question: Question) -> Any:
        began = time.perf_counter()
        value = question.function(*question.args, **question.kwargs)
        self.seconds[question.name] = time.perf_counter() - began
        return value

    def _written(self, *values: Any) -> list[bytes] | None:
        """The bytes of `values`; None where they are not plain data in the usual layout."""
        if not _apart(values):
            return None
        try:
            return [bytes(part) for part in self.encode(values)]
        except (TypeError, ValueError):  # of a type, or a size, that does not cross
            return None


class RememberingOracle(ModuleType):
    """The oracle's module as checks see it: the same names, and functions that remember."""

    def __init__(self, module: ModuleType, memo: Memo) -> None:
        super().__init__(module.__name__, module.__doc__)
        self._module = module
        self._memo = memo

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._module, name)
        return _remembering(value, self._memo) if isroutine(value) else value


def _remembering(function: Callable[..., Any], memo: Memo) -> Callable[..., Any]:
    @wraps(function)
    def remembering(*args: Any, **kwargs: Any) -> Any:
        return memo.answer(Question(function, args, kwargs))

    return remembering


def _key(name: str, asked: Sequence[bytes]) -> str:
    """What the answer is called: everything that it may depend on."""
    digest = hashlib.sha256(f"{name}\0{_settings()}\0".encode())
    for part in asked:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


def _settings() -> str:
    """Those of torch that change what the same call gives."""
    torch = sys.modules.get("torch")
    return "" if torch is None else f"{torch.get_default_dtype()} {torch.is_grad_enabled()} {torch.get_num_threads()}"


def _generators() -> tuple[object, ...]:
    """The states of all global generators that there are."""
    numpy_random, torch = sys.modules.get("numpy.random"), sys.modules.get("torch")
    drawn = None if numpy_random is None else numpy_random.get_state()
    return (
        random.getstate(),
        None if drawn is None else (drawn[1].tobytes(), *drawn[2:]),
        None if torch is None else torch.get_rng_state().numpy().tobytes(),
    )


def _apart(value: Any) -> bool:
    """Whether `value` is plain data in the usual layout of which no two parts share memory: a copy is just like it."""
    places: list[tuple[int, int]] = []  # from, to
    if not _plain(value, places, 0):
        return False
    places.sort()
    return all(end <= start for (_, end), (start, _) in pairwise(places))


def _plain(value: Any, places: list[tuple[int, int]], depth: int) -> bool:
    """Whether all of `value` is of exactly the types that cross; where its mutable parts lie is added to `places`."""
    kind = type(value)
    if kind in ATOMS or (issubclass(kind, np.generic) and kind.__module__ == "numpy"):
        return True
    if depth > DEEPEST:
        return False
    if kind is list or kind is dict:
        places.append((id(value), id(value) + 1))
    if kind is list or kind is tuple:
        return all(_plain(item, places, depth + 1) for item in value)
    if kind is dict:
        return all(_plain(part, places, depth + 1) for pair in value.items() for part in pair)
    if kind is np.ndarray:
        return _usual(value.flags.c_contiguous and value.flags.writeable, value.ctypes.data, value.nbytes, places)
    if is_tensor(value) and kind.__name__ == "Tensor" and value.device.type == "cpu" and not value.requires_grad:
        usual = value.layout == sys.modules["torch"].strided and value.is_contiguous()
        return usual and _usual(not (value.is_conj() or value.is_neg()), value.data_ptr(), value.nbytes, places)
    return False


def _usual(usual: bool, start: int, size_bytes: int, places: list[tuple[int, int]]) -> bool:
    if size_bytes:
        places.append((start, start + size_bytes))
    return usual
