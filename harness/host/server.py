"""The host: waits for commands of its own user, forks what they need, ends when it is not wanted.

One thread, and nothing of a course is ever loaded here: what one check read, no other sees.
Not covered: a check (`worker`), a run (`command`), where its workers come from (`stand_in`), fork servers for kernels
(`kernels`), how the process came to be (`__main__`).
"""

import ctypes
import gc
import importlib
import os
import selectors
import signal
import socket
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from harness.host import bounds, frames, worker
from harness.host.command import act
from harness.host.family import Family
from harness.host.kernels import Keepers
from harness.host.place import Place, peer
from harness.host.stand_in import stand_in
from harness.host.wanted import Wanted

IDLE_S = 15 * 60.0  # a student who works on a notebook checks more often than that
ASK_S = 1.0  # for a command to say what it wants; it does so at once
ENDING_S = 10.0  # for children that were told to end; then they are killed
READ_BYTES = 64 * 1024
GONE = 0x400 | 0x800 | 0x200 | 0x40  # IN_DELETE_SELF, IN_MOVE_SELF, IN_DELETE, IN_MOVED_FROM of linux/inotify.h
STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Host:
    """The host's only thread: waits for events, and acts on each at once."""

    def __init__(self, place: Place, lock: int, *, made_of: str, wanted: Wanted | None) -> None:
        """Open the door at `place`, whose `lock` is held; `made_of` is this host's identity.

        A fork server is begun to be started if one is `wanted` already.
        """
        self._made_of = made_of
        self._since = datetime.now(UTC)
        self._busy = 0  # checks that are being made now, and runs that hold the host
        self._runs: set[socket.socket] = set()  # a connection each, whose end is the run's
        self._to_import: list[str] = []  # modules that a check had to import, while there is none
        self._events = selectors.DefaultSelector()
        self._place = place
        self._door = ExitStack()  # closed when no further check is taken on; children do not hold it
        self._door.callback(os.close, lock)
        self._listening = self._door.enter_context(place.listen())
        self._socket = place.file("socket").stat()
        self._family = Family(self._events, let_go=self._let_go)
        self._keepers = Keepers(self._family)
        self._on(self._listening.fileno(), self._accept)
        self._signals = signals()
        self._on(self._signals, self._signalled)
        self._watch = watch(place.path)
        self._on(self._watch, self._look_around)
        if wanted is not None:
            self._keepers.want(wanted)

    def serve(self) -> None:
        """Until nobody has asked for long enough, the folder has gone, the code has changed, or somebody says so."""
        while self._open or self._busy:
            if self._busy:
                self._act(None)
            elif self._to_import and not self._act(0.0):
                load([self._to_import.pop(0)])  # one at a time: commands are heard in between
            elif not self._to_import and not self._act(IDLE_S):
                self._close()
        self._family.signal(signal.SIGTERM)
        while self._family:
            if not self._act(ENDING_S):
                self._family.signal(signal.SIGKILL)

    @property
    def _open(self) -> bool:
        return self._listening.fileno() >= 0

    def _on(self, descriptor: int, act: Callable[[], None]) -> None:
        self._events.register(descriptor, selectors.EVENT_READ, act)

    def _act(self, timeout_s: float | None) -> bool:
        """Do what the next events ask for; False when there were none in time."""
        happened = self._events.select(timeout_s)
        for key, _ in happened:
            key.data()
        return bool(happened)

    def _close(self) -> None:
        """Take on no further check, and make room for another host."""
        if self._open:
            self._events.unregister(self._listening)
            if self._reachable():
                self._place.file("socket").unlink()
            self._door.close()

    def _stop(self) -> None:
        """End at once: the checks that are being made as well, which their commands then make by themselves.

        Runs go on: with their workers, and with fork servers of their own.
        """
        self._busy = 0
        self._close()

    def _signalled(self) -> None:
        os.read(self._signals, READ_BYTES)
        self._stop()

    def _look_around(self) -> None:
        """Something in the folder has gone; nobody can come in when it was the socket, or the folder itself."""
        os.read(self._watch, READ_BYTES)
        if not self._reachable():
            self._close()

    def _reachable(self) -> bool:
        try:
            return os.path.samestat((self._place.path / self._place.name("socket")).lstat(), self._socket)
        except FileNotFoundError:
            return False

    def _accept(self) -> None:
        connection, _ = self._listening.accept()
        with connection, suppress(OSError):  # who asks and does not wait for the answer has not asked
            connection.settimeout(ASK_S)
            if peer(connection)[1] == os.geteuid():
                self._answer(connection, next(frames.received(connection), {}))

    def _answer(self, connection: socket.socket, asked: Mapping[str, Any]) -> None:
        match asked:
            case {"ask": "check" | "stand in" | "act" | "run"} if asked.get("identity") != self._made_of:
                self._close()
                frames.send(connection, {"refused": "this host is made of other files", "stays": False})
            case {"ask": "stand in" | "act" | "run"} if not held_alike(connection):
                frames.send(connection, {"refused": "this host is held by other limits", "stays": True})
            case {"ask": "check", "request": request}:
                self._check(connection, request)
            case {"ask": "stand in"}:
                self._family.fork(partial(stand_in, connection, asked), hear=self._learn, stays=True)
            case {"ask": "act"}:
                self._family.fork(partial(act, connection, asked), hear=self._learn, stays=True)
            case {"ask": "run", "wanted": wanted}:
                self._lend(connection, wanted and Wanted(**wanted))
            case {"ask": "status"}:
                frames.send(connection, self._facts())
            case {"ask": "stop"}:
                self._stop()
                frames.send(connection, {"stopping": os.getpid()})

    def _facts(self) -> dict[str, Any]:
        facts = {"pid": os.getpid(), "since": self._since.isoformat(), "memory_bytes": memory_bytes()}
        return {**facts, **self._keepers.facts()}

    def _check(self, connection: socket.socket, request: Mapping[str, Any]) -> None:
        work = partial(worker.work, connection, request, self._keepers.addresses())
        self._family.fork(work, hear=self._learn, ended=self._done)
        self._busy += 1

    def _lend(self, connection: socket.socket, wanted: Wanted | None) -> None:
        """Tell a run which fork server it may use, if any, and keep that until the connection ends."""
        address = None if wanted is None else self._keepers.addresses().get(wanted.digest)
        frames.send(connection, {"accepted": os.getpid(), "address": address})
        run = connection.dup()
        self._runs.add(run)
        self._on(run.fileno(), partial(self._returned, run, wanted))
        self._busy += 1
        if wanted is not None:
            self._keepers.hold(wanted)

    def _returned(self, run: socket.socket, wanted: Wanted | None) -> None:
        """A run is over: the next like it finds a fork server."""
        self._events.unregister(run.fileno())
        self._runs.remove(run)
        run.close()
        self._done()
        if wanted is not None:
            self._keepers.let_go(wanted)
            if self._open:
                self._keepers.want(wanted)

    def _learn(self, said: Mapping[str, Any]) -> None:
        """What a check had to do for itself, the next one shall find done."""
        self._to_import += said["imported"]
        if said["wanted"] is not None:
            self._keepers.want(Wanted(**said["wanted"]))

    def _done(self) -> None:
        self._busy = max(0, self._busy - 1)

    def _let_go(self) -> None:
        """In a child: what is the host's alone."""
        self._door.close()
        for run in self._runs:
            run.close()


