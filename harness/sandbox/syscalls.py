"""System calls that a program is refused: memory that no look at the tree would see, and parts of Linux it never needs.

A seccomp filter as bubblewrap takes it. Not covered: arguments of calls, and machines other than x86-64 and ARM64.
"""

import platform
import struct
from collections.abc import Mapping
from typing import Final

from harness.errors import SandboxUnavailable

ARCHITECTURES: Final[Mapping[str, int]] = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # linux/audit.h
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
    # memory that Linux itself holds, and a history of errors
    "io_uring_setup": {"x86_64": 425, "aarch64": 425},
    "bpf": {"x86_64": 321, "aarch64": 280},
    "userfaultfd": {"x86_64": 323, "aarch64": 282},
    "perf_event_open": {"x86_64": 298, "aarch64": 241},
    "add_key": {"x86_64": 248, "aarch64": 217},
    "request_key": {"x86_64": 249, "aarch64": 218},
    "keyctl": {"x86_64": 250, "aarch64": 219},
}
# classic BPF, see bpf(4) of BSD and linux/filter.h
LOAD_WORD, JUMP_EQUAL, JUMP_AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
NUMBER_AT, ARCHITECTURE_AT = 0, 4  # offsets in struct seccomp_data
ALLOW = 0x7FFF0000
REFUSE = 0x00050000 | 38  # ENOSYS: libraries take it for an older Linux and do without
OTHER_NUMBERS = 0x40000000  # x86-64's second set of numbers (x32) begins here


def seccomp_filter() -> bytes:
    """The filter for this machine.

    Raises:
        SandboxUnavailable: its system call numbers are not known here.
    """
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        raise SandboxUnavailable(
            f"System calls of {machine} are not known", remedy="Mark on a machine with x86-64 or ARM64."
        )
    numbers = [call[machine] for call in REFUSED.values()]
    to_refuse = len(numbers) + 1  # instructions between the second check and the last instruction
    lines = [
        (LOAD_WORD, 0, 0, ARCHITECTURE_AT),
        (JUMP_EQUAL, 0, to_refuse + 2, ARCHITECTURES[machine]),  # 32-bit programs have other numbers: refuse all
        (LOAD_WORD, 0, 0, NUMBER_AT),
        (JUMP_AT_LEAST, to_refuse, 0, OTHER_NUMBERS),
        *((JUMP_EQUAL, to_refuse - 1 - index, 0, number) for index, number in enumerate(numbers)),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, REFUSE),
    ]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)
