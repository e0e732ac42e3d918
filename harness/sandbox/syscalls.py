"""System calls that a program is refused: memory that no look at the tree would see, and parts of Linux it never needs.

A seccomp filter, as bubblewrap and `start` take it: load it once the sandbox is built, since the calls that build one
are refused. Not covered: arguments of calls but for the first of a few (and whether one is null), and machines other
than x86-64 and ARM64.
"""

import platform
import signal
import socket
import struct
from collections.abc import Mapping, Sequence
from typing import Final

from harness.errors import SandboxUnavailable

ARCHITECTURES: Final[Mapping[str, int]] = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # linux/audit.h
# asm/unistd_64.h of x86-64, and asm-generic/unistd.h, whose numbers ARM64 has
REFUSED: Final[Mapping[str, Mapping[str, int]]] = {
    # memory without a mapping: the watchdog would not see it
    "memfd_create": {"x86_64": 319, "aarch64": 279},
    "memfd_secret": {"x86_64": 447, "aarch64": 447},
    "shmget": {"x86_64": 29, "aarch64": 194},
    "msgget": {"x86_64": 68, "aarch64": 186},
    "semget": {"x86_64": 64, "aarch64": 190},
    # the processes of one sandbox are of one user: without these, its first one, which is ours, stays whole
    "ptrace": {"x86_64": 101, "aarch64": 117},
    "process_vm_readv": {"x86_64": 310, "aarch64": 270},
    "process_vm_writev": {"x86_64": 311, "aarch64": 271},
    "pidfd_getfd": {"x86_64": 438, "aarch64": 438},
    # memory that Linux itself holds, and a history of errors
    "io_uring_setup": {"x86_64": 425, "aarch64": 425},
    "bpf": {"x86_64": 321, "aarch64": 280},
    "userfaultfd": {"x86_64": 323, "aarch64": 282},
    "perf_event_open": {"x86_64": 298, "aarch64": 241},
    "add_key": {"x86_64": 248, "aarch64": 217},
    "request_key": {"x86_64": 249, "aarch64": 218},
    "keyctl": {"x86_64": 250, "aarch64": 219},
    # namespaces and views of files: no program can use them without a user namespace of its own, which it is denied
    "unshare": {"x86_64": 272, "aarch64": 97},
    "setns": {"x86_64": 308, "aarch64": 268},
    "chroot": {"x86_64": 161, "aarch64": 51},
    "pivot_root": {"x86_64": 155, "aarch64": 41},
    "mount": {"x86_64": 165, "aarch64": 40},
    "umount2": {"x86_64": 166, "aarch64": 39},
    "open_tree": {"x86_64": 428, "aarch64": 428},
    "move_mount": {"x86_64": 429, "aarch64": 429},
    "fsopen": {"x86_64": 430, "aarch64": 430},
    "fsconfig": {"x86_64": 431, "aarch64": 431},
    "fsmount": {"x86_64": 432, "aarch64": 432},
    "fspick": {"x86_64": 433, "aarch64": 433},
    "mount_setattr": {"x86_64": 442, "aarch64": 442},
    "open_tree_attr": {"x86_64": 467, "aarch64": 467},
    "open_by_handle_at": {"x86_64": 304, "aarch64": 265},
    # its flags lie in memory, where no filter sees them: the C library falls back to clone, whose flags are looked at
    "clone3": {"x86_64": 435, "aarch64": 435},
}
# Refused or not by their first argument
CLONE: Final[Mapping[str, int]] = {"x86_64": 56, "aarch64": 220}
CLONE_NEW = 0x7E020000  # linux/sched.h: every flag that asks for a namespace, NEWNS, NEWCGROUP ... NEWNET
# Limits of another process: one of the same user may be given so little CPU time that Linux ends it, PID 1 included.
PRLIMIT: Final[Mapping[str, int]] = {"x86_64": 302, "aarch64": 261}
ITSELF = 0
# Of all kinds of sockets only these stay within a network namespace for certain: AF_VSOCK reaches the virtual machine's
# host from within any, and no other is needed.
SOCKETS: Final[tuple[Mapping[str, int], ...]] = ({"x86_64": 41, "aarch64": 198}, {"x86_64": 53, "aarch64": 199})
FAMILIES: Final = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)
# What a process does about children that have ended. With SIG_IGN or SA_NOCLDWAIT Linux takes them away at once, and
# their CPU time is on no account; what is asked for lies in memory, where no filter sees it.
SIGACTION: Final[Mapping[str, int]] = {"x86_64": 13, "aarch64": 134}
# classic BPF, see bpf(4) of BSD and linux/filter.h
LOAD_WORD, JUMP_EQUAL, JUMP_AT_LEAST, JUMP_ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER_AT, ARCHITECTURE_AT, FIRST_ARGUMENT_AT = 0, 4, 16  # offsets in struct seccomp_data; the low half of the argument
SECOND_ARGUMENT_AT = (24, 28)  # both halves: an address
ALLOW = 0x7FFF0000
REFUSE = 0x00050000 | 38  # ENOSYS: libraries take it for an older Linux and do without
PRETEND = 0x00050000  # 0: the call has no effect and says that all went well
OTHER_NUMBERS = 0x40000000  # x86-64's second set of numbers (x32) begins here
# Where a test leads, or how many lines it passes over
NEXT, TO_ALLOW, TO_REFUSE, TO_PRETEND = "next", "allow", "refuse", "pretend"