def held_alike(connection: socket.socket) -> bool:
    """Whether what is forked here is held by the same as the command at the other end."""
    try:
        return bounds.alike(bounds.of(peer(connection)[0]), bounds.of(os.getpid()))
    except OSError:  # it has rights that the host has not, or has ended
        return False


def load(modules: Iterable[str]) -> None:
    """Import `modules`, for workers to share."""
    for name in modules:
        with suppress(Exception):  # one that does not import by itself is imported by the check that wants it
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # the collector leaves these objects alone from now on, so that workers need no copies of their pages


def memory_bytes() -> int:
    """What this process and its children hold, pages that they share counted once where the system tells."""
    total = 0
    for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            try:
                total += process.memory_full_info().pss
            except psutil.AccessDenied:
                total += process.memory_info().rss
    return total


def signals() -> int:
    """A descriptor that becomes readable when this process is told to end."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    for number in STOPPING:
        signal.signal(number, lambda *_: None)
    return reading


def watch(folder: Path) -> int:
    """A descriptor that becomes readable when something in `folder`, or the folder itself, goes away."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor: int = libc.inotify_init1(os.O_CLOEXEC)
    if descriptor < 0 or libc.inotify_add_watch(descriptor, os.fsencode(folder), GONE) < 0:
        raise OSError(ctypes.get_errno(), "the folder cannot be watched", str(folder))
    return descriptor
