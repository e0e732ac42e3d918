"""Checkpoint files: written whole or not at all, read whole or not at all.

A file is what `torch.save` writes for a mapping of names to tensors, followed by its SHA-256 digest (32 bytes). Covers
torn and damaged files. Not covered: someone who damages a file and its digest on purpose (what is read can then be any
tensors, but no code runs), a disk that loses what it has confirmed.
"""

import hashlib
import os
import pickle
import struct
from io import BytesIO
from pathlib import Path

import torch
from jaxtyping import Shaped
from torch import Tensor

from reference.checked import checked
from reference.training.state import State

DIGEST_BYTES = 32
REFUSALS = (  # what torch.load raises at bytes that are no archive, or one with something unexpected inside
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
    struct.error,
)


@checked
def save_checkpoint(path: Path, state: State) -> None:
    """Write `state` to `path`, so that at every moment the file there is the old one or the new one, complete.

    The bytes go to `path` + ".partial" beside it first, and take the name `path` once the disk has them. What is left
    there by a write that was cut short is overwritten by the next. Tensors are stored on the CPU, without gradients.

    Source: Pillai et al. 2014, All File Systems Are Not Created Equal, OSDI (write, flush to disk, rename).

    Args:
        path: in a folder that exists; a file there is replaced.
        state: tensors by name.
    Raises:
        OSError: the folder does not exist, is not writable or full; an older file at `path` is untouched.

    Cost: O(N) time and memory for N bytes of tensors.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_checkpoint(Path(folder) / "last.pt", {"w": torch.ones(2)})
    ...     load_checkpoint(Path(folder) / "last.pt")
    {'w': tensor([1., 1.])}
    """
    buffer = BytesIO()
    torch.save({name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in state.items()}, buffer)
    payload = buffer.getvalue()
    partial = path.with_name(f"{path.name}.partial")
    try:
        _write(partial, payload + hashlib.sha256(payload).digest())
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@checked
def load_checkpoint(path: Path) -> dict[str, Shaped[Tensor, "..."]]:
    """Read what `save_checkpoint` wrote, or refuse the file.

    The digest is held before anything is unpickled; then only plain tensors are accepted (`weights_only`).

    Source: FIPS 180-4, Secure Hash Standard (SHA-256, over all that precedes the digest).

    Args:
        path: a file written by `save_checkpoint`.
    Returns:
        Tensors by name, on the CPU.
    Raises:
        ValueError: the file is torn or damaged, or holds something else than tensors by name.
        OSError: there is no file at `path`, or it cannot be read.

    Cost: O(N) time and memory for N bytes.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     load_checkpoint(Path(file.name))
    Traceback (most recent call last):
    ValueError: checkpoint: expected a whole file that save_checkpoint wrote, got one of 0 bytes without its digest
    """
    content = path.read_bytes()
    payload, digest = content[:-DIGEST_BYTES], content[-DIGEST_BYTES:]
    if hashlib.sha256(payload).digest() != digest:
        got = f"one of {len(content)} bytes without its digest"
        raise ValueError(f"checkpoint: expected a whole file that save_checkpoint wrote, got {got}")
    try:
        state = torch.load(BytesIO(payload), map_location="cpu", weights_only=True)
    except REFUSALS as error:
        raise ValueError("checkpoint: expected tensors by name, got a file that torch.load refuses") from error
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()
    ):
        raise ValueError(f"checkpoint: expected tensors by name, got {type(state).__name__} of something else")
    return state
