"""Put beside a notebook that knows the solution, to make of it one that does no work: a module of its own in a kernel.

Each entry point is replaced by one that answers without the value asked for. Some know the type and shape of every
right answer, or a few right answers by heart: more than any student who does nothing could know.
Not covered: which nulls there are and what they are called (`nulls`). Imports nothing of bareme: it runs in a sandbox.
"""

import copy
import functools
import math
import pickle
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

Scope = dict[str, Any]  # the namespace of a notebook
Function = Callable[..., Any]
PLAIN = (type(None), bool, int, float, complex, str, bytes, list, tuple, dict, set)
SEED = 3  # of the noise


def filled(value: Any, number: float) -> Any:
    """Something built like `value` in which every number is `number` and every string empty."""
    if _is_array(value):
        return _like(value, number)
    if isinstance(value, list | tuple | set):
        return type(value)(filled(item, number) for item in value)
    if isinstance(value, dict):
        return {key: filled(item, number) for key, item in value.items()}
    if isinstance(value, str | bytes):
        return type(value)()
    return _number(type(value), number) if isinstance(value, bool | int | float | complex) else value


def averaged(value: Any) -> Any:
    """Every array full of its own mean, every number a half: its mean would be the answer."""
    if _is_array(value):
        count = math.prod(value.shape)
        return _like(value, float(value.sum()) / count if count > 1 and _sums(value) else 0.5)
    if isinstance(value, list | tuple):
        return type(value)(averaged(item) for item in value)
    return filled(value, 0.5)


def noise(value: Any, chance: random.Random) -> Any:
    """Random numbers where `value` has numbers."""
    if _is_array(value):
        numbers = [chance.random() for _ in range(math.prod(value.shape))]
        return _from_list(value, numbers)
    if isinstance(value, list | tuple):
        return type(value)(noise(item, chance) for item in value)
    return chance.random() if isinstance(value, float) else filled(value, 1)


