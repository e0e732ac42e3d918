# /// expected
# threat = "More rights are asked for: users, mounts, namespaces, tracing, writes to /proc and /sys."
# status = "marked"
# checks = {}
# output = "gained: []"
# ///

# %%
from honest import *

import ctypes
import os
import signal

libc = ctypes.CDLL(None, use_errno=True)
gained = []


def attempt(name, act):
    try:
        result = act()
    except (OSError, AttributeError):
        return
    if result != -1:
        gained.append(name)


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


attempt("setuid", lambda: os.setuid(0))
attempt("setgid", lambda: os.setgid(0))
attempt("setgroups", lambda: os.setgroups([0]))
attempt("mount", lambda: libc.mount(b"none", b"/tmp", b"tmpfs", 0, None))
attempt("umount", lambda: libc.umount2(b"/proc", 2))
attempt("chroot", lambda: os.chroot("/tmp"))
attempt("unshare user", lambda: libc.unshare(0x10000000))
attempt("unshare mount", lambda: libc.unshare(0x00020000))
attempt("unshare net", lambda: libc.unshare(0x40000000))
attempt("ptrace 1", lambda: libc.ptrace(16, 1, None, None))
attempt("setns", lambda: libc.setns(os.open("/proc/1/ns/mnt", os.O_RDONLY), 0))
attempt("hostname", lambda: libc.sethostname(b"x", 1))
attempt("core pattern", lambda: write("/proc/sys/kernel/core_pattern", "|/tmp/x"))
attempt("sysrq", lambda: write("/proc/sysrq-trigger", "h"))
attempt("sys", lambda: write("/sys/kernel/profiling", "0"))
attempt("oom", lambda: write("/proc/self/oom_score_adj", "-1000"))
attempt("device", lambda: os.mknod("/tmp/null", 0o20666, os.makedev(1, 3)))
attempt("nice", lambda: os.nice(-20))
attempt("reboot", lambda: libc.reboot(0x01234567))
attempt("kill 1", lambda: os.kill(1, signal.SIGKILL))
attempt("setuid program", lambda: -1 if os.system("command -v su && echo | su -c true 2>/dev/null") else 0)
try:
    os.kill(-1, signal.SIGTERM)
except OSError:
    pass
print("gained:", sorted(set(gained) - {"kill 1"}))
