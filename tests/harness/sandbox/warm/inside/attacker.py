"""Tries whatever might be seen by the fork server, a sibling or the next program; runs inside.

Each attempt runs in a process of its own, which may die of it. Those that came to their end are told in done.json; an
attempt that Linux refused at every step has not. Afterwards as much as possible is left behind: processes, files,
locks, sockets, memory, with `argv[1]`, a word to look for, in all of them.
"""
# Descriptors stay open on purpose
# ruff: noqa: PTH101, PTH102, PTH104, PTH118, PTH123, PTH208, PTH211, SIM115

import array
import ctypes
import fcntl
import inspect
import itertools
import json
import mmap
import os
import resource
import shutil
import signal
import socket
import struct
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

LIBC = ctypes.CDLL(None, use_errno=True)
WORD = sys.argv[1].encode()
PLACES = ("/", "/dev", "/dev/pts", "/dev/shm", "/home", "/home/student", "/run", "/tmp", "/bareme", "/etc", "/sys")
DEVICES = ("full", "null", "random", "tty", "urandom", "zero", "ptmx", "pts/ptmx")
MACHINE = os.uname().machine == "x86_64"
MQ_OPEN, PERSONALITY, IOPRIO_SET = (240, 135, 251) if MACHINE else (180, 92, 30)
F_SETSIG = 10
ENDING_IT = (22, 59)  # SECCOMP and SYSCALL_USER_DISPATCH of prctl(2)
ATTEMPT_S = 10
TELLING = {int(os.environ["BAREME_READY_FD"])}  # descriptors that this program needs itself


def files_everywhere() -> bool:
    """In every folder of memory, by every kind of file."""
    made = False
    for place in PLACES:
        for make in (
            lambda path: open(path, "wb").write(WORD),
            lambda path: os.mkfifo(path + "-pipe"),
            lambda path: os.symlink(WORD, path + "-link"),
            lambda path: os.mkdir(path + "-folder", 0o000),
            lambda path: os.mknod(path + "-device", 0o020666, os.makedev(1, 3)),
            lambda path: socket.socket(socket.AF_UNIX).bind(path + "-socket"),
            lambda path: os.link("/bareme/census.py", path + "-hard"),
        ):
            with suppress(OSError):
                make(f"{place}/left")
                made = True
    return made


def metadata_of_everything() -> bool:
    """Times, owners, modes, attributes and names of whatever is there."""
    changed = False
    for folder, _, names in itertools.chain(os.walk("/dev"), os.walk("/etc"), os.walk("/bareme"), [("/", (), PLACES)]):
        for path in (os.path.join(folder, name) for name in names):
            for change in (
                lambda path: os.utime(path, (1, 1)),
                lambda path: os.utime(path),
                lambda path: os.chmod(path, 0o777),
                lambda path: os.chown(path, 1000, 1000),
                lambda path: os.setxattr(path, "user.word", WORD),
                lambda path: os.setxattr(path, "trusted.word", WORD),
                lambda path: os.rename(path, path + "-renamed"),
                lambda path: os.truncate(path, 0),
            ):
                with suppress(OSError):
                    change(path)
                    changed = True
    return changed


def settings_of_linux() -> bool:
    """Every file of /proc and /sys that can be opened for writing, given what it holds, and something else."""
    for folder, folders, names in itertools.chain(os.walk("/proc/sys"), os.walk("/proc/self"), os.walk("/proc/1")):
        folders[:] = [name for name in folders if name not in ("task", "fd", "map_files", "cwd", "root")]
        for path in (os.path.join(folder, name) for name in names):
            for content in (b"0", b"1", b"2147483647", WORD):
                with suppress(OSError), open(path, "wb", buffering=0) as file:
                    file.write(content)

    return True


def views_of_files() -> bool:
    """Mounts, roots, and what lies beneath the mounts."""
    for path in (b"/tmp", b"/home/student", b"/run", b"/dev", b"/proc", b"/bareme", b"/"):
        for call in (
            lambda path: LIBC.umount2(path, 2),
            lambda path: LIBC.mount(b"none", path, b"tmpfs", 0, None),
            lambda path: LIBC.mount(None, path, None, 4096 | 32, None),
            lambda path: LIBC.chroot(path),
            lambda path: LIBC.pivot_root(path, path),
            lambda path: LIBC.syscall(428, -100, path, 0x8001),
            lambda path: LIBC.syscall(442, -100, path, 0x8000, struct.pack("=QQQQ", 0, 1, 0, 0), 32),
        ):
            assert call(path) == -1
    for link in ("/proc/1/root", "/proc/1/cwd", "/proc/self/root/../tmp", "/proc/self/cwd/../../../.."):
        with suppress(OSError):
            os.chdir(link)
            open("left-through-a-link", "wb").write(WORD)
    return True


