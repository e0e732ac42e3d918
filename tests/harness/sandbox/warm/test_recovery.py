"""A fork server that dies, freezes or runs out of memory is replaced, at whatever moment it happens."""

import gc
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from family import (
    CRASHES,
    PATIENCE_S,
    Family,
    ancestors,
    in_a_thread,
    kill,
    ours,
    parent,
    refusal,
    wait,
    wait_for_end_of,
    warmth,
)

from harness.errors import SandboxUnavailable
from harness.records import Outcome
from harness.sandbox.warm import outside, owner
from harness.sandbox.warm.outside import WarmProcess

AROUND = (1, 2, 3) if os.geteuid() == 0 else (1,)  # bubblewrap; for root: bubblewrap, a shell, bubblewrap
SOON_S = 2.0  # of silence that the tests below take for a frozen server


@pytest.fixture
def watchful(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, "TRIAL_EVERY_S", 0.1)
    monkeypatch.setattr(owner, "SILENT_S", SOON_S)


def server_of(process: WarmProcess) -> int:
    return ancestors(process.pid)[0]


def assert_died_with_its_server(process: WarmProcess) -> None:
    wait(process.wait_fd())
    assert process.exceeded() is Outcome.INFRASTRUCTURE
    process.end()
    assert process.exceeded() is Outcome.INFRASTRUCTURE


@pytest.mark.parametrize("layer", [0, *AROUND])
def test_whatever_is_killed_the_server_is_replaced_and_its_programs_are_nobodys_fault(
    family: Family, layer: int
) -> None:
    layers = family.layers()
    program = family.waiting()
    everything = ours()
    kill(layers[layer])
    assert_died_with_its_server(program)
    assert server_of(family.waiting()) != layers[0]
    assert family.server.replaced == 1
    wait_for_end_of(everything)


@pytest.mark.slow
@pytest.mark.usefixtures("watchful")
def test_a_frozen_server_is_replaced(family: Family) -> None:
    program = family.waiting()
    os.kill(server_of(program), signal.SIGSTOP)
    waiting = family.waiting()  # asked of the frozen one, started by its successor
    assert_died_with_its_server(program)
    assert waiting.running()


@pytest.mark.slow
@pytest.mark.parametrize("layer", AROUND)
def test_what_is_frozen_around_a_server_does_no_harm_and_ends_with_it(family: Family, layer: int) -> None:
    layers = family.layers()
    os.kill(layers[layer], signal.SIGSTOP)
    program = family.waiting()
    assert server_of(program) == layers[0]
    everything = ours()
    kill(layers[0])
    assert_died_with_its_server(program)
    assert server_of(family.waiting()) != layers[0]
    wait_for_end_of(everything)


RUNS_OUT = """
import mmap, os, resource, signal

def needs_memory():
    try:
        # else it depends on the allocator whether a child needs any; RLIMIT_DATA counts what is private
        mmap.mmap(-1, 1 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError:
        os._exit(1)

def prepare(settings):
    limit = getattr(resource, "RLIMIT_LIMIT")
    os.register_at_fork(after_in_child=needs_memory)
    signal.signal(signal.SIGUSR1, lambda *_: resource.setrlimit(limit, (1, 1)))
"""  # from outside, root without CAP_SYS_RESOURCE may not


@pytest.mark.usefixtures("watchful")
@pytest.mark.parametrize("limit", ["DATA", "AS"])
def test_a_server_without_memory_is_replaced(begun: Callable[..., Family], limit: str) -> None:
    family = begun(RUNS_OUT.replace("LIMIT_LIMIT", f"LIMIT_{limit}"))
    program = family.waiting()
    server = server_of(program)
    os.kill(server, signal.SIGUSR1)
    assert_died_with_its_server(program)
    assert server_of(family.waiting()) != server


# Whose fault it was ----------------------------------------------------------------------------------------------


def test_a_crash_is_the_programs_own_also_when_the_server_dies_next(family: Family) -> None:
    server = family.layers()[0]
    program = family.start(CRASHES)
    wait(program.wait_fd())
    kill(server)
    assert program.exceeded() is None
    program.end()
    assert program.exceeded() is None


def test_what_was_ended_on_purpose_is_not_taken_for_a_dead_server(family: Family) -> None:
    program = family.waiting()
    server = server_of(program)
    program.end()
    kill(server)
    assert program.exceeded() is None


