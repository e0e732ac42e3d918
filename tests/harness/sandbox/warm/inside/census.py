"""Everything that a program can tell of its sandbox, as JSON in census.json; runs inside.

Each entry is one line of text under a name. What differs between any two programs is left out here, where it is read,
with the reason; everything else must be the same for every program of one fork server.
"""
# pathlib would take memory before that is told
# ruff: noqa: PTH109, PTH113, PTH115, PTH118, PTH119, PTH123, PTH208

import ctypes
import hashlib
import json
import os
import re
import resource
import signal
import socket
import stat
import sys
from collections.abc import Iterable, Iterator

# Counters of the whole machine, or measurements of this process: they go on counting.
COUNTERS = {
    *("buddyinfo", "diskstats", "interrupts", "loadavg", "meminfo", "pagetypeinfo", "softirqs", "stat", "swaps"),
    *("cgroups", "self/net/protocols", "timer_list", "uptime", "vmstat", "zoneinfo", "schedstat", "mdstat"),
    *("self/sched", "self/schedstat", "self/stat", "self/statm", "self/io", "self/syscall", "self/arch_status"),
    *("self/smaps", "self/smaps_rollup", "self/numa_maps", "self/wchan", "self/ksm_stat"),  # sizes in memory
    "self/maps",  # told as "memory", from before this program itself took any
    *("1/sched", "1/schedstat", "1/stat", "1/statm", "1/wchan", "1/arch_status"),
    *("sys/fs/dentry-state", "sys/fs/file-nr", "sys/fs/inode-nr", "sys/fs/inode-state", "sys/kernel/random/uuid"),
    *("sys/kernel/random/entropy_avail", "self/net/softnet_stat", "self/net/sockstat", "sys/fs/aio-nr"),
    *("sys/kernel/pty/nr", "sys/fs/quota/syncs"),
}
COUNTING = re.compile(r"ctxt_switches|^Vm|^Rss|^ino:|^mnt_id:")  # lines of other files in /proc that do
# Numbers that Linux gives to each new mount, device, pipe, namespace, session and socket, one after the other
NUMBERS = {
    "mountinfo": re.compile(r"^\d+ \d+ \d+:\d+ ", re.M),
    "autogroup": re.compile(r"\d+"),
    "netlink": re.compile(r"^[0-9a-f]+|\d+\s*$", re.M),
    "unix": re.compile(r"^[0-9a-f]+|\d+$", re.M),
}
ENDLESS = {"kmsg", "kcore", "kpagecount", "kpagecgroup", "kpageflags", "mem", "pagemap", "clear_refs"}
OWN = ("/bareme", "/dev/pts", "/dev/shm", "/home/student", "/run", "/tmp")  # made for each start: their times differ
HELD = ("/etc", "/dev", *OWN)  # in memory: told file by file, with a digest of what is in them
UNTIMED = "/sys"  # Linux makes up the times of these files whenever one comes back into memory
PRCTL = {"dumpable": 3, "keepcaps": 7, "seccomp": 21, "tsc": 25, "securebits": 27, "timerslack": 30, "subreaper": 37}
PRCTL |= {"no_new_privs": 39, "thp_disable": 42, "mce_kill": 34, "speculation": 52}
LIBC = ctypes.CDLL(None, use_errno=True)


def census() -> dict[str, str]:
    """What there is, by name."""
    memory = read("/proc/self/maps")  # before anything else is allocated
    found = {f"process {name}": repr(value) for name, value in process()}
    found |= {f"proc {name}": text for name, text in proc()}
    found |= {f"file {path}": told for path, told in files()}
    return {**found, "memory": memory, "modules": " ".join(sorted(sys.modules))}


