"""Hold one answer against the oracle's: built alike, of the same kind, equal or as close as rounding allows.

Rules, in full:
- None, bool, int, str and bytes are equal or wrong. A bool is no integer; an integer may stand for a float.
- Lists and tuples stand for each other; arrays and tensors stand for each other, and for a number when they have no
  dimensions. A list does not stand for an array: the statement says which one is asked.
- A float may differ by rtol·(|expected| + scale), where scale is the largest finite magnitude of the expected array
  (or, outside arrays, of all expected floats). The absolute part thus vanishes with the expected values, and as rtol
  is below 0.1, zeros never pass for anything but zeros.
- NaN is right only where NaN is expected, an infinity only where that infinity is.

Not covered: objects that stay in the kernel, and answers drawn at random (`samplers`).
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.checks.failures import Mismatch
from harness.checks.show import array_of, at, brief, is_tensor
from harness.records import Text

Path = tuple[Any, ...]
Array = np.ndarray[Any, Any]
EPSILON = {"bfloat16": 2.0**-7}  # spacing of floats at 1, for the type that NumPy lacks
# One rounding per term of a sum grows like a random walk, so like the root of their number (Higham and Mary 2019). The
# factor covers the few operations around the sum (exp, log, a division) and unlucky signs: 6 of 53 bits for float64.
ROUNDINGS = 64
TERMS = 1024  # longer than the sums of an ordinary exercise; still 100,000 times finer than float32 for float64
WIDEST = 0.1  # beyond that a tolerance checks nothing
KINDS = {
    "b": Text("booléen", "boolean"),
    "i": Text("entier", "integer"),
    "f": Text("réel", "float"),
    "c": Text("complexe", "complex"),
    "U": Text("chaîne", "string"),
    "S": Text("octets", "bytes"),
}
WELCOME = {"b": "b", "i": "i", "f": "fi", "c": "cfi", "U": "U", "S": "S"}  # kind expected -> kinds taken for it
NAMES = {
    type(None): Text("None", "None"),
    bool: Text("un booléen", "a boolean"),
    int: Text("un entier", "an integer"),
    float: Text("un réel", "a float"),
    complex: Text("un complexe", "a complex number"),
    str: Text("une chaîne", "a string"),
    bytes: Text("des octets", "bytes"),
    list: Text("une liste", "a list"),
    tuple: Text("un n-uplet", "a tuple"),
    dict: Text("un dictionnaire", "a dictionary"),
}


def tolerance(dtype: str = "float64", *, terms: int = TERMS) -> float:
    """The relative difference that rounding explains in a sum of `terms` numbers of type `dtype`: 64·eps·√terms.

    Raises:
        ValueError: nothing would be checked any more; state a tolerance of your own, with its reason.

    >>> tolerance("float64", terms=1)
    1.4210854715202004e-14
    """
    epsilon = EPSILON.get(dtype) or float(np.finfo(dtype).eps)
    return _sane(ROUNDINGS * epsilon * math.sqrt(terms))


def difference(actual: Any, expected: Any, *, exact: bool = False, rtol: float | None = None) -> Text | None:
    """What is wrong with `actual`, as the second half of a sentence, or None when it is right.

    Raises:
        ValueError: `rtol` is not between 0 and 0.1.
        TypeError: `expected` is not plain data.
    """
    judge = _Judge(exact=exact, rtol=None if rtol is None else _sane(rtol), scale=_scale(_floats(expected)))
    try:
        judge.hold(actual, expected, ())
    except _Unlike as unlike:
        return unlike.text
    return judge.verdict()


@dataclass(frozen=True)
class Compare:
    """The fixture `compare`: raises Mismatch, in the student's terms, unless the answer is right."""

    subject: Callable[[Any], str | None]  # the call that returned this very value, where one did

    def __call__(
        self, actual: Any, expected: Any, *, exact: bool = False, rtol: float | None = None, what: str | None = None
    ) -> None:
        """Hold `actual`, which the student's code returned, against `expected`.

        Args:
            actual, expected: plain data; see the rules at the top of this module.
            exact: floats too must be equal.
            rtol: relative tolerance of floats; by default `tolerance` of the expected type.
            what: what the answer is, when it is not what one call returned: "loss after 3 steps".
        """
        found = difference(actual, expected, exact=exact, rtol=rtol)
        if found is not None:
            raise Mismatch(about(what or self.subject(actual), found))


def about(subject: str | None, found: Text) -> Text:
    """A whole sentence: what was called, and what is wrong with its answer."""
    french, english = (f"`{subject}`",) * 2 if subject else ("Votre réponse", "Your answer")
    return Text(f"{french} : {found.fr}", f"{english}: {found.en}")


