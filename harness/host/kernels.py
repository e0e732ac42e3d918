"""Fork servers that the host keeps between two commands: those of the assignments that were checked or marked last.

Each is held by a keeper, a child of the host that ends with the channel between them.
Not covered: fork servers (`sandbox.warm`), when they are used (`check`, `run`).
"""

import socket
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from harness import pipeline
from harness.course import Assignment, Course
from harness.errors import BaremeError
from harness.fork_servers import served
from harness.host.family import Child, Family, send
from harness.host.wanted import Wanted
from harness.kernel import nobody
from harness.records import Device, Kernels

KEPT = 2  # each holds what an assignment imports, some 200 MB with torch


@dataclass(slots=True)
class Offer:
    """What a check may use, and what it had use for."""

    addresses: Mapping[str, str] = field(default_factory=dict)  # digest -> address
    wanted: Wanted | None = None

    @contextmanager
    def address(
        self, course: Course, assignment: Assignment, *, kernels: Kernels, device: Device
    ) -> Iterator[str | None]:
        """Where kernels for `assignment` are asked for: what is offered, or one of our own where nothing else will do.

        Raises:
            SandboxUnavailable: `kernels` must be warm, and cannot be.
        """
        if kernels == "cold":
            yield None
            return
        self.wanted = Wanted.of(course, assignment, device)
        offered = self.addresses.get(self.wanted.digest)
        if offered is not None or kernels == "auto":
            yield offered
            return
        with served(course, assignment, kernels=kernels, device=device, tell=nobody) as server:
            yield server.address


@dataclass(slots=True)
class Keeper:
    """The child that holds one fork server, as the host sees it."""

    slug: str
    address: str | None = None  # None: not ready yet
    problem: str | None = None  # why there can be no such fork server
    child: Child | None = None  # None: it has ended

    def hear(self, said: Mapping[str, str]) -> None:
        """What the child says, once."""
        self.address, self.problem = said.get("address"), said.get("problem")

    def end(self) -> None:
        """The child has ended: called when that is seen."""
        self.address = self.child = None


class Keepers:
    """The host's side: has fork servers started, and those ended that were used longest ago."""

    def __init__(self, family: Family) -> None:
        """Keepers are forked by `family`."""
        self._family = family
        self._kept: dict[str, Keeper] = {}  # by digest, the last used last
        self._held: Counter[str] = Counter()  # digest -> runs that it must not be taken from

    def addresses(self) -> dict[str, str]:
        """What can be offered now: digest -> address."""
        return {digest: each.address for digest, each in self._kept.items() if each.address is not None}

    def facts(self) -> dict[str, list[str]]:
        """For people: the assignments whose kernels start warm, and why those of others do not."""
        return {
            "warm": [each.slug for each in self._kept.values() if each.address is not None],
            "problems": [f"{each.slug}: {each.problem}" for each in self._kept.values() if each.problem is not None],
        }

    def want(self, wanted: Wanted) -> None:
        """Have a fork server ready for the next check like the one that had use for this."""
        kept = self._kept.pop(wanted.digest, None)
        if kept is None or (kept.child is None and kept.problem is None):
            kept = Keeper(wanted.slug)
            kept.child = self._family.fork(partial(keep, wanted), hear=kept.hear, ended=kept.end)
        self._kept[wanted.digest] = kept
        for digest in [digest for digest in self._kept if not self._held[digest]][:-KEPT]:
            oldest = self._kept.pop(digest)
            if oldest.child is not None:
                oldest.child.leave_alone()

    def hold(self, wanted: Wanted) -> None:
        """Do not end it while a run uses it; more than `KEPT` are there then."""
        self._held[wanted.digest] += 1

    def let_go(self, wanted: Wanted) -> None:
        """The run is over, one call for each of `hold`."""
        self._held[wanted.digest] -= 1


def keep(wanted: Wanted, channel: socket.socket) -> None:
    """In a child of the host: hold the fork server until the other end of `channel` is closed."""
    try:
        course = pipeline.load(Path(wanted.course))
        assignment = course.assignment(wanted.slug)
        with served(course, assignment, kernels="warm", device=wanted.device, tell=nobody) as server:
            send(channel, {"address": server.address})
            channel.recv(1)
    except BaremeError as error:
        send(channel, {"problem": str(error)})
