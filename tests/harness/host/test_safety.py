"""Who may talk to a host: its own user, and nobody that a notebook's code could be."""

import json
import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.host import client, frames
from harness.host.place import Place, PlaceRefused

NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
LOOKS = """
import os, socket
place, host = {place!r}, {host}
seen = [path for path in (place, os.path.dirname(place), {temporary!r}) if os.path.exists(path)]
seen += [name for name in os.listdir("/run") + os.listdir("/tmp") if "bareme" in name or "socket" in name]
for number in os.listdir("/proc"):
    if number.isdigit():
        try:
            line = open(f"/proc/{{number}}/cmdline").read()
        except OSError:
            continue
        if "harness.host" in line:
            seen.append(line)
for path in (f"/proc/{{host}}/root{{place}}", f"/proc/self/fd/3/{name}", place + "/{name}"):
    try:
        socket.socket(socket.AF_UNIX).connect(path)
        seen.append(path)
    except OSError:
        pass
assert not seen, seen
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the user's folder for sockets will be; it is not there yet."""
    run = tmp_path / "run"
    run.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(run))
    return run / "bareme"


def test_the_folder_is_made_for_its_owner_alone(folder: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Place.open()
    Place.open(make=True).close()
    assert folder.stat().st_mode & 0o777 == 0o700
    Place.open().close()


@pytest.mark.parametrize("mode", [0o701, 0o710, 0o777])
def test_a_folder_that_others_may_enter_is_refused(folder: Path, mode: int) -> None:
    folder.mkdir()
    folder.chmod(mode)
    for make in (False, True):
        with pytest.raises(PlaceRefused, match=str(folder)):
            Place.open(make=make)


def test_a_link_or_a_file_in_its_place_is_refused(folder: Path) -> None:
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    folder.symlink_to(elsewhere)
    with pytest.raises(PlaceRefused):
        Place.open()
    with pytest.raises(PlaceRefused):
        Place.open(make=True)
    folder.unlink()
    folder.touch(mode=0o600)
    with pytest.raises(PlaceRefused):
        Place.open()


@needs_root
def test_a_folder_of_somebody_else_is_refused(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    os.chown(folder, NOBODY, NOBODY)
    with pytest.raises(PlaceRefused):
        Place.open(make=True)


@pytest.mark.parametrize("bad", ["mode", "missing", "relative", pytest.param("owner", marks=needs_root)])
def test_a_runtime_folder_that_is_not_the_users_alone_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: str
) -> None:
    """As `su` leaves it: then it is the folder for temporary files, with the user's number."""
    run, temporary = tmp_path / "run", tmp_path / "tmp"
    run.mkdir(mode=0o700)
    temporary.mkdir()
    if bad == "mode":
        run.chmod(0o755)
    if bad == "owner":
        os.chown(run, NOBODY, NOBODY)
    given = {"missing": str(tmp_path / "none"), "relative": "run"}.get(bad, str(run))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", given)
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    place = Place.open(make=True)
    place.close()
    assert place.path == temporary / f"bareme-{os.geteuid()}"


def test_a_socket_that_a_dead_host_left_makes_room(folder: Path) -> None:
    place = Place.open(make=True)
    place.listen().close()
    with pytest.raises(ConnectionRefusedError):
        place.connect(timeout_s=1.0)
    with place.listen(), place.connect(timeout_s=60.0):
        pass
    place.close()


def test_what_becomes_of_the_path_leads_nowhere_else(folder: Path) -> None:
    """A folder that is open stays the one that was verified."""
    place = Place.open(make=True)
    folder.rename(folder.parent / "moved")
    folder.mkdir(mode=0o700)
    with place.listen(), place.connect(timeout_s=60.0):
        assert list(folder.iterdir()) == []
    place.close()


@needs_root
def test_a_host_of_another_user_is_not_believed(folder: Path) -> None:
    place = Place.open(make=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(str(place.file("socket")))
    os.seteuid(NOBODY)
    try:
        listening.listen()
    finally:
        os.seteuid(0)
    with listening, pytest.raises(PlaceRefused):
        place.connect(timeout_s=60.0)
    place.close()


@pytest.mark.slow
@needs_root
def test_a_command_of_another_user_is_not_answered(student: Any) -> None:
    """Even where somebody opens the folder and the socket to all."""
    student.start_host()
    place = student.folder / "run" / "bareme"
    path = place / Place.name("socket")
    for opened in (path, place, *list(place.parents)[:-2]):
        opened.chmod(0o777)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(60.0)
        os.seteuid(NOBODY)
        try:
            connection.connect(str(path))
            frames.send(connection, {"ask": "status"})
            answers = list(frames.received(connection))
        except (BrokenPipeError, ConnectionResetError):  # it was closed before or after all had been sent
            answers = []
        finally:
            os.seteuid(0)
            place.chmod(0o700)
            place.parent.chmod(0o700)
    assert answers == []
    assert client.status() is not None


@pytest.mark.slow
@pytest.mark.parametrize("sent", [b"", b"\n", b"[]\n", b'{"ask": "che', b'{"ask": "check"}\n', b"\xff" * 100 + b"\n"])
def test_nonsense_harms_nobody(student: Any, sent: bytes) -> None:
    host = student.start_host()
    place = Place.open()
    with place.connect(timeout_s=60.0) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        assert "accepted" not in next(frames.received(connection), {})
    place.close()
    if b"check" not in sent:
        assert student.host() == host


@pytest.mark.slow
@pytest.mark.parametrize("kernels", ["cold", "auto"])
@pytest.mark.parametrize("runtime", [True, False], ids=["XDG_RUNTIME_DIR", "TMPDIR"])
def test_a_notebooks_code_finds_no_way_to_the_host(
    student: Any, wait: Any, monkeypatch: pytest.MonkeyPatch, kernels: str, runtime: bool
) -> None:
    if not runtime:
        monkeypatch.delenv("XDG_RUNTIME_DIR")
        monkeypatch.setattr("tempfile.tempdir", student.environment["TMPDIR"])
        student.environment.pop("XDG_RUNTIME_DIR")
    host = student.start_host()
    place = Place.open()
    place.close()
    looks = LOOKS.format(
        place=str(place.path), host=host, temporary=student.environment["TMPDIR"], name=Place.name("socket")
    )
    notebook = student.notebook(looks, student.RIGHT)
    if kernels == "auto":
        student.check(notebook)
        wait(lambda: client.status().warm)
    done = student.check(notebook, "--kernels", kernels)
    assert (done.out.splitlines()[1:], done.code, done.by_host) == (
        ["✓ Three doubled  1/1", "✓ Five doubled  1/1", "2 / 2"],
        0,
        True,
    )
    if not runtime:
        client.stop()
        shutil.rmtree(place.path)


@pytest.mark.slow
@pytest.mark.parametrize("kernels", ["cold", "warm"])
def test_a_notebook_that_is_marked_finds_no_way_to_the_host(
    student: Any, wait: Any, tmp_path: Path, kernels: str
) -> None:
    """Its worker comes from a child of the host, its kernel from the host's fork server."""
    host = student.start_host()
    place = Place.open()
    place.close()
    looks = LOOKS.format(
        place=str(place.path), host=host, temporary=student.environment["TMPDIR"], name=Place.name("socket")
    )
    student.check(student.notebook(student.RIGHT))
    wait(lambda: client.status().warm)
    folder = tmp_path / "cohort" / "student"
    folder.mkdir(parents=True)
    shutil.move(student.notebook(looks, student.RIGHT), folder)
    before = set(psutil.Process(host).children())
    command = subprocess.Popen(
        [
            *student.line("none")[:4], "grade", "toy", str(folder.parent), "--out", str(tmp_path / "out"),
            "--course", str(student.course), "--kernels", kernels,
        ],
        cwd=student.work, env={**student.environment, "TEST_IMPORTED": str(tmp_path / "imported")},
    )  # fmt: skip
    wait(lambda: set(psutil.Process(host).children()) - before)  # its workers come from there
    assert command.wait(timeout=120.0) == 0
    [submission] = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))["submissions"]
    assert (submission["status"], submission["score"]) == ("marked", 2.0)