def test_a_limit_that_was_reached_stays_the_reason_when_the_server_dies_as_well(
    family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = WarmProcess._finish

    def with_the_server(process: WarmProcess) -> None:
        if process.exceeded():
            kill(server)
        really(process)

    server = family.layers()[0]
    monkeypatch.setattr(WarmProcess, "_finish", with_the_server)
    program = family.start("import time; hoard = b'x' * 300_000_000; time.sleep(600)")
    wait(program.wait_fd())
    assert program.exceeded() is Outcome.MEMORY


# Each moment of a start ------------------------------------------------------------------------------------------


def test_a_server_that_dies_before_it_takes_a_request(family: Family) -> None:
    server = family.layers()[0]
    os.kill(server, signal.SIGSTOP)
    started = in_a_thread(family.waiting)
    kill(server)
    assert server_of(started()) != server


DIES_AT_THE_THIRD = """
import os
from bareme_warm import linux
forks = []

def prepare(settings):
    clone = linux.clone
    def counted(flags):
        forks.append(1)
        return clone(flags) if len(forks) < 3 else os._exit(1)
    linux.clone = counted
"""


def test_a_server_that_dies_between_the_request_and_the_answer(begun: Callable[..., Family]) -> None:
    family = begun(DIES_AT_THE_THIRD)
    family.server.wait()  # one on trial
    program = family.waiting()
    assert family.waiting().running()
    assert_died_with_its_server(program)


@pytest.mark.parametrize("moment", ["_await", "go"])
def test_a_server_that_dies_after_the_answer(family: Family, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    server = family.layers()[0]
    place = outside if moment == "_await" else WarmProcess
    really, deaths = getattr(place, moment), [server]

    def with_a_death(*arguments: Any) -> Any:
        answer = really(*arguments) if moment == "_await" else None
        if deaths:
            init = parent(answer) if answer else arguments[0].pid
            kill(deaths.pop())
            wait_for_end_of([init])
        return answer if moment == "_await" else really(*arguments)

    monkeypatch.setattr(place, moment, with_a_death)
    assert server_of(family.waiting()) != server


@pytest.mark.slow
def test_a_start_whose_servers_all_die_fails_with_a_reason(family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    really = outside._await
    monkeypatch.setattr(owner, "try_out", lambda *given, **more: None)  # only what the test asks for is started

    def with_a_death(*arguments: Any) -> int:
        answer = really(*arguments)
        kill(parent(parent(answer)))
        return answer

    monkeypatch.setattr(outside, "_await", with_a_death)
    with pytest.raises(SandboxUnavailable, match="3 fork servers ended"):
        family.waiting()


# When there will be none -----------------------------------------------------------------------------------------


def test_it_gives_up_after_some_servers_and_leaves_nobody_waiting(
    family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = []

    def broken(given: Any, *, listener: int) -> Any:
        programs.append(listener)
        return really(replace(given, trusted=warmth("def prepare(settings): 1 / 0").trusted), listener=listener)

    really = owner.program
    server = family.layers()[0]
    monkeypatch.setattr(owner, "program", broken)
    os.kill(server, signal.SIGSTOP)
    refused = refusal(family.waiting)
    kill(server)
    assert "fork server" in refused()
    assert len(programs) == owner.TRIES
    with pytest.raises(SandboxUnavailable, match="ZeroDivisionError"):
        family.server.wait()
    with pytest.raises(SandboxUnavailable, match="no fork server any more"):
        family.waiting()


# Nothing is left -------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_starts_and_replacements_leave_no_descriptor_open(begun: Callable[..., Family]) -> None:
    gc.collect()  # what other tests have left
    before = descriptors()
    family = begun()
    family.server.wait()
    for number in range(200):
        program = family.waiting()
        if number % 10 == 0:
            kill(server_of(program))
        program.end()
        family.started.clear()
    assert family.server.replaced == 20
    family.server.close()
    del program
    gc.collect()
    until = time.monotonic() + PATIENCE_S  # fork servers of other tests come and go with theirs
    while len(descriptors()) > len(before) and time.monotonic() < until:
        time.sleep(0.01)
    assert len(descriptors()) <= len(before), (before, descriptors())


def descriptors() -> list[str]:
    listed = []
    for path in Path("/proc/self/fd").iterdir():
        try:
            listed.append(str(path.readlink()).partition(":")[0])
        except FileNotFoundError:
            continue  # the listing's own
    return sorted(listed)
