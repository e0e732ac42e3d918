"""The second wall alone: a process in no namespace is restricted, and tries what namespaces would have stopped.

All of it holds for root as well. What it adds inside a sandbox: tests/conformance/test_second_wall.py.
"""

import json
import os
import secrets
import socket
import subprocess
import sys
import textwrap

import pytest

from harness.sandbox import landlock

PATIENCE_S = 60
NEEDS = "this Linux offers no Landlock that is used"
NEWEST = landlock.version()
needs_landlock = pytest.mark.skipif(NEWEST < landlock.OLDEST, reason=NEEDS)
needs_scopes = pytest.mark.skipif(NEWEST < landlock.SCOPES_SINCE, reason="signals are restricted since version 6")
EVERY_VERSION = range(landlock.OLDEST, min(NEWEST, landlock.QUIET_SINCE) + 1)
BEGIN = """
import errno, json, os, sys, termios
from importlib.util import module_from_spec, spec_from_file_location
spec = spec_from_file_location("landlock", sys.argv[2])
landlock = module_from_spec(spec)
spec.loader.exec_module(landlock)
arguments, allowed, version = json.loads(sys.argv[1])
if version is not None:
    landlock.version = lambda: version

def refused(act, *given):
    try:
        act(*given)
    except OSError as error:
        return errno.errorcode[error.errno]
    return None

def told(path):
    try:
        termios.tcgetattr(os.open(path, os.O_RDONLY))
    except termios.error as error:
        return errno.errorcode[error.args[0]]

def restrict():
    landlock.restrict(**allowed)

def write(path, text="x"):
    with open(path, "w") as file:
        file.write(text)
"""


@pytest.fixture
def restricted(tmp_path):
    """Runs code that calls `restrict()` when it is ready for it, and prints one line of JSON."""
    for name in ("mine", "other"):
        (tmp_path / name).mkdir()

    def run(code, *arguments, version=None, devices=("/dev",), readable=("/",)):
        allowed = {"readable": list(readable), "writable": [str(tmp_path / "mine")], "devices": list(devices)}
        told = json.dumps([list(arguments), allowed, version])
        source = BEGIN + textwrap.dedent(code)
        command = [sys.executable, "-I", "-S", "-c", source, told, landlock.__file__]
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    return run


@needs_landlock
@pytest.mark.parametrize("version", EVERY_VERSION)
def test_only_what_is_writable_is_written(restricted, tmp_path, version):
    (tmp_path / "other/file").write_text("given")
    said = restricted(
        """
        restrict()
        write("mine/new")
        os.mkdir("mine/folder")
        os.rename("mine/new", "mine/folder/moved")
        os.link("mine/folder/moved", "mine/linked")
        os.symlink("moved", "mine/folder/link")
        os.mkfifo("mine/fifo")
        os.truncate("mine/linked", 0)
        os.unlink("mine/linked")
        write("/dev/null")
        print(json.dumps([
            refused(write, "other/new"), refused(write, "other/file"), refused(os.open, "other/file", os.O_RDWR),
            refused(os.mkdir, "other/folder"), refused(os.unlink, "other/file"), refused(os.rmdir, "other"),
            refused(os.symlink, "x", "other/link"), refused(os.mkfifo, "other/fifo"),
            refused(os.rename, "mine/folder/moved", "other/moved"), refused(os.link, "other/file", "mine/file"),
            refused(os.rename, "other/file", "mine/file"), open("other/file").read(),
        ]))
        """,
        version=version,
    )
    assert said[-1] == "given"
    assert set(said[:-1]) <= {"EACCES", "EXDEV"}
    assert sorted(path.name for path in (tmp_path / "other").iterdir()) == ["file"]


@needs_landlock
@pytest.mark.parametrize("version", EVERY_VERSION)
def test_each_version_restricts_what_it_knows(restricted, tmp_path, version):
    (tmp_path / "other/file").write_text("given")
    said = restricted(
        """
        import signal
        restrict()
        print(json.dumps([
            refused(os.truncate, "other/file", 0), told("/dev/null"), refused(os.kill, os.getppid(), 0)
        ]))
        """,
        version=version,
        devices=(),
    )
    assert said == [
        "EACCES" if version >= 3 else None,
        "EACCES" if version >= 5 else "ENOTTY",
        "EPERM" if version >= 6 else None,
    ]


@needs_landlock
def test_nothing_outside_of_what_is_readable_is_read(restricted, tmp_path):
    """Not through a descriptor either that was left open by mistake: a folder of the host's, say."""
    (tmp_path / "other/file").write_text("#!/bin/true")
    (tmp_path / "other/file").chmod(0o755)
    said = restricted(
        """
        folder = os.open("other", os.O_RDONLY)
        restrict()
        print(json.dumps([
            refused(open, "other/file"), refused(os.listdir, "other"), refused(os.listdir, "."),
            refused(lambda: os.open("file", os.O_RDONLY, dir_fd=folder)),
            refused(lambda: os.open("..", os.O_RDONLY, dir_fd=folder)),
            refused(os.listdir, f"/proc/self/fd/{folder}"),
            refused(os.execv, "other/file", ["other/file"]),
            refused(os.listdir, "mine"), refused(os.listdir, "/proc/self"),
        ]))
        """,
        readable=("/proc",),
    )
    assert said == ["EACCES"] * 7 + [None] * 2


