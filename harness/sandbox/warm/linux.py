"""The few system calls that Python does not offer, for the processes that build a nested sandbox.

Runs inside; standard library only. Not covered: what they are called for (`nest`).
"""

import ctypes
import fcntl
import os
import signal
import socket
import struct
from pathlib import Path

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x2000000, 0x4000000, 0x8000000  # linux/sched.h
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
CLONE_PIDFD = 0x1000
CLONE = {"x86_64": 56, "aarch64": 220}  # asm/unistd_64.h of x86-64, and asm-generic/unistd.h, whose numbers ARM64 has
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND = 1, 2, 4, 8, 32, 4096  # linux/mount.h
MS_PRIVATE, MOUNT_ATTR_RDONLY = 1 << 18, 1
MOUNT_SETATTR = 442  # the same number on x86-64 and ARM64
MOUNT_ATTRIBUTES = struct.Struct("=QQQQ")  # struct mount_attr: to set, to clear, propagation, a user namespace
AT_FDCWD, AT_RECURSIVE = -100, 0x8000  # linux/fcntl.h
PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 4, 24, 38, 47
PR_CAP_AMBIENT_CLEAR_ALL = 4
CAPABILITY_VERSION_3 = 0x20080522  # linux/capability.h
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1  # linux/sockios.h, linux/if.h
INTERFACE = struct.Struct("16sh14x")  # struct ifreq with its flags

_libc = ctypes.CDLL(None, use_errno=True)
_holding = ctypes.PyDLL(None, use_errno=True)  # the same, but calls keep hold of the interpreter


def clone(flags: int) -> int | None:
    """Fork into the new namespaces of `flags`, a PID namespace among them: a pidfd of the child, None in the child.

    `os.fork` offers no namespaces, and `clone` of the C library no copy of the stack, so this asks Linux itself. What
    Python and the C library do around a fork is left out: for threads, of which there must be one; for random numbers,
    which the child must not draw; and for the number of the thread, which is 1 on both sides where the caller is the
    first process of its namespace, as the child is of its own. A child of the child, by `os.fork`, gets all of it.
    """
    pidfd = ctypes.c_int()
    asked = (flags | CLONE_PIDFD | signal.SIGCHLD, 0, ctypes.addressof(pidfd), 0, 0)  # the stack is copied
    child = _holding.syscall(CLONE[os.uname().machine], *map(ctypes.c_ulong, asked))
    _checked(min(child, 0), "clone")
    return pidfd.value if child else None


def unshare(flags: int) -> None:
    """Leave the namespaces of `flags` for new ones."""
    _checked(_libc.unshare(flags), "unshare")


def mount(source: str | None, target: str, kind: str | None, flags: int, options: str = "") -> None:
    """See mount(2)."""
    words = [word if word is None else word.encode() for word in (source, target, kind)]
    _checked(_libc.mount(*words, ctypes.c_ulong(flags), options.encode() or None), f"mount {target}")


def close_off(target: str) -> None:
    """Let nothing be changed through the mounts at and below `target`, nor changes to them be seen elsewhere.

    Devices can be written to all the same, but not their times.
    """
    attributes = MOUNT_ATTRIBUTES.pack(MOUNT_ATTR_RDONLY, 0, MS_PRIVATE, 0)
    size = ctypes.c_size_t(len(attributes))
    result = _libc.syscall(MOUNT_SETATTR, AT_FDCWD, target.encode(), AT_RECURSIVE, attributes, size)
    _checked(result, f"mount {target}")


def prctl(option: int, *arguments: int) -> None:
    """See prctl(2)."""
    padded = [ctypes.c_ulong(value) for value in (*arguments, 0, 0, 0, 0)[:4]]
    _checked(_libc.prctl(option, *padded), f"prctl {option}")


def drop_capabilities() -> None:
    """Give up every capability, in every set, for good."""
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text(encoding="ascii"))
    for capability in range(last + 1):
        prctl(PR_CAPBSET_DROP, capability)
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    header = struct.pack("=Ii", CAPABILITY_VERSION_3, 0)
    _checked(_libc.capset(header, bytes(24)), "capset")
    prctl(PR_SET_NO_NEW_PRIVS, 1)


def interface_up(name: str) -> None:
    """Bring up a network interface of this namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        asked = INTERFACE.pack(name.encode(), 0)
        flags = INTERFACE.unpack(fcntl.ioctl(any_socket, SIOCGIFFLAGS, asked))[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, INTERFACE.pack(name.encode(), flags | IFF_UP))


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
