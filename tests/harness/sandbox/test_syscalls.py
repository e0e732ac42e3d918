"""The filter's decisions on both architectures, its instructions interpreted here. Real refusals: tests/conformance."""

import errno
import re
import struct
from pathlib import Path

import pytest

from harness.errors import SandboxUnavailable
from harness.sandbox import landlock, syscalls

MACHINES = ["x86_64", "aarch64"]
X86_I386, ARM = 0x40000003, 0x40000028  # linux/audit.h: what 32-bit programs say they are
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
LANDLOCK = ("CREATE_RULESET", "ADD_RULE", "RESTRICT_SELF")  # the same on both
SIGCHLD, CLONE_VM, CLONE_THREAD, CLONE_NEWTIME = 17, 0x100, 0x10000, 0x80
NAMESPACES = {
    "NEWNS": 0x20000, "NEWCGROUP": 0x2000000, "NEWUTS": 0x4000000, "NEWIPC": 0x8000000,
    "NEWUSER": 0x10000000, "NEWPID": 0x20000000, "NEWNET": 0x40000000,
}  # fmt: skip
BY_ARGUMENT = dict(
    zip(
        ("clone", "prlimit64", "socket", "socketpair", "rt_sigaction"),
        (syscalls.CLONE, syscalls.PRLIMIT, *syscalls.SOCKETS, syscalls.SIGACTION),
        strict=True,
    )
)
BY_NAME = {**syscalls.REFUSED, **BY_ARGUMENT}
# what Python, the C library and notebooks cannot do without, by number
NEEDED = {"read": (0, 63), "openat": (257, 56), "execve": (59, 221), "mmap": (9, 222), "futex": (202, 98)}


@pytest.fixture(params=MACHINES)
def machine(request, monkeypatch):
    monkeypatch.setattr(syscalls.platform, "machine", lambda: request.param)
    return request.param


def decide(machine: str, number: int, *arguments: int, architecture: int | None = None, counted: bool = False) -> int:
    """What Linux would make of the filter, for one call."""
    here = syscalls.ARCHITECTURES[machine] if architecture is None else architecture
    data = struct.pack("=IIQ6Q", number, here, 0, *(*arguments, *[0] * 6)[:6])
    program = list(struct.iter_unpack("=HBBI", syscalls.seccomp_filter(counted=counted)))
    value, at = 0, 0
    while True:
        code, if_true, if_false, operand = program[at]
        at += 1
        match code:
            case 0x20:
                value = struct.unpack_from("=I", data, operand)[0]
            case 0x06:
                return operand
            case _:
                holds = {0x15: value == operand, 0x35: value >= operand, 0x45: bool(value & operand)}[code]
                at += if_true if holds else if_false


def test_every_call_of_the_table_is_refused_and_no_other(machine):
    refused = {call[machine] for call in syscalls.REFUSED.values()}
    sockets = {call[machine] for call in syscalls.SOCKETS}
    decided = {number for number in range(1024) if number not in sockets and decide(machine, number) != syscalls.ALLOW}
    assert decided == refused


def test_a_refusal_reads_like_an_older_linux(machine):
    assert {decide(machine, call[machine]) for call in syscalls.REFUSED.values()} == {0x50000 | errno.ENOSYS}


@pytest.mark.parametrize("call", NEEDED)
def test_what_programs_need_is_allowed(machine, call):
    assert decide(machine, NEEDED[call][MACHINES.index(machine)]) == syscalls.ALLOW


def test_programs_of_another_architecture_are_refused_everything(machine):
    for architecture in {X86_I386, ARM, *syscalls.ARCHITECTURES.values()} - {syscalls.ARCHITECTURES[machine]}:
        assert decide(machine, 0, architecture=architecture) == syscalls.REFUSE


def test_the_second_set_of_numbers_is_refused(machine):
    assert (
        decide(machine, 0x40000000)
        == decide(machine, 0x40000000 + 59)
        == decide(machine, 0xFFFFFFFF)
        == syscalls.REFUSE
    )


