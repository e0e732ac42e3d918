"""Keeps a fork server alive for a run: starts it, sees its death and that it works no more, replaces it.

The socket that workers connect to is the owner's: it outlives every server, and whoever connects while one is being
replaced waits in its queue for the next. It has no name on disk; its address leads through /proc, which lets only the
same user and root pass, and goes with the owner.
A server that has ended is seen at once. One that is frozen, or has no memory left to start anything, is seen because a
program is started on trial every few seconds. It is ended, and with it all programs that it has started: those say so
(`outside`), and their submissions are run again.
Not covered: what the server does (`server`), whose fault the end of a program is (`kernel`).
"""

import json
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from harness.course import Limits
from harness.errors import SandboxUnavailable
from harness.sandbox.bubblewrap import Begun, Bubblewrap
from harness.sandbox.contract import Program
from harness.sandbox.inside import START
from harness.sandbox.obstacles import remedy
from harness.sandbox.process import LAST_WORDS_BYTES, readable, said_of
from harness.sandbox.warm.contract import Warmth
from harness.sandbox.warm.outside import COLD, ServerEnded, first_readable, try_out

INSIDE = ("server.py", "nest.py", "linux.py", "pages.py", "parcel.py")  # files of this package that run inside
FOLDER = "warm"  # where they lie there, among the trusted files
RESOURCES = {"RLIMIT_CORE": 0}  # all others are set for each program, and could not be raised again
PREPARE_S = 120.0  # for all imports: 2 s as a rule
TRIAL_EVERY_S = 2.0  # 0.02 s of work each; what fails meanwhile has to be run again
SILENT_S = 15.0  # for a trial: milliseconds, but also where every processor is busy with programs of students
ASKED_TO_END = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
TRIES = 3  # servers in a row that could not start a program


@dataclass(frozen=True, slots=True)
class _Server:
    """One fork server that has been begun."""

    begun: Begun
    root: int  # pidfd of its PID 1


class ForkServer:
    """A fork server and its successors, as one."""

    def __init__(self, warmth: Warmth, *, secrets: Sequence[Path]) -> None:
        """Begin to start it; `secrets` are files and folders that no program may ever see."""
        self.warmth = warmth
        self.replaced = 0  # servers that had to be
        self._sandbox = Bubblewrap(secrets=secrets)
        self._owner = os.getpid()
        self._closing = ExitStack()
        self._listener = self._closing.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        place = _bind(self._listener)
        self._closing.callback(os.close, place)
        self.address = f"/proc/{self._owner}/fd/{place}"
        self._stop, self._stopping = self._closing.enter_context(_pipe())
        self._failure: SandboxUnavailable | None = None
        self._settled = threading.Event()  # whether it works is known
        # the system ends the server together with the thread that started it
        self._thread = threading.Thread(target=self._keep, name="fork server", daemon=True)
        self._thread.start()
        self._closing.callback(self._end_thread)  # first of all that is closed

    def wait(self) -> None:
        """Return once programs can be started.

        Raises:
            SandboxUnavailable: they cannot be, on this machine, or no more.
        """
        self._settled.wait()
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """End the server and everything that it has started; of no effect the second time, and in a forked child."""
        if os.getpid() == self._owner:
            self._closing.close()

    def _end_thread(self) -> None:
        os.write(self._stopping, b".")
        self._thread.join()

    def _keep(self) -> None:
        """Have servers until told to stop or until no more can be had; then let nobody wait for another."""
        failure = SandboxUnavailable("The fork server was closed", remedy=COLD)
        try:
            self._succession()
        except SandboxUnavailable as error:
            failure = error
        finally:
            self._failure = failure
            self._settled.set()
            _refuse(self._listener)

    def _succession(self) -> None:
        """Have one server after the other until told to stop.

        Raises:
            SandboxUnavailable: the first does not start, or `TRIES` in a row.
        """
        failed = 0
        while True:
            try:
                with self._begun() as server:
                    self._try_out(server)
                    failed = 0
                    self._settled.set()
                    self._watch(server)
            except (SandboxUnavailable, ServerEnded, OSError) as error:
                failed += 1
                useless = failed == TRIES or not self._settled.is_set()
                if useless and not readable(self._stop, 0.0):
                    raise _unavailable(error) from error
            if readable(self._stop, 0.0):
                return
            self.replaced += 1

    @contextmanager
    def _begun(self) -> Iterator[_Server]:
        """A server that is ready; it is ended afterwards, with all that it has started."""
        begun = self._sandbox.begin(
            program(self.warmth, listener=self._listener.fileno()),
            resources=RESOURCES,
            nesting=True,
            inherited=(self._listener.fileno(),),
        )
        with ExitStack() as ending:
            ending.callback(begun.pipes.close)
            ending.callback(begun.end_outermost)
            server = _Server(begun, os.pidfd_open(begun.root))
            ending.callback(os.close, server.root)
            ending.callback(_end, server)
            begun.pipes.handshake.send(b"!")
            self._await_ready(server)
            yield server

    def _await_ready(self, server: _Server) -> None:
        """Return when it has prepared, or we are told to stop."""
        pipes, words = server.begun.pipes, ""
        while found := first_readable((self._stop, pipes.ready, pipes.errors), PREPARE_S):
            words = (words + said_of(pipes))[-LAST_WORDS_BYTES:]  # a full pipe would hold it up
            if self._stop in found or (pipes.ready in found and os.read(pipes.ready, 1)):
                return
            if pipes.ready in found:
                break
        words = words or ("it ended" if found else f"not ready after {PREPARE_S:g} s")
        raise SandboxUnavailable(f"The fork server cannot be started: {words}", remedy=remedy(words).en)

    def _watch(self, server: _Server) -> None:
        """Return when it has ended or is no longer wanted; raises when it works no more."""
        while not first_readable((server.root, self._stop), TRIAL_EVERY_S):
            said_of(server.begun.pipes)  # nobody reads it; a full pipe would hold it up
            self._try_out(server)

    def _try_out(self, server: _Server) -> None:
        """Have it start a program.

        Raises:
            SandboxUnavailable: it cannot.
            ServerEnded: it has ended, or we are told to stop.
        """
        try_out(self.address, self.warmth, seconds=SILENT_S, unless=(server.root, self._stop))