@needs_landlock
def test_device_files_are_made_nowhere_and_terminals_work(restricted):
    said = restricted(
        """
        import pty, stat, termios
        restrict()
        def settings(path):
            number = os.open(path, os.O_RDWR | os.O_NOCTTY)
            termios.tcgetattr(number)
        master, slave = pty.openpty()
        os.write(slave, b"x")
        print(json.dumps([
            refused(os.mknod, "mine/null", stat.S_IFCHR | 0o600, os.makedev(1, 3)),
            refused(os.mknod, "mine/disk", stat.S_IFBLK | 0o600, os.makedev(7, 0)),
            os.isatty(slave), os.read(master, 1).decode(),
        ]))
        """
    )
    assert set(said[:2]) <= {"EACCES", "EPERM"}
    assert said[2:] == [True, "x"]


@needs_landlock
def test_devices_elsewhere_take_nothing(restricted):
    """They can be read from, for `/` is readable, and neither written to nor told anything."""
    said = restricted(
        """
        restrict()
        print(json.dumps([refused(os.open, "/dev/null", os.O_WRONLY), told("/dev/null")]))
        """,
        devices=("/dev/pts",),
    )
    assert said == ["EACCES", "EACCES" if landlock.SINCE[landlock.IOCTL_DEV] <= NEWEST else "ENOTTY"]


@needs_scopes
def test_other_processes_of_the_user_are_not_signalled(restricted):
    with subprocess.Popen(["sleep", "600"]) as other:
        said = restricted(
            """
            import signal, subprocess
            restrict()
            child = subprocess.Popen(["sleep", "600"])
            child.kill()
            ours = child.wait()
            print(json.dumps([
                refused(os.kill, arguments[0], 0), refused(os.kill, arguments[0], signal.SIGTERM),
                refused(os.kill, os.getppid(), 0), ours,
                refused(lambda: signal.pidfd_send_signal(os.pidfd_open(arguments[0]), signal.SIGKILL)),
            ]))
            """,
            other.pid,
        )
        assert other.poll() is None
        other.kill()
    assert said == ["EPERM", "EPERM", "EPERM", -9, "EPERM"]


@needs_scopes
def test_abstract_sockets_are_those_of_its_own(restricted):
    name = f"bareme-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(f"\0{name}")
        abstract.listen()
        said = restricted(
            """
            import socket
            restrict()
            def reach(name):
                with socket.socket(socket.AF_UNIX) as client:
                    client.connect("\\0" + name)
            own = socket.socket(socket.AF_UNIX)
            own.bind("\\0" + arguments[0] + "-own")
            own.listen()
            print(json.dumps([refused(reach, arguments[0]), refused(reach, arguments[0] + "-own")]))
            """,
            name,
        )
    assert said == ["EPERM", None]


@needs_landlock
def test_other_processes_are_neither_traced_nor_opened(restricted):
    with subprocess.Popen(["sleep", "600"]) as other:
        said = restricted(
            """
            import ctypes, subprocess
            restrict()
            libc = ctypes.CDLL(None, use_errno=True)
            ATTACH = 16
            libc.ptrace(ATTACH, arguments[0], None, None)
            attached = errno.errorcode[ctypes.get_errno()]
            with subprocess.Popen(["sleep", "600"]) as child:
                own = refused(os.readlink, f"/proc/{child.pid}/cwd")
                child.kill()
            other = f"/proc/{arguments[0]}"
            print(json.dumps([own, attached, refused(open, f"{other}/mem"), *(
                refused(os.readlink, f"{other}/{name}") for name in ("root", "cwd", "exe", "ns/net")
            )]))
            """,
            other.pid,
        )
        other.kill()
    assert said == [None, "EPERM", *["EACCES"] * 5]


@needs_landlock
@pytest.mark.skipif(os.getuid() != 0, reason="nobody else may mount anyway")
def test_not_even_root_mounts(restricted):
    said = restricted(
        """
        import ctypes
        restrict()
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mount(b"none", b"mine", b"tmpfs", 0, None)
        print(json.dumps(errno.errorcode[ctypes.get_errno()]))
        """
    )
    assert said == "EPERM"


@needs_landlock
def test_sockets_on_the_loopback_stay_free(restricted):
    said = restricted(
        """
        import socket
        restrict()
        with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
            server.accept()[0].send(b"hello")
            print(json.dumps(client.recv(5).decode()))
        """
    )
    assert said == "hello"


@pytest.mark.parametrize("version", [0, 1])
def test_a_landlock_that_notebooks_could_not_live_with_is_not_used(restricted, tmp_path, version):
    code = "restrict(); write('other/new'); print(json.dumps(open('/proc/self/status').read()))"
    status = restricted(code, version=version)
    assert (tmp_path / "other/new").exists()
    assert "NoNewPrivs:\t0" in status


@needs_landlock
def test_it_holds_for_good_and_for_children(restricted):
    said = restricted(
        """
        import subprocess
        restrict()
        landlock.restrict(readable=["/"], writable=["/"], devices=["/"])
        shell = subprocess.run(["sh", "-c", "echo x > other/new"], stderr=subprocess.DEVNULL)
        status = open("/proc/self/status").read()
        print(json.dumps([refused(write, "other/new"), shell.returncode != 0, "NoNewPrivs:\t1" in status]))
        """
    )
    assert said == ["EACCES", True, True]


@needs_landlock
def test_a_path_that_is_missing_is_an_error(restricted):
    said = restricted("print(json.dumps(refused(restrict)))", devices=["/dev/none"])
    assert said == "ENOENT"


def test_a_linux_that_does_not_know_the_call_offers_version_0(restricted):
    unknown = 1023
    assert restricted(f"landlock.CREATE_RULESET = {unknown}; print(json.dumps(landlock.version()))") == 0
