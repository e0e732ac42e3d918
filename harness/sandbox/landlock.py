"""Landlock: what a process may do to files and to other processes, whatever its namespaces let it see.

The second wall, where Linux offers it. Runs inside, just before the program; the grader asks it for the version only.
Standard library only. Not covered: TCP, for a sandbox has no network but its own loopback, which notebooks may use.
"""

import ctypes
import os
import struct
from collections.abc import Iterable

# linux/landlock.h; these system calls have the same numbers on x86-64 and ARM64
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
ASK_VERSION = 1 << 0
PATH_BENEATH = 1
RULESET = struct.Struct("=QQQ")  # rights on files, rights on ports, scopes; an older Linux takes zeros that it lacks
RULE = struct.Struct("=Qi")  # rights, descriptor of the folder
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REMOVE_DIR, REMOVE_FILE = 1 << 4, 1 << 5
MAKE_CHAR, MAKE_DIR, MAKE_REG, MAKE_SOCK = 1 << 6, 1 << 7, 1 << 8, 1 << 9
MAKE_FIFO, MAKE_BLOCK, MAKE_SYM = 1 << 10, 1 << 11, 1 << 12
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
SINCE = {REFER: 2, TRUNCATE: 3, IOCTL_DEV: 5}  # versions; all other rights came with the first
SCOPES, SCOPES_SINCE = 1 << 0 | 1 << 1, 6  # abstract Unix sockets and signals stay among those who are restricted
QUIET, QUIET_SINCE = 1 << 0 | 1 << 2, 7  # what is refused is everyday: not a line in the host's log each
# The first version refuses, to everyone and always, to move a file to another folder: notebooks would break.
OLDEST = 2
PR_SET_NO_NEW_PRIVS = 38

READ = EXECUTE | READ_FILE | READ_DIR
CREATE = REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_SOCK | MAKE_FIFO | MAKE_SYM | REFER
WRITE = READ | CREATE | WRITE_FILE | TRUNCATE
DEVICES = READ_FILE | READ_DIR | WRITE_FILE | IOCTL_DEV
ALL = WRITE | DEVICES | MAKE_CHAR | MAKE_BLOCK  # device files can be made nowhere

_libc = ctypes.CDLL(None, use_errno=True)


def version() -> int:
    """The version of Landlock that Linux offers, 0 where it offers none."""
    return max(0, int(_libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ASK_VERSION)))


def restrict(*, readable: Iterable[str], writable: Iterable[str], devices: Iterable[str]) -> None:
    """Take from this process, and all that it starts, every right that is not beneath one of these folders.

    Programs may be run from what is readable or writable. Signals and abstract sockets reach nobody outside. Where
    Linux offers no Landlock that notebooks could live with, nothing is done. Call it while there is one thread only.

    Raises:
        OSError: a folder is missing, or Linux refuses what it offers.
    """
    offered = version()
    if offered < OLDEST:
        return
    known = ALL & ~sum(right for right, since in SINCE.items() if since > offered)
    ruleset = _checked(
        CREATE_RULESET, RULESET.pack(known, 0, SCOPES if offered >= SCOPES_SINCE else 0), RULESET.size, 0
    )
    for rights, folders in ((READ, readable), (WRITE, writable), (DEVICES, devices)):
        for folder in folders:
            _allow(ruleset, folder, rights & known)
    _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _checked(RESTRICT_SELF, ruleset, QUIET if offered >= QUIET_SINCE else 0)
    os.close(ruleset)


def _allow(ruleset: int, folder: str, rights: int) -> None:
    beneath = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    _checked(ADD_RULE, ruleset, PATH_BENEATH, RULE.pack(rights, beneath), 0)
    os.close(beneath)


def _checked(call: int, *arguments: int | bytes) -> int:
    result = int(_libc.syscall(call, *(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments)))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"Landlock: {os.strerror(number)}")
    return result
