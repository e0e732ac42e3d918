"""Forks from the fork server, and becomes a nested sandbox with one program. Runs inside.

    server -> init (PID 1 of its own namespace) -> program

The init builds the view and gives up every right before the program exists; it tells the grader that the program ended
by itself, so that a program that was ended with its fork server is not taken for one that crashed.
Standard library only. Not covered: limits of the program itself (`start`), how the grader takes hold (`outside`).
"""

import fcntl
import json
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from . import linux, parcel

FIRST, OUT_OF_THE_WAY = 3, 16  # descriptors: after the standard ones, and after those
ENDED = b"."  # told on the connection when the program has ended by itself
QUIET = linux.MS_NOSUID | linux.MS_NODEV
TERMINALS = "newinstance,ptmxmode=0666,mode=620,max=64"  # of all that the system has, 4,096
READ_ONLY = linux.MS_REMOUNT | linux.MS_RDONLY | QUIET
# What Linux counts for each user, which all programs of a fork server are together: to each a share, of 128 by default
OWN_SHARE = {
    "max_user_namespaces": "0",
    "max_inotify_instances": "8",
    "max_inotify_watches": "4096",
    "max_fanotify_groups": "0",
}


def apart() -> int | None:
    """Fork into new user and PID namespaces: a pidfd of the child, None in the child, which is to `become`.

    Raises:
        OSError: there can be no more processes, or no such namespaces.
    """
    return linux.clone(linux.CLONE_NEWUSER | linux.CLONE_NEWPID)


def become(connection: int, ready: int, errors: int, parcel_fd: int, *, user: tuple[int, int], path: list[str]) -> None:
    """Return in the innermost process, ready for the start script; the one around it ends here.

    `user`: of the fork server, and its group. `path`: where the standard library is imported from.
    """
    with _ending_here():
        os.dup2(errors, sys.stderr.fileno())
        connection, ready, parcel_fd = _keep_only(connection, ready, parcel_fd)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _keep_user(*user)
        facts = _prepare(parcel_fd)
        program = os.fork()
        if program:
            os.close(ready)
            _reap(connection, program)
        _hand_over(connection, ready, facts, path)


@contextmanager
def _ending_here() -> Iterator[None]:
    """An error ends the process, and the grader is told which: the code around is the fork server's."""
    try:
        yield
    except BaseException as error:  # noqa: BLE001  # whatever it is, nothing may go on from here
        if isinstance(error, OSError):  # Linux refuses a step: it names it
            print(error, file=sys.stderr)  # noqa: T201
        else:
            traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def _keep_user(user: int, group: int) -> None:
    """Have the same numbers in the new user namespace as outside."""
    for name, line in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        Path("/proc/self", name).write_text(line, encoding="ascii")


def _reap(connection: int, program: int) -> None:
    """Be the PID 1 until the program ends, and say so."""
    for number in range(1, signal.NSIG):
        with suppress(OSError, ValueError):  # those that nobody may set
            signal.signal(number, signal.SIG_DFL)  # of which Linux lets none through to a PID 1
    while os.wait()[0] != program:
        pass  # an orphan of the program's has ended
    with suppress(OSError):  # the grader is gone
        os.write(connection, ENDED)
    os._exit(0)


def _prepare(parcel_fd: int) -> dict[str, Any]:
    """In the init: all that takes rights, and giving them up; the facts of the program that is to be forked."""
    os.setsid()  # the program's session too: it leads none, as in a cold start
    facts, files = parcel.unpack(parcel_fd)
    os.close(parcel_fd)
    _build(facts, files)
    linux.drop_capabilities()
    linux.prctl(linux.PR_SET_DUMPABLE, 0)  # the program is of the same user: not to be opened or written to by it
    return facts


def _build(facts: dict[str, Any], files: dict[str, dict[str, bytes]]) -> None:
    """Namespaces, and a view of its own in every place that can be written to or tells about others."""
    linux.unshare(
        linux.CLONE_NEWNS | linux.CLONE_NEWIPC | linux.CLONE_NEWNET | linux.CLONE_NEWUTS | linux.CLONE_NEWCGROUP
    )
    linux.close_off("/")
    linux.mount("proc", "/proc", "proc", QUIET | linux.MS_NOEXEC)
    linux.mount("devpts", "/dev/pts", "devpts", linux.MS_NOSUID | linux.MS_NOEXEC, TERMINALS)
    for folder, (size_bytes, mode) in facts["writable"].items():
        linux.mount("tmpfs", folder, "tmpfs", QUIET, f"size={size_bytes},mode={mode}")
    _give(Path(facts["work"]), files["work"])
    if "trusted" in files:
        _replace(Path(facts["start"]).parent, files["trusted"])
    linux.interface_up("lo")
    for name, most in OWN_SHARE.items():
        setting = Path("/proc/sys/user", name)
        if setting.exists():  # else Linux was built without what it counts
            setting.write_text(most, encoding="ascii")


def _give(folder: Path, contents: dict[str, bytes]) -> None:
    """Files that can be neither changed nor removed, in a folder that can."""
    for file in _write(folder, contents):
        linux.mount(str(file), str(file), None, linux.MS_BIND)
        linux.mount(None, str(file), None, linux.MS_BIND | READ_ONLY)


def _replace(folder: Path, contents: dict[str, bytes]) -> None:
    """A folder with these files, of which nothing can be changed."""
    linux.mount("tmpfs", str(folder), "tmpfs", QUIET, "mode=0755")
    _write(folder, contents)
    linux.mount(None, str(folder), None, linux.MS_BIND | READ_ONLY)


def _write(folder: Path, contents: dict[str, bytes]) -> list[Path]:
    files = [folder / name for name in contents]
    for file, content in zip(files, contents.values(), strict=True):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        file.chmod(0o444)
    return files


def _hand_over(connection: int, ready: int, facts: dict[str, Any], path: list[str]) -> None:
    """Make this process what a cold start would have made of it, up to the start script."""
    linux.prctl(linux.PR_SET_DUMPABLE, 1)  # the grader reaches its sockets through /proc
    os.environ.clear()
    os.environ.update(facts["environment"], BAREME_READY_FD=str(ready))
    os.chdir(facts["work"])
    sys.path[:] = path
    sys.argv[:] = [facts["start"], json.dumps({**facts["settings"], "handshake": connection}), *facts["command"]]


def _keep_only(*descriptors: int) -> range:
    """Close all but the standard ones and `descriptors`; the numbers of these from now on.

    The same ones every time: those that they came with tell how many programs run beside this one.
    """
    kept = [fcntl.fcntl(each, fcntl.F_DUPFD, OUT_OF_THE_WAY) for each in descriptors]
    for number in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208
        if number not in {0, 1, 2, *kept}:
            with suppress(OSError):  # the listing's own is closed by now
                os.close(number)
    numbers = range(FIRST, FIRST + len(kept))
    for each, number in zip(kept, numbers, strict=True):
        os.dup2(each, number)
        os.close(each)
    return numbers
