"""No sandbox: a program as an ordinary process of the same user, tidied up after. For one's own notebooks only.

Keeps the same contract, so that a student can check a notebook where namespaces are not to be had. It never starts
by itself in place of `bubblewrap`. Covered and not covered: `GUARANTEES`.
"""

import json
import os
import signal
import socket
import subprocess
import tempfile
from contextlib import ExitStack, suppress
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

from harness.course import Limits
from harness.errors import SandboxUnavailable
from harness.records import Text
from harness.sandbox.contract import RUN, TRUSTED, WORK, Guarantee, Program
from harness.sandbox.inside import (
    ISOLATED,
    READY_FD,
    environment,
    inside_name,
    start_command,
    start_files,
    start_settings,
)
from harness.sandbox.packages import closure
from harness.sandbox.process import Ends, Pipes, SandboxProcess, await_handshake, open_pipes, readable, resource_limits
from harness.sandbox.supervise import remove
from harness.sandbox.view import python_path

PACKAGES = "packages"
SCRATCH = "tmp"
LONGEST_FOLDER = 60  # characters; leaves room for the names of sockets, which end at 107 bytes
TIDY_S = 10.0  # for the supervisor to end the tree and remove the folder; it takes milliseconds
WARNING = Text(
    fr="Sans bac à sable : le code du notebook peut lire vos fichiers, utiliser le réseau et agir en votre nom. "
    "À réserver à vos propres notebooks.",
    en="No sandbox: the notebook's code can read your files, use the network and act in your name. "
    "For your own notebooks only.",
)
GUARANTEES: Final[tuple[Guarantee, ...]] = (
    Guarantee("root", covered=False, detail="runs as the user who runs bareme"),
    Guarantee("privileges", covered=False, detail="has every right of that user"),
    Guarantee("landlock", covered=False, detail="not applied: the code may write wherever the user may"),
    Guarantee("network", covered=False, detail="sees the network"),
    Guarantee("filesystem", covered=False, detail="sees and writes what the user may; only imports are restricted"),
    Guarantee("processes", covered=True, detail="ended with all they start, unless the supervisor is killed first"),
    Guarantee("grader_killed", covered=True, detail="the supervisor ends the tree and removes its folder"),
    Guarantee("environment", covered=True, detail="rebuilt from nothing; no descriptor but the ready pipe"),
    Guarantee("disk", covered=False, detail="one file has a limit, all together have none"),
    Guarantee("memory", covered=True, detail="the tree's sum, looked at every 25 ms"),
    Guarantee("cpu", covered=True, detail="the tree's sum; children under 25 ms that nobody waits for can escape it"),
    Guarantee("linux", covered=False, detail="nothing stands between the program and Linux"),
)


class PlainProcess(SandboxProcess):
    """A program whose supervisor ends the tree when it is told to."""

    def __init__(self, outermost: subprocess.Popen[bytes], pipes: Pipes, folder: Path, *, limits: Limits) -> None:
        """Take hold of it; `folder` is removed with its end."""
        self.folder = folder
        self._outermost = outermost
        folders = {name: (str(folder / name), str(folder / name)) for name in (WORK, TRUSTED, RUN)}
        super().__init__(outermost.pid, pipes, root=outermost.pid, limits=limits, folders=folders)

    def _end_tree(self) -> None:
        with suppress(ProcessLookupError):  # it has ended by itself
            signal.pidfd_send_signal(self._root_fd, signal.SIGTERM)
        if not readable(self._root_fd, TIDY_S):
            os.killpg(self.pid, signal.SIGKILL)
        self._outermost.wait()
        if self.folder.exists():  # the supervisor was killed
            remove(self.folder)


class Plain:
    """Keeps `contract.Sandbox` as far as a process of the same user can."""

    name = "plain"
    guarantees = GUARANTEES

    def check(self) -> None:
        if len(tempfile.gettempdir()) > LONGEST_FOLDER:
            raise SandboxUnavailable(
                f"The path of {tempfile.gettempdir()} is too long for sockets", remedy="Set TMPDIR to a shorter one."
            )
        if not Path(f"/proc/self/task/{os.getpid()}/children").exists():
            raise SandboxUnavailable("/proc lists no children of processes", remedy="Run bareme on Linux.")

    def start(self, program: Program) -> PlainProcess:
        self.check()
        with ExitStack() as undo:
            folder = Path(tempfile.mkdtemp(prefix="bareme-"))
            undo.callback(remove, folder)
            _fill(folder, program)
            handshake, inside = socket.socketpair()
            pipes, ends = open_pipes(handshake)
            undo.callback(pipes.close)
            with inside:
                outermost = _supervised(folder, program, ends, handshake=inside.fileno())
            await_handshake(outermost, pipes)
            undo.pop_all()
        process = PlainProcess(outermost, pipes, folder, limits=program.limits)
        process.go()
        return process


def _supervised(folder: Path, program: Program, ends: Ends, *, handshake: int) -> subprocess.Popen[bytes]:
    python = str(python_path())
    descriptors = (ends.ready, handshake)
    supervising = {"grader": os.getpid(), "folder": str(folder), "descriptors": descriptors}
    settings = start_settings(
        trusted=str(folder / TRUSTED),
        packages=str(folder / PACKAGES),
        limits=resource_limits(program.limits, processes=None),
    )
    command = start_command(python, program, settings, handshake=handshake)
    variables = environment(
        program,
        home=str(folder / WORK),
        scratch=str(folder / SCRATCH),
        run=str(folder / RUN),
    )
    with ExitStack() as closing:
        closing.callback(ends.close)
        script = closing.enter_context(as_file(files("harness.sandbox").joinpath("supervise.py")))
        return subprocess.Popen(
            [python, *ISOLATED, str(script), json.dumps(supervising), *command],
            cwd=folder / WORK,
            env={**variables, READY_FD: str(ends.ready)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=ends.errors,
            start_new_session=True,
            pass_fds=descriptors,
        )


def _fill(folder: Path, program: Program) -> None:
    for name in (WORK, TRUSTED, RUN, SCRATCH, PACKAGES):
        (folder / name).mkdir()
    for source, name in closure(program.packages).entries:
        link = folder / PACKAGES / name
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(source)
    for inside, contents in ((TRUSTED, {**program.trusted, **start_files()}), (WORK, program.files)):
        for name, content in contents.items():
            path = folder / inside / inside_name(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            path.chmod(0o444)
