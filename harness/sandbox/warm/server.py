"""The fork server: prepares once, then forks a nested sandbox for whoever connects. Runs inside a sandbox of its own.

    python ... server.py SETTINGS

SETTINGS is JSON: `start` (the start script, a trusted file), `module` (another, with a function `prepare`), `settings`
(its argument), `listener` (the descriptor of a listening socket). A client sends one byte, FORK, with three descriptors
(ready pipe, error stream, parcel), and the connection becomes the program's handshake. When the client's end of it is
closed, the nested sandbox is ended, whatever happens in there: nobody within it can see this process.

It handles no data of any submission: the parcel is opened by the child alone. It must have one thread only when it
forks, for a lock held by another thread would stay locked in the child for ever; and be the first process of its
namespace, see `linux.clone`.
Standard library only. Not covered: what is prepared (`module`), how the nested sandbox is built (`nest`).
"""

import importlib.util
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

PACKAGE = "bareme_warm"  # the name that the files beside this one have here, as a package
FORK = b"f"
DESCRIPTORS = 3  # that come with FORK
BACKLOG = 64  # connections that may wait: workers, all at once
HASH_SEED = "0"  # as a cold kernel fixes it; isolated mode ignores the environment's
LESS_READILY = "500"  # short of memory, the system ends the programs first, which say 1000, and us before others
ASKING_S = 5.0  # for a client that has connected to say what it wants: it is ours, and does so at once


def main() -> None:
    """Prepare, say that it is ready, serve until the sandbox is ended; in a forked child, be its program."""
    assert os.getpid() == 1  # noqa: S101  (bubblewrap's --as-pid-1)
    if sys.flags.hash_randomization:
        _start_over()
    os.environ.pop("PYTHONPATH", None)
    Path("/proc/self/oom_score_adj").write_text(LESS_READILY, encoding="ascii")
    settings = json.loads(sys.argv[1])
    folder = Path(__file__).parent
    standard = [path for path in sys.path if Path(path) not in folder.parents]
    package = ModuleType(PACKAGE)
    package.__path__ = [str(folder)]
    sys.modules[PACKAGE] = package
    nest, pages = (import_module(f"{PACKAGE}.{name}") for name in ("nest", "pages"))
    start = load(folder.parent / settings["start"]).main  # once for all programs: to compile it takes 4 ms
    load(folder.parent / settings["module"]).prepare(settings["settings"])
    _see_that_it_can_fork()
    pages.collapse()  # two forks a program
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nested sandboxes are not waited for
    user = os.getuid(), os.getgid()
    listener = socket.socket(fileno=settings["listener"])
    ready = int(os.environ["BAREME_READY_FD"])
    os.write(ready, b".")
    os.close(ready)
    asked = Server(listener, fork=nest.apart).serve()
    listener.detach()  # closed there: a program may come to have its number
    nest.become(*asked, user=user, path=standard)
    start()  # last of all, so that the interpreter ends with it as it would have begun with it


def _see_that_it_can_fork() -> None:
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        sys.exit("a package that was imported has started a thread: programs cannot be forked from here")
    mapping = ""
    for line in Path("/proc/self/smaps").read_text(encoding="utf-8", errors="replace").splitlines():
        name, *values = line.split()
        if not name.endswith(":"):
            mapping = line
        elif name == "VmFlags:" and "sh" in values:  # shared, and writable or to be made so; see proc(5)
            sys.exit(f"a package that was imported keeps memory that all programs would share: {mapping}")


class Server:
    """Starts nested sandboxes for those who connect, and ends each when nobody holds the other end any more."""

    def __init__(self, listener: socket.socket, *, fork: Callable[[], int | None]) -> None:
        """`fork` returns a pidfd of the child, None in it."""
        self._listener = listener
        self._fork = fork
        self._poll = select.poll()
        self._poll.register(listener, select.POLLIN)
        self._nested: dict[int, tuple[int, int]] = {}  # by either of two descriptors: connection, pidfd of its PID 1

    def serve(self) -> list[int]:
        """Serve until the sandbox is ended; returns in each child, with its connection and what came with it."""
        while True:
            ready = {number for number, _ in self._poll.poll()}
            for number in ready & self._nested.keys():
                if number in self._nested:  # the other descriptor of the same may have been among them
                    self._end(*self._nested[number])
            # last, since whoever comes may be given numbers that have just been closed
            if self._listener.fileno() in ready and (asked := self._answer()):
                return asked

    def _answer(self) -> list[int]:
        """Do what one client asks; nothing, but in the child."""
        connection, _ = self._listener.accept()
        connection.settimeout(ASKING_S)
        descriptors: list[int] = []
        try:
            asked, descriptors, _, _ = socket.recv_fds(connection, 1, DESCRIPTORS)
            if asked == FORK and len(descriptors) == DESCRIPTORS:
                init = self._forked(errors=descriptors[1])
                if init is None:
                    connection.setblocking(True)
                    return [connection.detach(), *descriptors]
                self._watch(connection.detach(), init)
        except OSError:
            pass  # the client is gone
        for number in descriptors:
            os.close(number)
        connection.close()
        return []

    def _forked(self, *, errors: int) -> int | None:
        """As `fork`; an error is the client's to know.

        Raises:
            OSError: it has been told.
        """
        try:
            return self._fork()
        except OSError as error:
            os.write(errors, f"no process could be forked: {error}".encode())
            raise

    def _watch(self, connection: int, init: int) -> None:
        self._nested[connection] = self._nested[init] = connection, init
        self._poll.register(connection, 0)  # only its end
        self._poll.register(init, select.POLLIN)

    def _end(self, connection: int, init: int) -> None:
        """End a nested sandbox, unless it has ended by itself."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(init, signal.SIGKILL)
        for number in (connection, init):
            self._poll.unregister(number)
            del self._nested[number]
            os.close(number)


def _start_over() -> None:
    variables = {**os.environ, "PYTHONHASHSEED": HASH_SEED, "PYTHONPATH": os.pathsep.join(sys.path)}
    os.execve(sys.executable, [sys.executable, "-s", "-S", "-P", "-B", *sys.argv], variables)  # noqa: S606


def load(path: Path) -> Any:
    """The module in the file at `path`."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None  # noqa: S101  # a file that is there
    assert spec.loader is not None  # noqa: S101
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