def namespaces() -> bool:
    for flags in (1 << bit for bit in (7, 17, 25, 26, 27, 28, 29, 30)):
        assert LIBC.unshare(flags) == -1
    for name in os.listdir("/proc/self/ns"):
        with suppress(OSError):
            assert LIBC.setns(os.open(f"/proc/1/ns/{name}", os.O_RDONLY), 0) == -1
    LIBC.sethostname(WORD, 4)
    LIBC.setdomainname(WORD, 4)
    return True


def other_processes() -> bool:
    """Signals, limits, priorities and memory of every number that there might be."""
    for number in (*range(-1, 300), os.getppid()):
        if number in (0, -1, os.getpid()):
            continue
        for change in (
            lambda number: os.kill(number, signal.SIGKILL),
            lambda number: os.kill(number, signal.SIGSTOP),
            lambda number: resource.prlimit(number, resource.RLIMIT_CPU, (1, 1)),
            lambda number: os.setpriority(os.PRIO_PROCESS, number, 19),
            lambda number: os.setpriority(os.PRIO_PGRP, number, 19),
            lambda number: os.sched_setaffinity(number, {0}),
            lambda number: os.sched_setscheduler(number, os.SCHED_IDLE, os.sched_param(0)),
            lambda number: LIBC.ptrace(16, number, 0, 0),
            lambda number: open(f"/proc/{number}/mem", "r+b"),
            lambda number: open(f"/proc/{number}/oom_score_adj", "w").write("1000"),
            lambda number: os.pidfd_open(number),
        ):
            if number in (1, 2):  # this program is needed, and all of the sandbox with it
                continue
            with suppress(OSError):
                change(number)
    for number in (signal.SIGTERM, signal.SIGSTOP, signal.SIGKILL, signal.SIGINT, signal.SIGHUP, signal.SIGSEGV):
        with suppress(OSError):
            os.kill(1, number)
    os.setpriority(os.PRIO_USER, os.getuid(), 19)
    LIBC.syscall(IOPRIO_SET, 3, os.getuid(), 3 << 13)
    for number in (signal.SIGKILL, 0):  # signals that Linux itself sends, about a pipe
        reading, writing = os.pipe()
        with suppress(OSError):
            fcntl.fcntl(reading, fcntl.F_SETOWN, 1)
        fcntl.fcntl(reading, F_SETSIG, number)
        fcntl.fcntl(reading, fcntl.F_SETFL, os.O_ASYNC)
        os.write(writing, b".")
    return True


def descriptors() -> bool:
    """Whatever number is open: read, written, moved, locked, made to block."""
    for number in (each for each in range(3, 70_000) if each not in TELLING and (each < 1024 or each % 1024 < 8)):
        with suppress(OSError):
            os.set_blocking(number, False)
            os.write(number, WORD)
            os.lseek(number, 7, os.SEEK_SET)
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with suppress(OSError):
        socket.socket(fileno=os.dup(2)).send(WORD)
    return True


def locks_of_shared_files() -> bool:
    kept = []
    for path in (sys.executable, LIBC._name or sys.executable, "/etc/passwd", "/dev/null", "/dev/urandom", "/"):
        with suppress(OSError):
            kept.append(os.open(path, os.O_RDONLY))
            fcntl.flock(kept[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.fcntl(kept[-1], fcntl.F_SETLEASE, fcntl.F_RDLCK)
    return bool(kept)


def shared_memory() -> bool:
    """Write to all memory that there is, and to files mapped from the host."""
    for line in open("/proc/self/maps").read().splitlines():
        start, end = (int(part, 16) for part in line.split()[0].split("-"))
        shared, size = "s" in line.split()[1], ctypes.c_size_t(end - start)
        if shared and LIBC.mprotect(ctypes.c_void_p(start), size, mmap.PROT_READ | mmap.PROT_WRITE) == 0:
            ctypes.memmove(start, WORD, len(WORD))
    with suppress(OSError, ValueError), open(sys.executable, "rb") as file:
        mapping = mmap.mmap(file.fileno(), 4096, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)
        for advice in (8, 9, 10, 11, 20, 21, 100, 101):  # FREE, REMOVE, ..., COLD, PAGEOUT, HWPOISON, SOFT_OFFLINE
            with suppress(OSError):
                mapping.madvise(advice)
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        _, writing = os.pipe()  # a page of the host's file in a pipe, and then a byte after it
        os.splice(file.fileno(), writing, 1, offset_src=0)
        os.write(writing, WORD)
    with suppress(OSError), open("/proc/self/mem", "r+b", buffering=0) as memory:
        memory.seek(ctypes.cast(LIBC.lcong48, ctypes.c_void_p).value or 0)
        memory.write(WORD)  # the code of the C library, in memory that all programs read
    return True


def memory_between_processes() -> bool:
    for call, arguments in (
        ("shmget", (4711, 4096, 0o1666)),
        ("semget", (4711, 1, 0o1666)),
        ("msgget", (4711, 0o1666)),
    ):
        getattr(LIBC, call)(*arguments)
    LIBC.syscall(MQ_OPEN, b"left", os.O_CREAT | os.O_RDWR, 0o666, None)
    for name in (b"/left", b"/sem.left"):
        assert LIBC.shm_open(name, os.O_CREAT | os.O_RDWR, 0o666) >= 0
    for call in (248, 250, 217, 219):
        LIBC.syscall(call, b"user", b"left", WORD, len(WORD), -4)
    return True


def networks() -> bool:
    abstract = socket.socket(socket.AF_UNIX)
    abstract.bind(b"\0left")
    abstract.listen()
    server = socket.create_server(("127.0.0.1", 4711))
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 0))
    with suppress(OSError):
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    with suppress(OSError):
        socket.if_nameindex()
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 15).bind((0, 1))
    return bool(server.fileno())


