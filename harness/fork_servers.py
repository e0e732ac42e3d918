"""The fork server of a run: whoever asks for warm kernels gets them where they work, and is told where they do not.

Not covered: how a fork server works (`sandbox.warm`), what it imports (`kernel.warmth`). There is no fall-back to
anything less than a cold sandbox.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from harness import sandbox
from harness.course import Assignment, Course
from harness.errors import SandboxUnavailable
from harness.kernel.warmth import warmth
from harness.records import Device, Kernels, Text
from harness.sandbox.warm.owner import ForkServer

Tell = Callable[[Text], None]


class NoServer:
    """Stands where kernels are to start cold."""

    address = None


class Server:
    """A fork server that is being started for the kernels of one assignment."""

    def __init__(self, server: ForkServer, tell: Tell | None) -> None:
        """`tell` is told when there will be none; None: that is an error."""
        self._server = server
        self._tell = tell
        self._told = False

    @property
    def address(self) -> str | None:
        """Where programs are asked for, once that is possible; None where it never will be.

        Raises:
            SandboxUnavailable: it never will be, and nothing else was asked for.
        """
        try:
            self._server.wait()
        except SandboxUnavailable as error:
            if self._tell is None:
                raise
            if not self._told:
                self._told = True
                self._tell(
                    Text(
                        fr=f"Les noyaux démarrent à froid, plus lentement : {error}",
                        en=f"Kernels start cold, which is slower: {error}",
                    )
                )
            return None
        return self._server.address


class Lent:
    """A fork server that somebody else keeps, and that may go away; and one of our own in its place."""

    def __init__(self, address: str, begin: Callable[[], Server]) -> None:
        """`address` is its own; `begin` begins to start ours."""
        self._lent: str | None = address
        self._begin = begin
        self._own: Server | None = None

    @property
    def address(self) -> str | None:
        """The lent one's, the first time; then ours: who asks again has met with a failure, whoever's it was.

        Raises:
            SandboxUnavailable: as `Server.address`.
        """
        lent, self._lent = self._lent, None
        if lent is not None:
            return lent
        if self._own is None:
            self._own = self._begin()
        return self._own.address


Serving = Server | NoServer | Lent


@contextmanager
def served(
    course: Course,
    assignment: Assignment,
    *,
    kernels: Kernels,
    device: Device,
    tell: Tell,
    lent: str | None = None,
) -> Iterator[Serving]:
    """A fork server for the kernels of `assignment`, begun to be started; it ends with the context.

    `tell` is called when kernels start cold although warm ones were wanted. `lent`: the address of one that is there
    already, so that none is started unless it fails.
    """
    if kernels == "cold":
        yield NoServer()
        return
    with ExitStack() as closing:

        def begin() -> Server:
            server = sandbox.serve(warmth(assignment.file.policy, device), secrets=(course.folder,))
            closing.callback(server.close)
            return Server(server, None if kernels == "warm" else tell)

        yield begin() if lent is None else Lent(lent, begin)
