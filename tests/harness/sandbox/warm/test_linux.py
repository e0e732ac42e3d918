"""System calls that Python does not offer: what they do, and how they say that Linux refuses.

What takes rights is seen at work in test_nest and tests/conformance.
"""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.sandbox.warm import linux

GET_DUMPABLE, GET_NO_NEW_PRIVS = 3, 39  # linux/prctl.h
CLONE_FS = 0x200  # linux/sched.h
MISSING = "/there-is-no-such-folder"
HEADERS = Path("/usr/include/linux")


def in_a_child(act: Callable[[], bool]) -> bool:
    """What `act` returns in a process that ends with it."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if act() else 1)
        except BaseException:  # noqa: BLE001
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize(
    ("call", "named", "number"),
    [
        (lambda: linux.mount("none", MISSING, "tmpfs", 0), f"mount {MISSING}", {errno.ENOENT, errno.EPERM}),
        (lambda: linux.close_off(MISSING), f"mount {MISSING}", {errno.ENOENT, errno.EPERM}),
        (lambda: linux.clone(linux.CLONE_NEWNS | CLONE_FS), "clone", {errno.EINVAL}),  # exclude each other
        (lambda: linux.unshare(0x7FFFFFFF), "unshare", {errno.EINVAL}),
        (lambda: linux.prctl(10_000), "prctl 10000", {errno.EINVAL}),
        (lambda: linux.interface_up("none"), None, {errno.ENODEV}),
    ],
)
def test_what_is_refused_is_named(call: Callable[[], None], named: str | None, number: set[int]) -> None:
    with pytest.raises(OSError) as raised:
        call()
    assert raised.value.errno in number
    assert raised.value.filename == named


def test_capabilities_are_given_up_for_good() -> None:
    def none_left() -> bool:
        linux.drop_capabilities()
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        values = dict(line.split(":\t", 1) for line in status.splitlines())
        sets = [int(values[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")]
        # the bounding set can only be given up by who has the right to
        bounding = int(values["CapBnd"], 16) if os.geteuid() == 0 else 0
        return [*sets, bounding] == [0] * 5 and values["NoNewPrivs"] == "1"

    if os.geteuid() == 0:
        assert in_a_child(none_left)


def test_dumpable_is_set() -> None:
    def set_it() -> bool:
        linux.prctl(linux.PR_SET_DUMPABLE, 0)
        return linux._libc.prctl(GET_DUMPABLE, 0, 0, 0, 0) == 0

    assert in_a_child(set_it)


@pytest.mark.parametrize("name", [name for name in vars(linux) if name.startswith(("CLONE_", "MS_", "PR_"))])
def test_numbers_are_those_of_the_headers_of_linux(name: str) -> None:
    headers = [HEADERS / file for file in ("sched.h", "mount.h", "prctl.h")]
    if not all(header.exists() for header in headers):
        pytest.skip("the headers of Linux are not installed")
    lines = [
        line.replace("# define", "#define").split("/*")[0].split()
        for header in headers
        for line in header.read_text().splitlines()
    ]
    values = {line[1]: " ".join(line[2:]) for line in lines if len(line) > 2 and line[0] == "#define"}
    assert eval(values[name]) == getattr(linux, name)
