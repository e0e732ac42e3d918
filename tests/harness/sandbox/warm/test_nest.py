"""How a nested sandbox is built and held: each step that Linux refuses, and each of our processes dying."""

import os
import signal
import struct
from collections.abc import Callable

import pytest
from family import WAITS, Family, kill, wait

from harness.errors import SandboxUnavailable
from harness.records import Outcome
from harness.sandbox import syscalls
from harness.sandbox.process import SandboxProcess

NUMBERS = {"x86_64": {"clone": 56, "mount": 165, "capset": 126, "setsid": 112, "unshare": 272}}
NUMBERS["aarch64"] = {"clone": 220, "mount": 40, "capset": 91, "setsid": 157, "unshare": 97}
MOUNT_SETATTR = 442
NOT_PERMITTED = 0x00050001  # of a filter: EPERM
FORBID = """
import ctypes
def prepare(settings):
    instructions = bytes.fromhex({instructions!r})
    class Filter(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]
    libc = ctypes.CDLL(None)
    libc.prctl(38, 1, 0, 0, 0)
    assert libc.prctl(22, 2, ctypes.byref(Filter(len(instructions) // 8, instructions)), 0, 0) == 0
"""
ORPHANS = """
import os, signal, time
for _ in range(50):
    if os.fork() == 0:
        os.fork()
        os._exit(0)
    os.wait()
while {name for name in os.listdir("/proc") if name.isdigit()} != {"1", "2"}:
    time.sleep(0.01)
os.write(int(os.environ["BAREME_READY_FD"]), b".")
signal.pause()
"""
ENDINGS = {
    "its end": "",
    "an exit": "import os; os._exit(3)",
    "an error": "1 / 0",
    "a signal": "import os; os.abort()",
    "another program": "import os; os.execv('/bin/true', ['true'])",
    "a child that stays": "import os, time\nif os.fork() == 0: os.setsid(); time.sleep(600)",
    "a signal to all": "import os, signal; os.kill(-1, signal.SIGKILL); os.kill(os.getpid(), signal.SIGKILL)",
    "a stopped child": "import os, signal\nif os.fork() == 0: os.kill(os.getpid(), signal.SIGSTOP)",
}


def forbidding(call: int) -> str:
    """A module that lets its process, and those it forks, be refused one system call."""
    lines = [(0x20, 0, 0, 0), (0x15, 0, 1, call), (0x06, 0, 0, NOT_PERMITTED), (0x06, 0, 0, syscalls.ALLOW)]
    return FORBID.format(instructions=b"".join(struct.pack("=HBBI", *line) for line in lines).hex())


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("clone", "'clone'"),
        ("unshare", "'unshare'"),
        ("mount_setattr", "'mount /'"),
        ("mount", "'mount /proc'"),
        ("capset", "'capset'"),
        ("setsid", "not permitted"),
    ],
)
def test_a_step_that_linux_refuses_is_named(begun: Callable[..., Family], call: str, said: str) -> None:
    number = {**NUMBERS[os.uname().machine], "mount_setattr": MOUNT_SETATTR}[call]
    with pytest.raises(SandboxUnavailable, match=rf"nested sandbox cannot be built: .*\[Errno 1\].*{said}") as raised:
        begun(forbidding(number)).server.wait()
    assert "Traceback" not in str(raised.value)


def test_a_pid_1_that_is_killed_takes_the_program_along(family: Family) -> None:
    process = family.waiting()
    kill(process.pid)
    wait(process.wait_fd())
    assert process.exceeded() is Outcome.INFRASTRUCTURE
    family.waiting()
    assert family.server.replaced == 0


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=list(ENDINGS))
def test_a_program_that_ends_by_itself_is_not_taken_for_a_dead_server(family: Family, ending: str) -> None:
    process = family.start(ending)
    wait(process.wait_fd())
    assert process.exceeded() is None
    process.end()


def test_pid_1_is_not_the_programs_to_look_into(family: Family) -> None:
    """Also where Linux offers no Landlock: what /proc tells of it belongs to another user."""
    process = family.start(f"import os, signal; assert os.stat('/proc/1/mem').st_uid != os.getuid()\n{WAITS}")
    wait(process.ready_fd())
    assert os.read(process.ready_fd(), 1) == b".", process.last_words()


def test_orphans_are_waited_for(family: Family) -> None:
    process = family.start(ORPHANS)
    wait(process.ready_fd())
    assert os.read(process.ready_fd(), 1) == b".", process.last_words()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGSTOP, signal.SIGTSTP, signal.SIGKILL, signal.SIGCHLD])
def test_signals_do_not_reach_pid_1(family: Family, number: int) -> None:
    code = f"""
import os, signal
try:
    os.kill(1, {int(number)})
except PermissionError:
    pass  # Landlock knows of signals since Linux 6.12
"""
    process: SandboxProcess = family.start(code)
    wait(process.wait_fd())
    assert process.exceeded() is None