class _Unlike(Exception):
    """The two values are not built alike."""

    def __init__(self, path: Path, fr: str, en: str) -> None:
        where = Text(f"en {at(path)}, ", f"at {at(path)}, ") if path else Text("", "")
        super().__init__(en)
        self.text = Text(f"{where.fr}{fr}.", f"{where.en}{en}.")


@dataclass
class _Judge:
    """Walks both values side by side and keeps count of what differs."""

    exact: bool
    rtol: float | None
    scale: float  # of expected floats outside arrays
    total: int = 0  # values held against each other
    wrong: int = 0
    first: tuple[Path, Any, Any] | None = None  # where, expected, got
    gaps: list[tuple[float, Path, bool]] = field(default_factory=list)  # size, where, whether of integers

    def hold(self, actual: Any, expected: Any, path: Path) -> None:
        """Compare `actual` with `expected`, which lie at `path`."""
        if _is_array(expected):
            self._array(actual, expected, path)
        elif isinstance(expected, list | tuple):
            self._sequence(actual, expected, path)
        elif isinstance(expected, Mapping):
            self._mapping(actual, expected, path)
        else:
            self._leaf(actual, expected, path)

    def verdict(self) -> Text | None:
        """The sentence about wrong values, None when there are none."""
        if self.first is None:
            return None
        path, expected, got = self.first
        where = Text(f"en {at(path)} : ", f"at {at(path)}: ") if path else Text("", "")
        pair = Text(
            f"{where.fr}attendu {brief(expected)}, obtenu {brief(got)}",
            f"{where.en}expected {brief(expected)}, got {brief(got)}",
        )
        extent = self._extent()
        return Text(f"{pair.fr}{extent.fr}.", f"{pair.en}{extent.en}.")

    def _extent(self) -> Text:
        """How many values differ, and by how much at most."""
        if self.total == 1:
            return Text("", "")
        fr = f"valeurs fausses : {self.wrong} sur {self.total}"
        en = f"{self.wrong} of {self.total} values differ"
        if self.gaps:
            size, path, whole = max(self.gaps, key=lambda gap: gap[0])
            shown = f"{size:.0f}" if whole and size < 1e15 else f"{size:.3g}"
            fr += f" ; plus grand écart : {shown} en {at(path)}"
            en += f"; largest difference {shown} at {at(path)}"
        return Text(f" ({fr})", f" ({en})")

    def _sequence(self, actual: Any, expected: Sequence[Any], path: Path) -> None:
        if not isinstance(actual, list | tuple):
            raise _type_error(actual, expected, path)
        if len(actual) != len(expected):
            raise _Unlike(
                path,
                f"longueur attendue : {len(expected)}, obtenue : {len(actual)}",
                f"expected length {len(expected)}, got {len(actual)}",
            )
        for index, pair in enumerate(zip(actual, expected, strict=True)):
            self.hold(*pair, (*path, index))

    def _mapping(self, actual: Any, expected: Mapping[Any, Any], path: Path) -> None:
        if not isinstance(actual, Mapping):
            raise _type_error(actual, expected, path)
        for key in expected:
            if key not in actual:
                raise _Unlike(path, f"la clé {brief(key)} manque", f"the key {brief(key)} is missing")
        for key in actual:
            if key not in expected:
                raise _Unlike(path, f"la clé {brief(key)} est en trop", f"the key {brief(key)} should not be there")
        for key, value in expected.items():
            self.hold(actual[key], value, (*path, key))

    def _leaf(self, actual: Any, expected: Any, path: Path) -> None:
        got, want = _scalar(actual), _scalar(expected)
        if type(want) not in NAMES:
            raise TypeError(f"the expected value at {at(path) or 'the top'} is {type(want).__name__}, not plain data")
        if not _same_kind(got, want):
            raise _type_error(actual, expected, path)
        self.total += 1
        if isinstance(want, float | complex):
            number = np.array(_as_inexact(got)), np.array(want)
            self._count(*number, self._far(*number, _rtol(self.rtol, "float64"), self.scale), path)
        elif got != want:
            self.wrong += 1
            self.first = self.first or (path, want, got)
            if isinstance(want, int) and not isinstance(want, bool):
                self.gaps.append((float(min(abs(got - want), 2**1000)), path, True))

    def _array(self, actual: Any, expected: Any, path: Path) -> None:
        want = _as_array(expected)
        if not _is_array(actual) and not (want.ndim == 0 and type(_scalar(actual)) in {bool, int, float, complex}):
            raise _type_error(actual, expected, path)
        got = _as_array(actual)
        if got.shape != want.shape:
            raise _Unlike(
                path,
                f"forme attendue : {want.shape}, obtenue : {got.shape}",
                f"expected shape {want.shape}, got {got.shape}",
            )
        if _kind(got) not in WELCOME[_kind(want)]:
            raise _type_error(actual, expected, path)
        self.total += want.size
        inexact = _kind(want) in "fc"
        rtol = _rtol(self.rtol, _dtype(expected)) if inexact and not self.exact else 0.0
        self._count(got, want, self._far(got, want, rtol, _scale([want])) if inexact else got != want, path)

    def _far(self, got: Array, want: Array, rtol: float, scale: float) -> Array:
        """Where floats are too far apart."""
        with np.errstate(all="ignore"):
            same = (got == want) | (np.isnan(want) & np.isnan(got))
            if self.exact:
                return np.asarray(~same)
            near = np.abs(got - want.astype(np.result_type(want, np.float64))) <= rtol * (np.abs(want) + scale)
        return np.asarray(~(same | (near & np.isfinite(want))))

    def _count(self, got: Array, want: Array, wrong: Array, path: Path) -> None:
        """Enter what `wrong` marks into the books."""
        if not wrong.any():
            return
        self.wrong += int(wrong.sum())
        places = np.argwhere(wrong)

        def where(row: int) -> Path:
            return (*path, tuple(map(int, places[row]))) if want.ndim else path

        first = tuple(places[0])
        self.first = self.first or (where(0), want[first], got[first])
        if _kind(want) in "ifc":
            with np.errstate(all="ignore"):
                wide = np.result_type(want, np.float64)
                gaps = np.abs(got[wrong].astype(wide) - want[wrong].astype(wide))
            gaps = np.where(np.isnan(gaps), np.inf, gaps)
            largest = int(gaps.argmax())
            self.gaps.append((float(gaps[largest]), where(largest), _kind(want) == "i"))


