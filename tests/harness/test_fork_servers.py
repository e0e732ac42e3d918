"""Warm kernels where they work, cold ones where they do not, and a word about it."""

import os
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.course import Assignment, Course, load_course
from harness.errors import SandboxUnavailable
from harness.fork_servers import Kernels, served
from harness.records import Text
from harness.sandbox.warm import owner
from harness.sandbox.warm.outside import try_out

TOY = Path(__file__).parents[1] / "hostile" / "course"


@pytest.fixture(scope="module")
def toy() -> tuple[Course, Assignment]:
    course = load_course(TOY)
    return course, course.assignment("toy")


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which no sandbox can be nested."""

    def refused(*given: Any, **more: Any) -> None:
        raise SandboxUnavailable("no namespaces", remedy="Allow them.")

    monkeypatch.setattr(owner.Bubblewrap, "begin", refused)


def nobody(text: Text) -> None:
    raise AssertionError(f"told: {text.en}")


def children() -> set[psutil.Process]:
    """Those that this process has started itself: other tests' fork servers start some all the time, on trial."""
    return set(psutil.Process().children())


@pytest.mark.parametrize("kernels", ["auto", "warm"])
def test_there_is_a_server_as_long_as_it_is_wanted(toy: tuple[Course, Assignment], kernels: Kernels, gone: Any) -> None:
    before = children()
    with served(*toy, kernels=kernels, device="cpu", tell=nobody) as server:
        assert server.address is not None
        try_out(server.address, server._server.warmth)
        inside = [process for root in children() - before for process in root.children(recursive=True)]
    assert not children() - before
    assert inside
    gone(*inside)


def test_nothing_is_started_for_cold_kernels(toy: tuple[Course, Assignment]) -> None:
    before = children()
    with served(*toy, kernels="cold", device="cpu", tell=nobody) as server:
        assert server.address is None
        assert not children() - before


@pytest.mark.usefixtures("nowhere")
def test_kernels_start_cold_where_warm_ones_cannot_and_somebody_is_told(toy: tuple[Course, Assignment]) -> None:
    told: list[Text] = []
    with served(*toy, kernels="auto", device="cpu", tell=told.append) as server:
        assert server.address is None
    [text] = told
    assert text.en == "Kernels start cold, which is slower: no namespaces. Allow them."
    assert text.fr.startswith("Les noyaux démarrent à froid, plus lentement : ")


@pytest.mark.usefixtures("nowhere")
def test_warm_kernels_that_were_asked_for_are_not_replaced_by_cold_ones(toy: tuple[Course, Assignment]) -> None:
    serving = served(*toy, kernels="warm", device="cpu", tell=nobody)
    with serving as server, pytest.raises(SandboxUnavailable, match="no namespaces"):
        assert server.address


def test_the_course_is_hidden_from_its_kernels(toy: tuple[Course, Assignment], monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Path] = []
    really = owner.Bubblewrap.__init__

    def noted(self: Any, *, secrets: Any) -> None:
        shown.extend(secrets)
        really(self, secrets=secrets)

    monkeypatch.setattr(owner.Bubblewrap, "__init__", noted)
    with served(*toy, kernels="warm", device="cpu", tell=nobody) as server:
        assert server.address == f"/proc/{os.getpid()}/fd/{server.address.rpartition('/')[2]}"
    assert toy[0].folder in shown


def test_a_lent_server_is_used_once_and_then_one_of_our_own(toy: tuple[Course, Assignment]) -> None:
    before = children()
    with served(*toy, kernels="warm", device="cpu", tell=nobody, lent="/proc/1/fd/0") as server:
        assert server.address == "/proc/1/fd/0"
        assert not children() - before
        own = server.address
        assert own is not None
        assert own.startswith(f"/proc/{os.getpid()}/")
        assert server.address == own
        assert children() - before
    assert not children() - before


def test_a_lent_server_is_of_no_use_to_cold_kernels(toy: tuple[Course, Assignment]) -> None:
    with served(*toy, kernels="cold", device="cpu", tell=nobody, lent="/proc/1/fd/0") as server:
        assert server.address is None
