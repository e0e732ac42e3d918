"""Imported first of all by the process that workers are forked from: makes ready there, once, what each of them needs.

That process is started afresh, so nothing of the grader's state is in it, and it has one thread whenever it forks.
Where what it makes ready leaves threads behind, which a fork would lose, it starts over without: workers then make
themselves ready, which takes longer and comes to the same.
Where another process has it all ready already, and offers to stand in, this one hands over and only waits for its end:
multiprocessing looks at this one to know whether workers can be forked.
Not covered: when it is started and when workers are forked (`local`), who could stand in (`host.stand_in`).
"""

import gc
import importlib
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from ctypes import CDLL
from typing import Any

VARIABLE = "BAREME_PRELOAD"  # in the environment of that process, as `request` writes it
PR_SET_PDEATHSIG = 1  # linux/prctl.h
Words = Sequence[str]  # a function's module, its name, and its arguments
# Asks for a process that calls what the words say and stands in for this one; what it returns lasts as long as that
# process, and is None where there is none
StandIn = Callable[[Words], socket.socket | None]


def request(setup: Callable[..., object], *arguments: str, stand_in: StandIn | None = None) -> str:
    """What asks for the call `setup(*arguments)`, a function of a module, here or in whoever `stand_in` finds.

    Of no use to another grader.
    """
    words = (*_words(setup), *arguments)
    return json.dumps([os.getpid(), sys.path, words, stand_in and _words(stand_in)])


def make_ready(wanted: str) -> None:
    """Make the call that `wanted` asks for, and see to it that this process can be forked afterwards."""
    grader, path, setup, stand_in = json.loads(wanted)
    _end_with_parent(signal.SIGKILL)  # later it sees a pipe being closed, but not while it imports
    if os.getppid() != grader:
        os._exit(1)
    sys.path[:] = path
    if stand_in is not None and (found := call(stand_in, setup)) is not None:
        _end_with_parent(0)
        found.recv(1)  # nothing is ever said there: this is its end
        os._exit(0)
    load(setup)
    _end_with_parent(0)
    if not forkable():
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - itself, VARIABLE gone


def load(setup: Words) -> None:
    """Make the call that `setup` says, for processes that will be forked from this one."""
    gc.disable()  # of what is imported nothing is garbage, and looking for it takes a quarter of the time
    with suppress(Exception):  # whatever it is: the first worker that needs the same meets it again, and says so
        call(setup)
    gc.enable()
    gc.collect()
    gc.freeze()  # a collection in a worker leaves these pages as they are: shared


def call(words: Words, *more: object) -> Any:
    """What the function returns that `words` name, called with theirs and with `more` arguments."""
    module, function, *arguments = words
    return getattr(importlib.import_module(module), function)(*arguments, *more)


def _words(function: Callable[..., object]) -> Words:
    return function.__module__, function.__qualname__


def _end_with_parent(number: int) -> None:
    CDLL(None).prctl(PR_SET_PDEATHSIG, number)


def forkable() -> bool:
    """Whether there is one thread left. OpenBLAS ends its own, idle ones before any fork, so we look after one."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return len(os.listdir("/proc/self/task")) == 1  # noqa: PTH208 - names of threads, no paths


if VARIABLE in os.environ:
    make_ready(os.environ.pop(VARIABLE))