def test_processes_and_threads_can_be_made(machine):
    clone = syscalls.CLONE[machine]
    assert decide(machine, clone, SIGCHLD) == decide(machine, clone, CLONE_VM | CLONE_THREAD) == syscalls.ALLOW
    assert decide(machine, clone, 0xFFFFFFFF & ~syscalls.CLONE_NEW) == syscalls.ALLOW


@pytest.mark.parametrize("flag", NAMESPACES)
def test_no_namespace_can_be_made_with_a_process(machine, flag):
    assert decide(machine, syscalls.CLONE[machine], NAMESPACES[flag] | SIGCHLD) == syscalls.REFUSE


def test_limits_can_be_asked_and_set_for_oneself_only(machine):
    prlimit = syscalls.PRLIMIT[machine]
    assert decide(machine, prlimit, 0) == syscalls.ALLOW
    assert {decide(machine, prlimit, process) for process in (1, 2, 2**22, 2**32 - 1)} == {syscalls.REFUSE}


def test_sockets_are_of_families_that_stay_in_a_network_namespace(machine):
    for call in syscalls.SOCKETS:
        allowed = {family for family in range(256) if decide(machine, call[machine], family) == syscalls.ALLOW}
        assert allowed == {1, 2, 10, 16}  # linux/socket.h: UNIX, INET, INET6, NETLINK; 40 is VSOCK


ADDRESSES = (0x1000, 0x7FFF_0000_0000, 0xFFFF_FFFF)  # in both halves of the argument, or in one


@pytest.mark.parametrize("address", ADDRESSES)
def test_what_is_set_for_children_that_end_has_no_effect_where_they_are_counted(machine, address):
    sigaction = syscalls.SIGACTION[machine]
    assert decide(machine, sigaction, SIGCHLD, address, counted=True) == syscalls.PRETEND
    assert decide(machine, sigaction, SIGCHLD, address) == syscalls.ALLOW


def test_all_else_about_signals_is_allowed_where_children_are_counted(machine):
    sigaction = syscalls.SIGACTION[machine]
    assert decide(machine, sigaction, SIGCHLD, 0, counted=True) == syscalls.ALLOW  # only asks what is set
    others = {decide(machine, sigaction, number, ADDRESSES[0], counted=True) for number in set(range(65)) - {SIGCHLD}}
    assert others == {syscalls.ALLOW}


def test_counting_children_changes_no_other_decision(machine):
    for number in range(1024):
        assert decide(machine, number, counted=True) == decide(machine, number)


def test_only_those_flags_are_looked_at():
    assert sum(NAMESPACES.values()) == syscalls.CLONE_NEW


def test_both_architectures_have_a_number_for_each_call():
    assert all(set(call) == set(MACHINES) for call in BY_NAME.values())
    for machine in MACHINES:
        numbers = [call[machine] for call in BY_NAME.values()]
        assert len(set(numbers)) == len(numbers)


def test_numbers_are_shared_from_424_on_and_differ_before():
    """Linux numbers calls alike everywhere since 5.1; every one below it differs."""
    for name, call in BY_NAME.items():
        assert (call["x86_64"] == call["aarch64"]) == (call["x86_64"] >= 424), name


@pytest.mark.parametrize("machine", MACHINES)
def test_numbers_are_those_of_the_headers_of_linux(machine):
    header = HEADERS[machine]
    if not header.exists():
        pytest.skip("the headers of Linux are not installed")
    numbers = dict(re.findall(r"#define __NR_(\w+)\s+(\d+)", header.read_text()))
    ours = {name: call[machine] for name, call in BY_NAME.items()}
    ours |= {f"landlock_{name.lower()}": getattr(landlock, name) for name in LANDLOCK}
    assert {name: int(numbers.get(name, number)) for name, number in ours.items()} == ours
    assert len(numbers.keys() & ours.keys()) >= len(ours) - 1  # open_tree_attr is of Linux 6.15


def test_an_unknown_machine_is_an_error(monkeypatch):
    monkeypatch.setattr(syscalls.platform, "machine", lambda: "riscv64")
    with pytest.raises(SandboxUnavailable, match="riscv64"):
        syscalls.seccomp_filter()