def program(warmth: Warmth, *, listener: int) -> Program:
    """The fork server as a sandbox runs it."""
    folder = files(__package__)
    ours = {f"{FOLDER}/{name}": folder.joinpath(name).read_bytes() for name in INSIDE}
    settings = {"start": START, "module": warmth.module, "settings": warmth.settings, "listener": listener}
    return Program(
        module=f"{FOLDER}/{INSIDE[0]}",
        arguments=(json.dumps(settings),),
        trusted={**warmth.trusted, **ours},
        files={},
        packages=warmth.packages,
        limits=Limits(),
        device=warmth.device,
    )


def _bind(listener: socket.socket) -> int:
    """Let `listener` be connected to: a descriptor of its place, of which nothing is left on disk."""
    with _uninterrupted(), tempfile.TemporaryDirectory(prefix="bareme-") as folder:  # that nobody else may enter
        listener.bind(f"{folder}/fork")
        listener.listen(socket.SOMAXCONN)  # all workers at once, so that none is ever sent away
        return os.open(f"{folder}/fork", os.O_PATH)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """What asks this process to end waits: raised while a folder is being removed, it would leave the folder there."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ASKED_TO_END)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    try:
        yield reading, writing
    finally:
        os.close(reading)
        os.close(writing)


def _end(server: _Server) -> None:
    """SIGKILL to the server and everything that it has started; return when they are gone."""
    with suppress(ProcessLookupError):  # it has ended by itself
        signal.pidfd_send_signal(server.root, signal.SIGKILL)
    readable(server.root, None)  # once every process of the namespace is gone


def _refuse(listener: socket.socket) -> None:
    """End the connections that wait, and let nobody connect any more, whoever else holds a copy of `listener`."""
    listener.shutdown(socket.SHUT_RDWR)
    listener.setblocking(False)
    with suppress(OSError):  # when none is left
        while True:
            listener.accept()[0].close()
    listener.close()


def _unavailable(error: Exception) -> SandboxUnavailable:
    if isinstance(error, SandboxUnavailable):
        return error
    return SandboxUnavailable(f"The fork server cannot be started: {error}", remedy=COLD)