def terminals() -> bool:
    pairs = [os.openpty() for _ in range(8)]
    for _, terminal in pairs:
        for request, argument in ((termios.TIOCSCTTY, 1), (termios.TIOCSTI, b"x"), (termios.TIOCNOTTY, 0)):
            with suppress(OSError):
                fcntl.ioctl(terminal, request, argument)
    with suppress(OSError):
        os.open("/dev/tty", os.O_RDWR)
    return len(pairs) == 8


def own_state() -> bool:
    """What children inherit: none of it may be the server's."""
    os.umask(0o777)
    os.nice(3)
    signal.alarm(1000)
    signal.setitimer(signal.ITIMER_PROF, 1000)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    for name in ("RLIMIT_NOFILE", "RLIMIT_AS", "RLIMIT_FSIZE"):
        resource.setrlimit(getattr(resource, name), (1 << 32, 1 << 32) if name == "RLIMIT_AS" else (64, 64))
    LIBC.syscall(PERSONALITY, 0x0040000)
    for option in (number for number in range(80) if number not in ENDING_IT):
        LIBC.prctl(option, 1, 0, 0, 0)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    os.environ["LEFT"] = WORD.decode()
    sys.path.insert(0, "/left")
    sys.modules["left"] = sys
    return True


def objects_of_the_server() -> bool:
    """Everything that Python still knows of the process this one was forked from."""
    import gc

    for name in [name for name in sys.modules if "warm" in name or name.endswith(("nest", "server", "parcel"))]:
        for function in dict(inspect.getmembers(sys.modules[name])).values():
            if inspect.isfunction(function) and function.__name__ in ("mount", "unshare", "interface_up", "_write"):
                with suppress(Exception):
                    function("tmpfs", "/tmp", "tmpfs", 0)
    for found in gc.get_objects():
        if isinstance(found, socket.socket) and found.fileno() >= 0:
            with suppress(OSError):
                found.send(WORD)
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        frame.f_locals["left"] = WORD
    return True


ATTEMPTS: tuple[Callable[[], bool], ...] = (
    files_everywhere, metadata_of_everything, settings_of_linux, views_of_files, namespaces, descriptors,
    locks_of_shared_files, shared_memory, memory_between_processes, networks, terminals, own_state,
    objects_of_the_server, other_processes,
)  # fmt: skip


def tried(attempt: Callable[[], bool]) -> bool:
    """Whether it came to its end, in a process that does not."""
    reading, writing = os.pipe()
    TELLING.update((reading, writing))
    if os.fork() == 0:
        signal.alarm(ATTEMPT_S)
        try:
            os.write(writing, b"1" if attempt() else b"0")
        except BaseException as error:  # noqa: BLE001
            print(attempt.__name__, repr(error), file=sys.stderr)
        os.close(writing)
        while True:
            time.sleep(600)  # with all that it holds
    os.close(writing)
    return os.read(reading, 1) == b"1"


def left_behind() -> Iterator[object]:
    """What a program may use, used up."""
    yield mmap.mmap(-1, 1 << 20)
    yield [bytearray(WORD) for _ in range(10_000)]
    yield [threading.Thread(target=time.sleep, args=(600,), daemon=True).start() for _ in range(2)]
    for place in ("/dev/shm", "/run", "/tmp", "/home/student"):
        with suppress(OSError), open(f"{place}/full", "wb", buffering=0) as file:
            while shutil.disk_usage(place).free > 1 << 18:
                file.write(WORD * 4096)
    passing, passed = socket.socketpair()
    with suppress(OSError):
        for _ in range(300):
            passing.sendmsg([b"."], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0] * 64))])
    yield passing, passed
    kept = []
    with suppress(OSError):
        while True:
            kept.append(os.pipe() if len(kept) < 200 else os.dup(0))
    for _ in range(4):
        os.close(kept.pop())
    yield kept


if __name__ == "__main__":
    done = [attempt.__name__ for attempt in ATTEMPTS if tried(attempt)]
    with open("done.json", "w") as done_file:
        json.dump(done, done_file)
    everything = list(left_behind())
    os.write(int(os.environ["BAREME_READY_FD"]), b".")
    signal.pause()