def process() -> Iterator[tuple[str, object]]:
    yield "numbers", (os.getpid(), os.getppid(), os.getpgid(0), os.getsid(0))
    yield "users", (os.getresuid(), os.getresgid(), os.getgroups())
    yield "others", sorted(name for name in os.listdir("/proc") if name.isdigit())
    for name in sorted(name for name in dir(resource) if name.startswith("RLIMIT_")):
        yield name, resource.getrlimit(getattr(resource, name))
    yield "priority", (os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0), os.sched_getaffinity(0))
    yield "of PID 1", (os.getpriority(os.PRIO_PROCESS, 1), os.sched_getscheduler(1), os.sched_getaffinity(1))
    for name, number in PRCTL.items():
        yield name, LIBC.prctl(number, 0, 0, 0, 0)
    yield "personality", LIBC.personality(0xFFFFFFFF)
    yield "umask", os.umask(0o022)
    yield "folder", os.getcwd()
    yield "signals", {number: handler(number) for number in sorted(signal.valid_signals())}
    yield "blocked", (sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())), sorted(signal.sigpending()))
    yield (
        "timers",
        [signal.getitimer(which) for which in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)],
    )
    yield "environment", dict(sorted(os.environ.items()))
    yield "python", (sys.argv[0], sys.executable, str(sys.flags), sys.path, hash("seed"), sys.getrecursionlimit())
    yield "interfaces", socket.if_nameindex()
    yield "host", os.uname()
    yield "terminals", os.listdir("/dev/pts")
    yield "room", [(each.f_blocks, each.f_bavail, each.f_files, each.f_flag) for each in map(os.statvfs, OWN)]
    for number in sorted(map(int, os.listdir("/proc/self/fd"))):
        yield f"descriptor {number}", re.sub(r"\d+", "N", link(f"/proc/self/fd/{number}"))


def handler(number: int) -> str:
    return str(signal.getsignal(number)).partition(" at ")[0]


def proc() -> Iterator[tuple[str, str]]:
    for name in (*under("/proc", ""), *under("/proc", "self"), *under("/proc", "1"), *walk("/proc", "sys")):
        if name not in COUNTERS and os.path.basename(name) not in ENDLESS:
            yield name, steady(name, read(f"/proc/{name}"))
    for folder in ("sysvipc", "self/attr", "self/net", "self/fdinfo"):
        yield from (
            (name, steady(name, read(f"/proc/{name}"))) for name in under("/proc", folder) if name not in COUNTERS
        )
    yield "namespaces", " ".join(sorted(os.listdir("/proc/self/ns")))


def steady(name: str, text: str) -> str:
    """What does not count or number."""
    pattern = NUMBERS.get(os.path.basename(name))
    text = "\n".join(line for line in text.splitlines() if not COUNTING.search(line))
    return pattern.sub("", text) if pattern else text


def under(top: str, folder: str) -> list[str]:
    try:
        names = sorted(os.path.join(folder, name) for name in os.listdir(os.path.join(top, folder)))
    except OSError:
        return []
    return [name for name in names if os.path.isfile(os.path.join(top, name))]


def walk(top: str, folder: str) -> Iterable[str]:
    return (
        os.path.relpath(os.path.join(where, name), top)
        for where, folders, names in os.walk(os.path.join(top, folder))
        for name in sorted(names)
        if folders.sort() is None
    )


def files() -> Iterator[tuple[str, str]]:
    """Each file of this sandbox, and one digest for each folder of the host's."""
    shown: dict[str, list[str]] = {}
    for where, folders, names in os.walk("/"):
        folders[:] = sorted(name for name in folders if os.path.join(where, name) != "/proc")
        for path in (os.path.join(where, name) for name in sorted(folders + names)):
            if path.startswith(HELD) or path.count("/") == 1:
                yield path, metadata(path)
            else:
                shown.setdefault("/".join(path.split("/")[:5]), []).append(metadata(path))
    for folder, all_of_it in shown.items():
        yield folder, hashlib.sha256("\n".join(all_of_it).encode()).hexdigest()


def metadata(path: str) -> str:
    found = os.lstat(path)
    told = [path, stat.filemode(found.st_mode), found.st_uid, found.st_gid, found.st_nlink, found.st_rdev]
    if not path.startswith((*OWN, UNTIMED)):
        told += [found.st_mtime_ns, found.st_ctime_ns]  # Linux sets the latter whatever is changed
    if not stat.S_ISDIR(found.st_mode):
        told += [found.st_size]
    try:
        told += os.listxattr(path, follow_symlinks=False)
    except OSError as error:
        told += [error.errno]
    if stat.S_ISREG(found.st_mode) and path.startswith(HELD):
        told += [hashlib.sha256(read(path).encode()).hexdigest()]
    return " ".join(map(str, told))


def link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError as error:
        return f"errno {error.errno}"


def read(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(1 << 20).decode("utf-8", "backslashreplace")
    except OSError as error:
        return f"errno {error.errno}"


if __name__ == "__main__":
    answer = json.dumps(census())
    with open("census.json", "w") as census_file:
        census_file.write(answer)
    os.write(int(os.environ["BAREME_READY_FD"]), b".")
    signal.pause()
