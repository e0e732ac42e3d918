"""`bareme grade` with the process in the background: what is marked comes out the same to the last bit."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.host import client

pytestmark = pytest.mark.slow
STARTED_S = 60.0  # for a host and its fork server to import torch, on a busy machine
STUDENTS = 6


@pytest.fixture
def at_home(bareme: Any, orphans: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """`bareme` with a host of its own; at the end nothing of it is left."""
    run = tmp_path / "run"
    run.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(run))
    monkeypatch.setenv("BAREME_HOST", "1")
    monkeypatch.delenv("CI", raising=False)
    yield bareme
    client.stop()
    assert orphans() == []


def warm(slug: str) -> None:
    """Wait until the host has a fork server for the kernels of `slug`."""
    until = time.monotonic() + STARTED_S
    while not ((facts := client.status()) and slug in facts.warm):
        assert time.monotonic() < until, facts
        time.sleep(0.1)


def quick(bareme: Any, slug: str) -> list[str]:
    """Students of several outcomes that run into no limit."""
    slow = {"timeout", "memory"}
    entries = bareme.expected(slug).items()
    return [name for name, entry in entries if not slow & set(entry["checks"].values())][:STUDENTS]


@pytest.mark.parametrize(("slug", "other"), [("ngram", "attention"), ("attention", "ngram")])
def test_results_are_equal_with_and_without_it(slug: str, other: str, at_home: Any, seed: int, tmp_path: Path) -> None:
    folder = at_home.few(slug, quick(at_home, slug), tmp_path / "few")
    assert at_home("check", at_home.cohort(other) / "student-01" / f"{other}.ipynb", other).returncode == 0
    warm(other)
    ways = {"without": ["--no-host"], "first": [], "second": ["--kernels", "warm"], "cold": ["--kernels", "cold"]}
    found = {}
    for name, options in ways.items():
        done = at_home("grade", slug, folder, "--out", tmp_path / name, "--jobs", 2, "--seed", seed, *options)
        assert done.returncode == 0, done.stderr
        assert len(done.stderr.splitlines()) == STUDENTS, done.stderr
        found[name] = at_home.comparable(tmp_path / name)
        if name == "first":
            warm(slug)
    assert len(found["without"]["submissions"]) == STUDENTS
    assert {name: each == found["without"] for name, each in found.items()} == dict.fromkeys(ways, True)
