"""A fork server's owner: nothing of it is left, however it ends and whenever it is closed."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from family import PATIENCE_S, Family, ours, refusal, wait_for_end_of

from harness.errors import SandboxUnavailable
from harness.sandbox.warm import owner

HERE = Path(__file__).parent
PREAMBLE = """
import json, os, signal, sys
from family import Family, below, warmth
from harness.sandbox.warm.owner import ForkServer

def tell(**more):
    print(json.dumps({"processes": below(os.getpid()), **more}), flush=True)

server = ForkServer(warmth(), secrets=())
server.wait()
family = Family(server)
program = family.waiting()
"""
ASLEEP = "import time\ndef prepare(settings): time.sleep(600)"


class Owner:
    """A process that owns a fork server with one program, and then does as it is told."""

    def __init__(self, code: str, folder: Path) -> None:
        self.folder = folder
        path = os.pathsep.join([str(HERE / "shared"), *filter(None, sys.path)])
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore:This process:DeprecationWarning", "-c", PREAMBLE + textwrap.dedent(code)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "TMPDIR": str(folder), "PYTHONPATH": path},
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # in the background it is ignored
        )  # fmt: skip

    def told(self) -> Any:
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        return json.loads(line)

    def assert_nothing_is_left(self, processes: list[int]) -> str:
        """Its error stream, once it and all these have ended."""
        assert len(processes) >= 4  # one layer around the server, the server, the first process, the program
        _, said = self.process.communicate(timeout=PATIENCE_S)
        wait_for_end_of(processes)
        assert list(self.folder.iterdir()) == []
        return said


@pytest.fixture
def owned(tmp_path: Path) -> Iterator[Callable[[str], Owner]]:
    owners = []

    def start(code: str) -> Owner:
        owners.append(Owner(code, tmp_path))
        return owners[-1]

    yield start
    for each in owners:
        each.process.kill()
        each.process.communicate()


# How the owner may end ---------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_an_owner_that_is_killed(owned: Callable[[str], Owner]) -> None:
    found = owned("tell(); signal.pause()")
    processes = found.told()["processes"]
    found.process.kill()
    found.assert_nothing_is_left(processes)


@pytest.mark.slow
def test_an_owner_that_ends_without_closing(owned: Callable[[str], Owner]) -> None:
    found = owned("tell()")
    processes = found.told()["processes"]
    assert found.assert_nothing_is_left(processes) == ""
    assert found.process.returncode == 0


@pytest.mark.slow
def test_an_owner_that_is_interrupted(owned: Callable[[str], Owner]) -> None:
    found = owned("""
    try:
        tell()
        signal.pause()
    finally:
        server.close()
        tell(closed=True)
    """)
    processes = found.told()["processes"]
    found.process.send_signal(signal.SIGINT)
    assert found.told() == {"processes": [], "closed": True}
    assert "KeyboardInterrupt" in found.assert_nothing_is_left(processes)


@pytest.mark.slow
def test_an_owner_that_forks_keeps_its_server_and_can_close_it(owned: Callable[[str], Owner]) -> None:
    found = owned("""
    from harness.errors import SandboxUnavailable

    reading, writing = os.pipe()
    ending, lasting = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(lasting)
        server.close()
        os.write(writing, b".")
        os.read(ending, 1)  # as long as its parent lives
        os._exit(0)
    os.read(reading, 1)
    assert program.running()
    assert family.waiting().running()
    family.close()
    try:
        family.waiting()
    except SandboxUnavailable as error:
        tell(child=child, error=str(error))
    os.close(lasting)
    os.waitpid(child, 0)
    """)
    told = found.told()
    assert "no fork server any more" in told["error"]
    assert told["processes"] == [told["child"]]
    assert found.process.communicate(timeout=PATIENCE_S)[1] == ""


@pytest.mark.slow
def test_an_owner_that_has_forked_leaves_nobody_waiting_when_it_gives_up(owned: Callable[[str], Owner]) -> None:
    found = owned("""
    from family import kill, refusal
    from harness.sandbox.warm import owner

    fork_server = family.layers()[0]
    ending, lasting = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(lasting)
        os.read(ending, 1)  # as long as its parent lives
        os._exit(0)
    really, broken = owner.program, warmth("def prepare(settings): 1 / 0")
    owner.program = lambda given, *, listener: really(broken, listener=listener)
    os.kill(fork_server, signal.SIGSTOP)
    waiting = refusal(family.waiting)
    kill(fork_server)
    tell(waited=waiting(), asked=refusal(family.waiting)())
    """)
    told = found.told()
    assert "fork servers ended" in told["waited"] or "no fork server any more" in told["waited"]
    assert "no fork server any more" in told["asked"]
    assert found.process.communicate(timeout=PATIENCE_S)[1] == ""


# When it may be closed ----------------------------------------------------------------------------------------------


def test_a_server_that_is_closed_twice(family: Family) -> None:
    program = family.waiting()
    everything = ours()
    family.server.close()
    assert not [pid for pid in everything if Path(f"/proc/{pid}").exists()]
    family.server.close()
    assert not program.running()
    with pytest.raises(SandboxUnavailable, match="closed"):
        family.server.wait()


def test_a_server_that_is_closed_while_it_prepares(begun: Callable[..., Family]) -> None:
    family = begun(ASLEEP)
    refused = refusal(family.server.wait)
    family.server.close()
    assert "closed" in refused()


def test_a_server_that_is_closed_while_a_trial_is_under_way(
    begun: Callable[..., Family], monkeypatch: pytest.MonkeyPatch
) -> None:
    def frozen(address: str, warmth: Any, **given: Any) -> None:
        os.kill(given["unless"] and innermost(), signal.SIGSTOP)
        asked.set()
        really(address, warmth, **given)

    asked, really = threading.Event(), owner.try_out
    monkeypatch.setattr(owner, "try_out", frozen)
    family = begun()
    assert asked.wait(PATIENCE_S)
    family.server.close()
    assert ours() == []


@pytest.mark.parametrize("step", ["mkdir", "unlink", "rmdir"])
def test_an_owner_that_is_interrupted_leaves_no_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: str
) -> None:
    """Ctrl-C at the worst moment: the folder for the server's address has just been made, or is being removed."""

    def interrupted(*given: Any, **more: Any) -> None:
        really(*given, **more)
        signal.raise_signal(signal.SIGINT)

    really = getattr(os, step)
    monkeypatch.setattr(os, step, interrupted)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it is ignored
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener, pytest.raises(KeyboardInterrupt):
            owner._bind(listener)
    finally:
        signal.signal(signal.SIGINT, before)
    assert list(tmp_path.iterdir()) == []


