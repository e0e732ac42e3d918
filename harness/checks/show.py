"""Values as short Python source, and strings from student code made safe to print.

Everything here does a bounded amount of work, however large the value.
Not covered: escaping for HTML or a terminal's markup, which belongs to the page or the terminal.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from harness.kernel.contract import Handle

BRIEF_CHARS = 160  # a call inside a sentence: two lines on a terminal
BRIEF_ITEMS = 8  # of one list, dict or array inside a sentence
SOURCE_CHARS = 2000  # a counterexample: a screenful that can still be pasted into a cell
SOURCE_ITEMS = 500  # of one list, dict or array of a counterexample
DEEPEST = 12  # nested containers shown; what lies deeper becomes an ellipsis
ELLIPSIS = "…"
BREAKS = re.compile(r"[ \t\r\n\f\v]+")
FRENCH_SPACES = "\u00a0\u202f"  # not "printable" to Python, but how French is written
TERMINAL_CODE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?)")  # colours, titles, links


def clean(text: str, *, chars: int = 400) -> str:
    """`text` on one line without terminal codes, control or direction characters, cut after `chars` characters.

    >>> clean("\\x1b[31mbad\\x1b[0m\\nvalue\\x00")
    'bad value\\\\x00'
    """
    head = TERMINAL_CODE.sub("", text[: 4 * chars])
    words = BREAKS.sub(" ", head).strip()
    printable = "".join(
        c if c.isprintable() or c in FRENCH_SPACES else c.encode("unicode_escape").decode() for c in words
    )
    return printable if len(printable) <= chars and len(text) <= 4 * chars else printable[:chars] + ELLIPSIS


def brief(value: Any, *, chars: int = BRIEF_CHARS) -> str:
    """`value` as it can stand inside a sentence.

    >>> brief(list(range(100)))
    '[0, 1, 2, 3, 4, 5, 6, 7, …]'
    """
    return _cut(_written(value, BRIEF_ITEMS, chars, 0), chars)


def source(value: Any) -> str:
    """`value` as Python source that makes it again, cut only when it is longer than a screen.

    >>> source((np.zeros((0, 2)), {"k": float("inf")}))
    "(np.zeros((0, 2), dtype='float64'), {'k': float('inf')})"
    """
    return _cut(_written(value, SOURCE_ITEMS, SOURCE_CHARS, 0), SOURCE_CHARS)


def call_brief(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """A call as it can stand inside a sentence: `bigram_counts(['ab'])`."""
    share = max(24, BRIEF_CHARS // max(1, len(args) + len(kwargs)))
    shown = [brief(value, chars=share) for value in args]
    shown += [f"{key}={brief(value, chars=share)}" for key, value in kwargs.items()]
    return f"{name}({', '.join(shown)})"


def call_source(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """A call as Python source that can be pasted into a cell."""
    shown = [source(value) for value in args]
    shown += [f"{key}={source(value)}" for key, value in kwargs.items()]
    return _cut(f"{name}({', '.join(shown)})", SOURCE_CHARS)


def at(path: Sequence[Any]) -> str:
    """Where a value lies: (0, 'ab', 2) becomes `[0]['ab'][2]`, indices of one array stay together."""
    return "".join(f"[{', '.join(map(str, step))}]" if isinstance(step, tuple) else f"[{brief(step)}]" for step in path)


def _cut(text: str, chars: int) -> str:
    return text if len(text) <= chars else text[: chars - 1] + ELLIPSIS


def _written(value: Any, items: int, chars: int, depth: int) -> str:
    if depth > DEEPEST:
        return ELLIPSIS
    match value:
        case str() | bytes():
            return repr(value) if len(value) <= chars else repr(value[:chars]) + ELLIPSIS
        case bool() | None:
            return repr(value)
        case int():
            return repr(value) if value.bit_length() <= 3 * chars else f"<int of {value.bit_length()} bits>"
        case float() | np.generic():
            return _number(value)
        case np.ndarray():
            return _array(value, "np.array", items, chars)
        case list():
            return f"[{_joined(value, len(value), items, chars, depth)}]"
        case tuple():
            comma = "," if len(value) == 1 else ""
            return f"({_joined(value, len(value), items, chars, depth)}{comma})"
        case dict():
            return f"{{{_pairs(value, items, chars, depth)}}}"
        case Handle():
            return f"<{clean(value.type_name, chars=60)}>"
    if is_tensor(value):
        return _array(array_of(value), "torch.tensor", items, chars)
    return f"<{clean(type(value).__name__, chars=60)}>"


def _number(value: Any) -> str:
    plain = value.item() if isinstance(value, np.generic) else value
    finite = not isinstance(plain, float) or np.isfinite(plain)
    return repr(plain) if finite else f"float('{plain}')"


def _array(values: "np.ndarray[Any, Any]", maker: str, items: int, chars: int) -> str:
    dtype = f"torch.{values.dtype}" if maker == "torch.tensor" else f"'{values.dtype}'"
    if values.size == 0:
        return f"{maker.split('.')[0]}.zeros({values.shape}, dtype={dtype})"
    if values.size > items:
        return f"<{values.dtype} {maker.split('.')[1]} of shape {values.shape}>"
    return f"{maker}({_written(values.tolist(), items, chars, 0)}, dtype={dtype})"


def _joined(values: Iterable[Any], length: int, items: int, chars: int, depth: int) -> str:
    return _within(chars, (_written(value, items, chars, depth + 1) for value in islice(values, items)), length > items)


def _pairs(values: Mapping[Any, Any], items: int, chars: int, depth: int) -> str:
    pairs = islice(values.items(), items)
    shown = (f"{_written(k, items, chars, depth + 1)}: {_written(v, items, chars, depth + 1)}" for k, v in pairs)
    return _within(chars, shown, len(values) > items)


def _within(chars: int, parts: Iterator[str], more: bool) -> str:
    """Parts joined until there are `chars` characters; the rest is never written."""
    taken: list[str] = []
    length = 0
    for part in parts:
        if length > chars:
            more = True
            break
        taken.append(part)
        length += len(part) + 2
    return ", ".join([*taken, ELLIPSIS] if more else taken)


def is_tensor(value: Any) -> bool:
    """Whether `value` is a torch tensor, found out without importing torch."""
    return type(value).__module__ == "torch" and type(value).__name__ in {"Tensor", "Parameter"}


def array_of(value: Any) -> "np.ndarray[Any, Any]":
    """A torch tensor as a NumPy array; bfloat16, which NumPy lacks, becomes float32 without loss."""
    plain = value.detach().cpu()
    return np.asarray(plain.float().numpy() if str(plain.dtype) == "torch.bfloat16" else plain.numpy())