Target = str | int
Line = tuple[int, int, Target, Target]  # code, operand, where to go if it holds and if it does not


def seccomp_filter(*, counted: bool = False) -> bytes:
    """The filter for this machine.

    Args:
        counted: children that end stay on their parents' account until they are waited for. Setting the action of
            SIGCHLD then has no effect; it is no error, since libraries set one that they can do without (torch's
            DataLoader).

    Raises:
        SandboxUnavailable: its system call numbers are not known here.
    """
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        raise SandboxUnavailable(
            f"System calls of {machine} are not known", remedy="Mark on a machine with x86-64 or ARM64."
        )
    return _assembled(
        (
            (LOAD_WORD, ARCHITECTURE_AT, NEXT, NEXT),
            (JUMP_EQUAL, ARCHITECTURES[machine], NEXT, TO_REFUSE),  # 32-bit programs have other numbers: refuse all
            (LOAD_WORD, NUMBER_AT, NEXT, NEXT),
            (JUMP_AT_LEAST, OTHER_NUMBERS, TO_REFUSE, NEXT),
            *((JUMP_EQUAL, call[machine], TO_REFUSE, NEXT) for call in REFUSED.values()),
            *_by_argument(CLONE[machine], (JUMP_ANY_BIT, CLONE_NEW, TO_REFUSE, TO_ALLOW)),
            *_only_with(PRLIMIT[machine], ITSELF),
            *(line for call in SOCKETS for line in _only_with(call[machine], *FAMILIES)),
            *(_setting_has_no_effect(SIGACTION[machine], signal.SIGCHLD) if counted else ()),
        )
    )


def _only_with(call: int, *arguments: int) -> tuple[Line, ...]:
    """Refuse a system call whose first argument is none of these."""
    *others, last = arguments
    equal = ((JUMP_EQUAL, argument, TO_ALLOW, NEXT) for argument in others)
    return _by_argument(call, *equal, (JUMP_EQUAL, last, TO_ALLOW, TO_REFUSE))


def _setting_has_no_effect(call: int, what: int) -> tuple[Line, ...]:
    """Of a system call that sets (or with a null pointer only tells) what its first argument names."""
    low, high = SECOND_ARGUMENT_AT
    return _by_argument(
        call,
        (JUMP_EQUAL, what, NEXT, TO_ALLOW),
        (LOAD_WORD, low, NEXT, NEXT),
        (JUMP_EQUAL, 0, NEXT, TO_PRETEND),
        (LOAD_WORD, high, NEXT, NEXT),
        (JUMP_EQUAL, 0, TO_ALLOW, TO_PRETEND),
    )


def _by_argument(call: int, *tests: Line) -> tuple[Line, ...]:
    """`tests` of the first argument for one system call; all others pass over them."""
    return ((JUMP_EQUAL, call, NEXT, len(tests) + 1), (LOAD_WORD, FIRST_ARGUMENT_AT, NEXT, NEXT), *tests)


def _assembled(lines: Sequence[Line]) -> bytes:
    """The instructions, followed by those that allow, refuse and pretend."""
    instructions = []
    for index, (code, operand, *targets) in enumerate(lines):
        left = len(lines) - index - 1
        distance = {NEXT: 0, TO_ALLOW: left, TO_REFUSE: left + 1, TO_PRETEND: left + 2}
        jumps = (target if isinstance(target, int) else distance[target] for target in targets)
        instructions.append(struct.pack("=HBBI", code, *jumps, operand))
    ends = (struct.pack("=HBBI", RETURN, 0, 0, answer) for answer in (ALLOW, REFUSE, PRETEND))
    return b"".join((*instructions, *ends))