def _sane(rtol: float) -> float:
    if not 0 <= rtol < WIDEST:
        raise ValueError(f"rtol={rtol} checks nothing: give a relative tolerance below {WIDEST}")
    return rtol


def _rtol(given: float | None, dtype: str) -> float:
    return tolerance(dtype) if given is None else given


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) or is_tensor(value)


def _as_array(value: Any) -> Array:
    return array_of(value) if is_tensor(value) else np.asarray(value)


def _dtype(value: Any) -> str:
    return str(value.dtype).removeprefix("torch.")


def _kind(values: Array) -> str:
    return "i" if values.dtype.kind == "u" else values.dtype.kind


def _scalar(value: Any) -> Any:
    """NumPy scalars and arrays without dimensions as the Python value they hold."""
    if isinstance(value, np.generic) or (_is_array(value) and len(value.shape) == 0):
        return _as_array(value).item()
    return value


def _same_kind(got: Any, want: Any) -> bool:
    if isinstance(want, complex):
        return isinstance(got, int | float | complex) and not isinstance(got, bool)
    if isinstance(want, float):
        return isinstance(got, int | float) and not isinstance(got, bool)
    return type(got) is type(want)


def _as_inexact(number: Any) -> Any:
    """An integer of any size as a float; too large a one is as wrong as infinity."""
    try:
        return number if isinstance(number, complex) else float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _floats(expected: Any) -> Iterator[Any]:
    """All floats in `expected` that are not in an array."""
    if isinstance(expected, list | tuple):
        for value in expected:
            yield from _floats(value)
    elif isinstance(expected, Mapping):
        yield from _floats(list(expected.values()))
    elif isinstance(_scalar(expected), float | complex):
        yield _scalar(expected)


def _scale(values: Any) -> float:
    """The largest finite magnitude, 0 when there is none."""
    magnitudes = np.abs(np.asarray(list(values)))
    finite = magnitudes[np.isfinite(magnitudes)]
    return float(finite.max()) if finite.size else 0.0


def _type_error(actual: Any, expected: Any, path: Path) -> _Unlike:
    want, got = _named(expected), _named(actual)
    return _Unlike(path, f"attendu {want.fr}, obtenu {got.fr}", f"expected {want.en}, got {got.en}")


def _named(value: Any) -> Text:
    """What `value` is, for a sentence: "an array (float)"."""
    if _is_array(value):
        kind = KINDS.get(_kind(_as_array(value)), Text(_dtype(value), _dtype(value)))
        return Text(f"un tableau ({kind.fr})", f"an array ({kind.en})")
    name = NAMES.get(type(_scalar(value)))
    shown = brief(value)
    return name or Text(f"un objet de type {shown}", f"an object of type {shown}")
