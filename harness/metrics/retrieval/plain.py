"""Plain values from a notebook as ids and numbers: what is one, exactly, and how it is shown in a sentence.

Not covered: what an answer as a whole looks like (`answers`).
"""

import sys
from typing import Any

import numpy as np

Id = int | str
Floats = np.ndarray[Any, np.dtype[np.float64]]

SHOWN_CHARS = 60  # of one id in a sentence: enough to find it, too short to flood a page
SHOWN_BITS = 200  # of one whole number in a sentence


def identifier(value: object) -> Id | None:
    """`value` as the id of a document or a query, None where it is none.

    Ids are whole numbers or texts, and the kind counts: 1 is not "1". NumPy's whole numbers, and arrays and tensors
    that hold a single one without a dimension, are whole numbers. True and 1.0 are no ids.

    >>> identifier(np.int32(3)), identifier("3"), identifier(True), identifier(3.0)
    (3, '3', None, None)
    """
    if isinstance(value, str):
        return str(value)
    if type(value) is int:
        return value
    whole = as_array(value)
    return int(whole) if whole is not None and whole.ndim == 0 and whole.dtype.kind in "iu" else None


def number(value: object) -> float | None:
    """`value` as float64, None where it is no number; a whole number beyond float64 is infinite. True is no number.

    >>> number(2), number(np.float16(0.5)), number(10**400), number("2"), number(True)
    (2.0, 0.5, inf, None, None)
    """
    if type(value) is float:
        return value
    if type(value) is int:
        try:
            return float(value)
        except OverflowError:
            return float("inf") if value > 0 else float("-inf")
    real = reals(value)
    return float(real) if real is not None and real.ndim == 0 else None


def reals(value: object) -> Floats | None:
    """An array, a tensor or one of NumPy's scalars as float64; None where it does not hold real numbers."""
    array = as_array(value)
    return array.astype(np.float64) if array is not None and array.dtype.kind in "iuf" else None


def as_array(value: object) -> np.ndarray[Any, Any] | None:
    """A dense array of NumPy or torch, whose narrow floats become float64 as NumPy lacks some. None for all else."""
    if isinstance(value, np.ndarray | np.generic):
        return np.asarray(value)
    torch: Any = sys.modules.get("torch")  # not imported: then nothing of it can be here
    if torch is None or not isinstance(value, torch.Tensor) or value.layout != torch.strided:
        return None
    plain = value.detach().cpu()
    found: np.ndarray[Any, Any] = (plain.double() if plain.is_floating_point() else plain).numpy()
    return found


def shown(value: object) -> str:
    """One id or number as it stands in a sentence: short, on one line, without control characters.

    >>> shown("a\\nb"), shown(7), shown([7])
    ("'a\\\\nb'", '7', 'list')
    """
    if isinstance(value, str):
        return repr(str(value[:SHOWN_CHARS])) + ("…" if len(value) > SHOWN_CHARS else "")
    if isinstance(value, int):
        return repr(value) if value.bit_length() <= SHOWN_BITS else f"<int, {value.bit_length()} bits>"
    plain = number(value)
    return type(value).__name__[:SHOWN_CHARS] if plain is None else repr(plain)