def innermost() -> int:
    """Of the processes below this one, each started by the one before, the last: here the server."""
    return ours()[-1]


# How a server may fail ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        ("def prepare(settings): 1 / 0", "ZeroDivisionError"),
        ("import os\ndef prepare(settings): os._exit(3)", "it ended"),
        (
            "import _thread, time\ndef prepare(settings): _thread.start_new_thread(time.sleep, (600,))",
            "started a thread",
        ),
    ],
)
def test_a_server_that_does_not_start_says_why_and_is_not_tried_again(
    begun: Callable[..., Family], monkeypatch: pytest.MonkeyPatch, prepare: str, words: str
) -> None:
    tried = []
    really = owner.program
    monkeypatch.setattr(owner, "program", lambda *given, **more: tried.append(given) or really(*given, **more))
    family = begun(prepare)
    with pytest.raises(SandboxUnavailable, match=words):
        family.server.wait()
    assert len(tried) == 1
    with pytest.raises(SandboxUnavailable, match="no fork server any more"):
        family.waiting()


def test_a_server_that_is_not_ready_in_time(begun: Callable[..., Family], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, "PREPARE_S", 0.2)
    with pytest.raises(SandboxUnavailable, match="not ready after"):
        begun(ASLEEP).server.wait()


def test_a_server_that_says_more_than_a_pipe_holds(begun: Callable[..., Family]) -> None:
    family = begun("import os\ndef prepare(settings): os.write(2, b'x' * 1_000_000)")
    family.server.wait()
    assert family.waiting().running()


def test_an_owner_without_descriptors_says_so(begun: Callable[..., Family], monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*given: Any, **more: Any) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(owner.Bubblewrap, "begin", none_left)
    with pytest.raises(SandboxUnavailable, match="Too many open files"):
        begun().server.wait()
