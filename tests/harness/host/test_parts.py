"""The parts that a host is made of, each by itself."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli import bundled_course
from harness.host import frames, identity
from harness.host.family import Family
from harness.host.kernels import KEPT, Keeper, Keepers
from harness.host.order import Order, Request, Stream, Surroundings
from harness.host.wanted import Wanted

ORDER = Order("a b.ipynb", None, "/course", "cpu", "bubblewrap", "auto", "fr")


@pytest.fixture
def ends() -> tuple[socket.socket, socket.socket]:
    left, right = socket.socketpair()
    with left, right:
        yield left, right


def test_a_request_crosses_whole(ends: tuple[socket.socket, socket.socket]) -> None:
    """Also names of files and variables that are no UTF-8."""
    around = Surroundings("/work/\udcff", {"NAME": "\udcfe é"}, Stream(True, "utf-8"), Stream(False, "ascii"))
    request = Request(ORDER, around)
    frames.send(ends[0], {"request": request.to_json()})
    ends[0].close()
    [received] = frames.received(ends[1])
    assert Request.from_json(received["request"]) == request


@pytest.mark.parametrize("sent", [b"{}", b"[]\n", b"nonsense\n", b"\xff\n", b'{"a": \n'])
def test_what_is_no_frame_breaks_the_connection(ends: tuple[socket.socket, socket.socket], sent: bytes) -> None:
    ends[0].sendall(sent)
    ends[0].close()
    with pytest.raises(ConnectionError):
        next(frames.received(ends[1]))


def test_a_frame_has_a_longest_length(
    ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "LONGEST_BYTES", 20)
    frames.send(ends[0], {"out": "x"})
    frames.send(ends[0], {"out": "x" * 20})
    received = frames.received(ends[1])
    assert next(received) == {"out": "x"}
    with pytest.raises(frames.Unclear):
        next(received)


def test_the_surroundings_are_those_of_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "37")
    monkeypatch.setenv("SOMETHING", "else")
    around = Surroundings.here()
    assert (around.folder, around.environment["COLUMNS"]) == (str(tmp_path), "37")
    assert around.environment["SOMETHING"] == "else"
    assert "else" not in repr(around)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package that counts as bareme's own, among installed ones."""
    folder = tmp_path / "site-packages" / "host_test_package"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "part.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(str(folder.parent))
    monkeypatch.setattr(identity, "OURS", (folder.name,))
    return folder


def test_nothing_changed_is_the_same_host(package: Path) -> None:
    assert identity.identity() == identity.identity()


@pytest.mark.parametrize("change", ["code", "time", "new module", "package", "setting", "tool", "python"])
def test_whatever_a_host_keeps_in_memory_makes_it_another_when_it_changes(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    before = identity.identity()
    if change == "code":
        (package / "part.py").write_text("value = 10\n")
    elif change == "time":
        os.utime(package / "part.py", ns=(1, 1))
    elif change == "new module":
        (package / "other.py").write_text("")
    elif change == "package":
        (package.parent / "torch-9.9.dist-info").mkdir()
    elif change == "setting":
        monkeypatch.setenv("OMP_NUM_THREADS", "7")
    elif change == "tool":
        (tmp_path / "bwrap").write_text("#!/bin/sh\n")
        (tmp_path / "bwrap").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    else:
        monkeypatch.setattr(sys, "version", "3.99")
    assert identity.identity() != before


def test_what_a_host_does_not_keep_does_not_matter(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = identity.identity()
    monkeypatch.setenv("LANG", "fr_FR.UTF-8")
    (package / "notes.txt").write_text("x")
    assert identity.identity() == before


def test_only_installed_modules_are_imported_beforehand(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of a course, nothing that has no file of its own, and not the program, though `python -m` started it."""
    (tmp_path / "host_test_oracle.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    __import__("host_test_package.part")
    __import__("host_test_oracle")
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", sys.modules["pytest"].__spec__)
    names = ["json", "numpy", "host_test_package.part", "host_test_oracle", "__main__", "not imported"]
    assert identity.installed(names) == ["json", "numpy", "host_test_package.part"]
    for name in ("host_test_package.part", "host_test_package", "host_test_oracle"):
        del sys.modules[name]


def test_a_fork_server_is_known_by_all_that_makes_it_what_it_is() -> None:
    course = bundled_course()
    ngram, attention = (course.assignment(slug) for slug in ("ngram", "attention"))
    servers = [Wanted.of(course, ngram, "cpu"), Wanted.of(course, ngram, "cuda"), Wanted.of(course, attention, "cpu")]
    assert len({server.digest for server in servers}) == 3
    assert Wanted.of(bundled_course(), ngram, "cpu") == servers[0]


class Noted(Family):
    """Forks nobody."""

    def __init__(self) -> None:
        pass

    def fork(self, *given: object, **more: object) -> None:  # type: ignore[override]
        """No child: as if it had ended at once."""


def test_fork_servers_that_runs_hold_are_kept_beside_those_used_last() -> None:
    keepers = Keepers(Noted())
    wanted = [Wanted("course", f"slug-{number}", "cpu", f"digest-{number}") for number in range(KEPT + 2)]
    for one in wanted:
        keepers.want(one)
        if one is wanted[0]:
            keepers.hold(one)
            keepers.hold(one)
    assert kept(keepers) == ["slug-0", *(one.slug for one in wanted[-KEPT:])]
    keepers.let_go(wanted[0])
    keepers.want(wanted[0])
    assert len(kept(keepers)) == KEPT + 1  # another run still holds it
    keepers.let_go(wanted[0])
    keepers.want(wanted[0])
    assert kept(keepers) == [wanted[-1].slug, "slug-0"]


def kept(keepers: Keepers) -> list[str]:
    """What is kept, the last used last."""
    return [keeper.slug for keeper in keepers._kept.values() if isinstance(keeper, Keeper)]


@pytest.mark.slow
@pytest.mark.parametrize("module", ["harness.cli", "harness.host.client", "harness.host.stand_in", "harness.cohort"])
def test_asking_needs_none_of_what_marking_needs(module: str) -> None:
    """Else help, a check that the host makes, and a cohort whose workers have it already would wait for it."""
    heavy = ["numpy", "torch", "pytest", "hypothesis", "scipy", "nbclient", "zmq", "harness.pipeline"]
    if module != "harness.cohort":
        heavy += ["sqlalchemy", "pydantic"]
    code = f"import sys, {module}; print([name for name in {heavy!r} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
