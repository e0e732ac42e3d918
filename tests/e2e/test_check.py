"""A student's own check of the bundled assignments, with and without the process in the background."""

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.host import client

pytestmark = pytest.mark.slow
MEASURED = re.compile(r"  \d\S*\s\S+\s\(.*\)$", re.MULTILINE)  # value and interval: inputs are drawn anew
STARTED_S = 60.0  # for a host that the first check has started, on a busy machine


@pytest.fixture
def at_home(bareme: Any, orphans: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """`bareme check` as a student runs it; at the end nothing of it is left."""
    run = tmp_path / "run"
    run.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(run))
    monkeypatch.delenv("CI", raising=False)

    def check(slug: str, student: str, *options: str) -> subprocess.CompletedProcess[str]:
        return bareme("check", bareme.cohort(slug) / student / f"{slug}.ipynb", slug, *options, BAREME_HOST="1")

    yield check
    until = time.monotonic() + STARTED_S
    while not client.stop():
        assert time.monotonic() < until
        time.sleep(0.1)
    assert orphans() == []


@pytest.mark.parametrize("slug", ["ngram", "attention"])
def test_a_right_notebook_passes_every_public_check_in_every_way(at_home: Any, slug: str) -> None:
    ways = [["--no-host"], [], [], ["--kernels", "cold"], ["--kernels", "warm"], ["--kernels", "warm", "--no-host"]]
    done = [at_home(slug, "student-01", *options) for options in ways]
    assert [one.returncode for one in done] == [0] * len(ways)
    assert {one.stderr for one in done} == {""}
    assert len({MEASURED.sub("", one.stdout) for one in done}) == 1
    first, *lines = done[0].stdout.splitlines()
    assert first.startswith(f"{slug}.ipynb : ")
    assert all(line.startswith("✓ ") for line in lines[:-1])
    assert lines[-1] == "10 / 10"


def test_a_wrong_notebook_is_told_the_same_outcomes_in_every_way(at_home: Any, bareme: Any) -> None:
    student = next(
        name
        for name, entry in bareme.expected("attention").items()
        if entry["status"] == "marked" and "failed" in entry["checks"].values()
    )
    ways = [["--no-host"], [], [], ["--lang", "en"]]
    done = [at_home("attention", student, *options) for options in ways]
    signs = [[line[0] for line in one.stdout.splitlines() if line[0] in "✓✗–"] for one in done]
    assert {tuple(each) for each in signs} == {tuple(signs[0])}
    assert "✗" in signs[0]
    assert {one.returncode for one in done} == {1}
