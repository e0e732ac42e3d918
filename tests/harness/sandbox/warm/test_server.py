"""The fork server alone: clients that break off at any moment, parcels cut short, a system without processes."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from family import NOTHING, PATIENCE_S, Family, below, wait_for_end_of

from harness.errors import SandboxUnavailable
from harness.sandbox import proc
from harness.sandbox.contract import Program
from harness.sandbox.warm import outside, owner
from harness.sandbox.warm.parcel import pack
from harness.sandbox.warm.server import FORK

MANY = 40  # programs, one after the other
SHARED = "import mmap\nkept = mmap.mmap(-1, 4096, prot=mmap.PROT_READ)\n"
THREAD = "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"


class Client:
    """Asks as a worker does, one step at a time."""

    def __init__(self, family: Family, *, parcel: bytes | None = None) -> None:
        self.connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.connection.settimeout(PATIENCE_S)
        self.connection.connect(family.server.address)
        self.errors, self.errors_inside = os.pipe()
        warmth = family.server.warmth
        program = Program("prepare.py", (), warmth.trusted, {}, (), outside.TRIAL.limits)
        self.parcel = pack(outside._facts(program), outside._files(warmth, program))
        if parcel is not None:
            os.ftruncate(self.parcel, 0)
            os.pwrite(self.parcel, parcel, 0)

    def ask(self, message: bytes = FORK) -> None:
        socket.send_fds(self.connection, [message], [self.errors_inside, self.errors_inside, self.parcel])

    def answer(self) -> bytes:
        return self.connection.recv(1)

    def words(self) -> str:
        """What was said on the error stream, to its end."""
        os.close(self.errors_inside)
        self.errors_inside = os.open(os.devnull, os.O_RDONLY)
        with open(self.errors, "rb", closefd=False) as stream:
            return stream.read().decode()

    def close(self) -> None:
        self.connection.close()
        for number in (self.errors, self.errors_inside, self.parcel):
            os.close(number)


@contextmanager
def client(family: Family, *, parcel: bytes | None = None) -> Iterator[Client]:
    found = Client(family, parcel=parcel)
    try:
        yield found
    finally:
        found.close()


def connects(family: Family) -> None:
    with client(family):
        pass


def asks(family: Family) -> None:
    with client(family) as asking:
        asking.ask()


def asks_for_nonsense(family: Family) -> None:
    with client(family) as asking:
        asking.ask(b"x")
        assert asking.answer() == b""


def asks_without_descriptors(family: Family) -> None:
    with client(family) as asking:
        asking.connection.send(FORK)
        assert asking.answer() == b""


def breaks_off_before_the_program(family: Family) -> None:
    with client(family) as asking:
        asking.ask()
        assert asking.answer() == b"?"


def breaks_off_within_the_program(family: Family) -> None:
    with client(family) as asking:
        asking.ask()
        assert asking.answer() == b"?"
        asking.connection.send(b"!")


@pytest.mark.parametrize(
    "breaking_off",
    [
        connects,
        asks,
        asks_for_nonsense,
        asks_without_descriptors,
        breaks_off_before_the_program,
        breaks_off_within_the_program,
    ],
)
def test_a_worker_that_dies_leaves_nothing(family: Family, breaking_off: Callable[[Family], None]) -> None:
    server = family.layers()[0]
    for _ in range(4):
        breaking_off(family)
    family.waiting().end()  # whoever came before has been served
    wait_for_end_of(below(server))
    assert family.layers()[0] == server


@pytest.mark.parametrize(
    ("left", "said"), [(0, "the parcel ends 8 bytes early"), (40, "bytes early"), (-1, "the parcel ends 1 bytes early")]
)
def test_a_parcel_cut_short_is_said(family: Family, left: int, said: str) -> None:
    whole = pack(outside._facts(outside.TRIAL), {"work": {"notes.txt": b"given"}})
    parcel = os.pread(whole, 1 << 20, 0)
    os.close(whole)
    with client(family, parcel=parcel[:left]) as asking:
        asking.ask()
        assert asking.answer() == b""
        assert said in asking.words()
    family.waiting()


def test_a_system_without_processes_is_said(begun: Callable[..., Family]) -> None:
    family = begun("import resource\ndef prepare(settings): resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))")
    with pytest.raises(SandboxUnavailable, match=r"no process could be forked: .* Resource temporarily unavailable"):
        family.server.wait()


@pytest.mark.parametrize(("leaves", "said"), [(SHARED, "all programs would share"), (THREAD, "has started a thread")])
def test_what_programs_must_not_share_is_refused(begun: Callable[..., Family], leaves: str, said: str) -> None:
    with pytest.raises(SandboxUnavailable, match=said):
        begun(leaves + NOTHING).server.wait()


def state(pid: int) -> str:
    """As /proc says it: "S" while it waits for something."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]


@pytest.mark.slow
def test_nothing_grows_with_each_program(begun: Callable[..., Family], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, "TRIAL_EVERY_S", 600.0)  # a program on trial holds descriptors for a moment
    family = begun()
    family.server.wait()
    server = family.layers()[0]

    def held() -> tuple[int, int]:
        wait_for_end_of(below(server))
        until = time.monotonic() + PATIENCE_S
        while state(server) != "S" and time.monotonic() < until:  # until then it has not taken notice of the last end
            time.sleep(0.001)
        return len(list(Path(f"/proc/{server}/fd").iterdir())), proc.resident_bytes(server)

    def serve() -> None:
        for _ in range(MANY):
            family.waiting().end()
            family.started.clear()

    serve()
    descriptors, resident_bytes = held()
    serve()
    assert held()[0] == descriptors
    assert held()[1] <= resident_bytes * 1.05
