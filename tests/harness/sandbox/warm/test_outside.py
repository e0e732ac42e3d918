"""Asking for a program: who is asked, for what, and what is said when it cannot be had."""

import os
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from family import Family, warmth

from harness.course import Limits
from harness.errors import InfrastructureError, SandboxUnavailable
from harness.sandbox.contract import Program
from harness.sandbox.warm import outside, owner
from harness.sandbox.warm.outside import ServerEnded, Warm, first_readable, fork, try_out

NOBODY = Program("main.py", (), {"main.py": b""}, {}, (), Limits())


def test_an_address_that_nobody_listens_at(tmp_path: Path) -> None:
    for address in (tmp_path / "none", Path("/proc/self/fd/0"), tmp_path):
        with pytest.raises(SandboxUnavailable, match="no fork server any more"):
            try_out(str(address), warmth())


def test_a_server_that_never_answers(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as silent:
        silent.bind(str(tmp_path / "silent"))
        silent.listen()
        with pytest.raises(SandboxUnavailable, match="no answer"):
            try_out(str(tmp_path / "silent"), warmth(), seconds=0.1)


def test_waiting_for_an_answer_ends_when_there_is_no_reason_to(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(writing)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as silent:
        silent.bind(str(tmp_path / "silent"))
        silent.listen()
        with pytest.raises(ServerEnded):
            try_out(str(tmp_path / "silent"), warmth(), unless=(reading,))
    os.close(reading)


def test_a_program_for_another_server_is_refused(family: Family) -> None:
    warm = Warm(family.server.address, family.server.warmth)
    with pytest.raises(InfrastructureError, match="cannot start a program for"):
        warm.start(replace(NOBODY, packages=("numpy",)))


def test_what_cannot_be_built_is_said_and_costs_nobody_else_anything(family: Family) -> None:
    running = family.waiting()
    impossible = replace(NOBODY, files={"a": b"", "a/b": b""})  # a file cannot be a folder too
    with pytest.raises(SandboxUnavailable, match="File exists"):
        fork(family.server.address, family.server.warmth, impossible)
    assert running.running()
    assert family.server.replaced == 0


def test_a_program_that_cannot_be_confined_says_why(
    begun: Callable[..., Family], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, "TRIAL_EVERY_S", 600.0)
    family = begun()
    family.server.wait()
    monkeypatch.setattr(outside, "resource_limits", lambda *_, **__: {"RLIMIT_UNKNOWN": 1})
    with pytest.raises(SandboxUnavailable, match=r"no attribute 'RLIMIT_UNKNOWN'"):
        family.start("")


def test_descriptors_that_are_at_their_end_are_readable() -> None:
    reading, writing = os.pipe()
    assert first_readable((reading,), 0.0) == set()
    os.close(writing)
    assert first_readable((reading,), 60.0) == {reading}
    os.close(reading)