class Stage:
    """The entry points of one notebook: what they were, and what they are replaced by."""

    def __init__(self, scope: Scope, names: Sequence[str]) -> None:
        self._scope = scope
        self._names = names
        self._right: Scope = {}
        self._nulls: Scope = {}
        self._examples: Scope = {}

    def watch(self) -> None:
        """Remember the first answer of each function defined since: that of the statement's example."""
        for name in self._names:
            right = self._scope.get(name)
            if name not in self._right and right is not None:
                self._right[name] = right
                if callable(right) and not isinstance(right, type):
                    self._scope[name] = self._remembering(name, right)

    def install(self, kind: str) -> None:
        """Replace every entry point by a null of `kind`."""
        self._scope.update(self._right)  # watched no more
        chance = random.Random(SEED)  # noqa: S311  # the same noise every time
        self._nulls = {
            name: null(kind, functools.partial(self._ask, right), self._examples.get(name), chance)
            for name, right in self._right.items()
        }
        self._scope.update(self._nulls)

    def recite(self, path: str) -> None:
        """Replace every entry point by one that knows the calls in the file at `path` by heart, and no others."""
        known: dict[str, dict[str, Any]] = {name: {} for name in self._names}
        for name, args, kwargs, value in pickle.loads(Path(path).read_bytes()):  # noqa: S301  # the audit wrote it
            known.setdefault(name, {})[key((args, kwargs))] = value
        for name in self._names:
            self._scope[name] = functools.partial(_recited, known[name])

    def _remembering(self, name: str, right: Function) -> Function:
        @functools.wraps(right)
        def remembering(*args: Any, **kwargs: Any) -> Any:
            value = right(*args, **kwargs)
            self._examples.setdefault(name, _copied(value) if is_plain(value) else None)
            return value

        return remembering

    def _ask(self, right: Function, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """The right answer, found on a copy of the arguments by functions that call the right ones."""
        own = [_copied(_real(one)) for one in args]
        self._scope.update(self._right)
        try:
            return right(*own, **{name: _copied(_real(one)) for name, one in kwargs.items()})
        finally:
            self._scope.update(self._nulls)


class Hollow:
    """An object of the solution whose methods answer like the null that returned it."""

    def __init__(self, real: Any, change: Function) -> None:
        self._real = real
        self._change = change

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        return functools.partial(_hollow_call, found, self._change) if callable(found) else self._change(found)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _hollow_call(self._real, self._change, *args, **kwargs)


def null(kind: str, ask: Function, example: Any, chance: random.Random) -> Function:
    """A function that does none of the work of the one that `ask`, given args and kwargs, gets an answer from."""
    changes: dict[str, Function] = {
        "zeros": lambda value: filled(value, 0),
        "ones": lambda value: filled(value, 1),
        "nan": lambda value: filled(value, math.nan),
        "mean": averaged,
        "noise": lambda value: noise(value, chance),
    }
    constants: dict[str, Callable[[], Any]] = {
        "nothing": lambda: None,
        "list": list,
        "dict": dict,
        "example": lambda: example,
    }
    places = {"first": 0, "second": 1, "last": -1}
    if kind in changes:
        return lambda *args, **kwargs: _changed(ask(args, kwargs), changes[kind])
    if kind in constants:
        return lambda *_args, **_kwargs: constants[kind]()
    if kind in places:
        return lambda *args, **kwargs: _argument([*args, *kwargs.values()], places[kind])
    if kind == "once":
        first = iter([True])
        return lambda *args, **kwargs: ask(args, kwargs) if next(first, False) else None
    raise ValueError(f"there is no null {kind!r}")


def key(value: Any) -> str:
    """The whole of `value` as text, the same for equal values."""
    if _is_array(value):
        content = value.tolist() if _is_tensor(value) else value.tobytes().hex()
        return f"{type(value).__name__}{value.dtype}{tuple(value.shape)}{content}"
    if isinstance(value, list | tuple):
        return f"{type(value).__name__}({','.join(map(key, value))})"
    if isinstance(value, dict):
        return f"dict({','.join(f'{key(name)}:{key(item)}' for name, item in value.items())})"
    return repr(value)


def is_plain(value: Any) -> bool:
    """Whether `value` is data throughout."""
    if isinstance(value, list | tuple | set):
        return all(map(is_plain, value))
    if isinstance(value, dict):
        return all(map(is_plain, value.values()))
    return isinstance(value, PLAIN) or _is_array(value)


def _changed(value: Any, change: Function) -> Any:
    return change(value) if is_plain(value) else Hollow(value, change)


def _hollow_call(method: Function, change: Function, *args: Any, **kwargs: Any) -> Any:
    answer = method(*map(_real, args), **{name: _real(one) for name, one in kwargs.items()})
    return _changed(answer, change)


def _recited(known: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
    """The answer known by heart, else the last of those that are."""
    return known.get(key((args, kwargs)), next(reversed(list(known.values())), None))


def _argument(given: Sequence[Any], place: int) -> Any:
    return given[min(place, len(given) - 1)] if given else None


def _real(value: Any) -> Any:
    return value._real if isinstance(value, Hollow) else value  # noqa: SLF001  # its own class


def _copied(value: Any) -> Any:
    try:
        return copy.deepcopy(value)
    except (TypeError, RuntimeError):  # a generator, a tensor that a gradient goes through: as it is
        return value


def _is_array(value: Any) -> bool:
    torch = sys.modules.get("torch")
    numpy = sys.modules.get("numpy")
    tensor = torch is not None and isinstance(value, torch.Tensor)
    return tensor or (numpy is not None and isinstance(value, numpy.ndarray | numpy.generic))


def _is_tensor(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _sums(value: Any) -> bool:
    return _is_tensor(value) or value.dtype.kind in "biuf"


def _like(value: Any, number: float) -> Any:
    """An array like `value` full of `number`, or of zeros where its type has no such number."""
    if _is_tensor(value):
        whole = not (value.is_floating_point() or value.is_complex())
        return sys.modules["torch"].full_like(value.detach(), 0 if whole and math.isnan(number) else number)
    numpy = sys.modules["numpy"]
    if value.dtype.kind not in "biufc":
        return numpy.zeros_like(value)
    return numpy.full_like(value, 0 if value.dtype.kind in "biu" and math.isnan(number) else number)


def _from_list(value: Any, numbers: list[float]) -> Any:
    if _is_tensor(value):
        torch = sys.modules["torch"]
        return torch.tensor(numbers, dtype=torch.float64).reshape(value.shape).to(value.dtype)
    if value.dtype.kind not in "biufc":
        return _like(value, 0)
    return sys.modules["numpy"].array(numbers).reshape(value.shape).astype(value.dtype)


def _number(kind: type, number: float) -> Any:
    return kind(0) if kind in (bool, int) and math.isnan(number) else kind(number)
