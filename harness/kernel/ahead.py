"""Libraries loaded ahead of a fork, once for many kernels, inside the kernel; and what is renewed in each child.

Covered: importing what a notebook may want; seeing that it leaves nothing that cannot be forked; randomness, secrets,
folders and variables that a library has drawn, looked up or set while it was loaded.
Not covered: the kernel itself (app), the global generators (randomness), what Linux hands down (the sandbox). Torch's
and NumPy's own generators start from a constant or from the system each time, unless a library keeps one.
"""

import gc
import importlib
import linecache
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from . import guard
from .streams import STREAMS

THREAD_S = 5.0  # for a thread that a library used while it was loaded, such as a timer that was cancelled, to end
LOOK_S = 0.001  # between two looks for it: Linux tells nobody when a thread that was not joined is gone
DRAWN = 2**64  # NumPy draws 128 bits where it is given no seed; nobody writes a seed as long as that
AUTHKEY_BYTES = 32  # as multiprocessing draws it when it is imported
ON_THE_STACK = (  # of every cell, and what torch adds when it seeds its generators
    "asyncio.base_events",
    "asyncio.events",
    "tornado.platform.asyncio",
    "ipykernel.kernelapp",
    "ipykernel.kernelbase",
    "ipykernel.ipkernel",
    "ipykernel.zmqshell",
    "IPython.core.interactiveshell",
    "IPython.core.async_helpers",
    "torch.random",
    "torch.cuda",
    "torch.cuda.random",
    "torch.mtia",
    "torch.xpu",
    "torch.xpu.random",
)

_drawn: list[random.Random] = []  # generators of Python's that were seeded by the system while something was loaded
_drawn_by_numpy: list[Any] = []  # and of NumPy's
_variables: dict[str, str] = {}  # of the environment, as libraries have set them


class Unforkable(Exception):
    """Something loaded ahead has left what two kernels cannot share."""


def load(modules: Sequence[str]) -> None:
    """Import `modules`; one that cannot be imported is left to the notebook, which then meets the same error.

    Raises:
        Unforkable: one has left a thread or an open file behind.
    """
    before = dict(os.environ)
    with STREAMS, _noting_generators():
        for name in modules:
            files = _open_files()
            try:
                importlib.import_module(name)
            except (Exception, SystemExit):  # noqa: BLE001  (whatever a library raises, the notebook shall see)
                _forget(name)
            guard.tell_later(name, STREAMS.take())
            _settle(name, files)
    _variables.update(set(os.environ.items()) - set(before.items()))


def read_sources() -> None:
    """Keep the lines that are read whenever the stack of a cell is written down.

    Tracebacks do so, and `torch.manual_seed`, three times where no GPU is in use: 4 ms.
    """
    for name in ON_THE_STACK:
        file = getattr(sys.modules.get(name), "__file__", None)
        if file is not None:
            linecache.getlines(file)


def renew() -> None:
    """In a child: let nothing be shared with its siblings that a cold kernel would have for itself."""
    os.environ.update(_variables)  # the sandbox has given it an environment of its own
    tempfile.tempdir = None  # from the environment, which was another process's
    tempfile._name_sequence = None  # type: ignore[attr-defined]  # noqa: SLF001  (its check of the PID: all have 2)
    for generator in _drawn:
        generator.seed()
    for generator in _drawn_by_numpy:
        bits = generator._bit_generator  # noqa: SLF001  (RandomState has no public name for it)
        bits.state = type(bits)().state
    if "multiprocessing.process" in sys.modules:
        sys.modules["multiprocessing.process"].current_process().authkey = os.urandom(AUTHKEY_BYTES)


def _forget(module: str) -> None:
    """A second import begins anew, as the first would have."""
    for name in [name for name in sys.modules if name == module or name.startswith(f"{module}.")]:
        del sys.modules[name]


def _settle(module: str, files: set[str]) -> None:
    """See that nothing is left which children could not share."""
    until = time.monotonic() + THREAD_S
    while (threads := len(os.listdir("/proc/self/task"))) > 1:  # noqa: PTH208  (also those unknown to Python)
        if time.monotonic() > until:
            raise Unforkable(f"the package {module} starts threads while it is imported: {threads} are running")
        time.sleep(LOOK_S)
    if _open_files() != files:
        raise Unforkable(f"the package {module} leaves files open: {', '.join(sorted(_open_files() - files))}")


def _open_files() -> set[str]:
    listed = set()
    for number in os.listdir("/proc/self/fd"):  # noqa: PTH208
        try:
            listed.add(f"{number} {os.readlink(f'/proc/self/fd/{number}')}")  # noqa: PTH115
        except FileNotFoundError:
            continue  # the listing's own descriptor
    return listed


# Generators ---------------------------------------------------------------------------------------------------------


@contextmanager
def _noting_generators() -> Iterator[None]:
    """Note each generator that is made without a seed; those with one begin alike in every cold kernel as well."""
    real = random.Random.seed

    def seed(self: random.Random, a: Any = None, version: int = 2) -> None:
        real(self, a, version)
        if a is None:
            _drawn.append(self)

    random.Random.seed = seed  # type: ignore[method-assign]
    try:
        yield
    finally:
        random.Random.seed = real  # type: ignore[method-assign]
    _note_numpys()


def _note_numpys() -> None:
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return
    for found in gc.get_objects():
        if isinstance(found, numpy.random.Generator | numpy.random.RandomState):
            seeds = found._bit_generator.seed_seq  # noqa: SLF001
            if seeds is not None and isinstance(seeds.entropy, int) and seeds.entropy >= DRAWN:
                _drawn_by_numpy.append(found)
