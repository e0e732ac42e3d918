"""An open gradebook, makers of the records that go into it, and a disk that is soon full."""

import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from harness.gradebook import Gradebook
from harness.records import (
    Better,
    Candidate,
    CheckResult,
    Graded,
    Metric,
    Outcome,
    RunInfo,
    Seconds,
    Status,
    Text,
    Visibility,
)

# root of a small file system of its own, for root and ordinary users alike
NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")
NOON = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gradebook.sqlite"


@pytest.fixture
def book(path: Path) -> Iterator[Gradebook]:
    with Gradebook.open(path) as gradebook:
        yield gradebook


@pytest.fixture
def make_run() -> Callable[..., RunInfo]:
    def make(number: int = 1, *, assignment: str = "ngram", seed: int = 2**127 + 1) -> RunInfo:
        return RunInfo(
            id=f"{number:016x}",
            course="llm",
            assignment=assignment,
            title=Text("Modèles n-grammes", "N-gram models"),
            seed=seed,
            seed_id="f00d",
            started=NOON + timedelta(hours=number),
            bareme_version="0.1.0",
            environment={"python": "3.11", "sandbox": "bubblewrap"},
            device="cpu",
            jobs=2,
        )

    return make


@pytest.fixture
def make_check() -> Callable[..., CheckResult]:
    def make(id_: str = "counts", points: float = 1.0, outcome: Outcome = Outcome.FAILED, **rest: Any) -> CheckResult:
        values: dict[str, Any] = {
            "title": Text("Compter", "Counting"),
            "visibility": Visibility.PUBLIC,
            "max_points": 4.0,
            "message": None if outcome is Outcome.PASSED else Text("attendu 3", "expected 3"),
            "counterexample": None if outcome is Outcome.PASSED else "counts(['a'])",
            "wall_s": 0.25,
        }
        return CheckResult(id=id_, points=points, outcome=outcome, **values | rest)

    return make


@pytest.fixture
def make_metric() -> Callable[..., Metric]:
    def make(value: float = 2.5, check: str = "counts", **rest: Any) -> Metric:
        values: dict[str, Any] = {
            "unit": "bits/byte",
            "low": 2.4,
            "high": 2.6,
            "baseline": 8.0,
            "oracle": None,
            "points": 1.0,
            "max_points": 4.0,
            "title": Text("Perplexité", "Perplexity"),
            "better": Better.LOWER,
        }
        return Metric(value=value, check=check, **values | rest)

    return make


@pytest.fixture
def make_graded(make_check: Callable[..., CheckResult]) -> Callable[..., Graded]:
    def make(student: str = "student-01", attempt: int = 1, *, sha256: str = "ab" * 32, **rest: Any) -> Graded:
        notebook = f"{student}/ngram.ipynb"
        values: dict[str, Any] = {
            "status": Status.MARKED,
            "score": 1.0,
            "max_score": 8.0,
            "late_s": 0.0,
            "penalty": 0.0,
            "checks": (make_check("counts", 1.0), make_check("table", 0.0)),
            "metrics": {},
            "cells": (),
            "notices": (),
            "policy": (),
            "output_truncated": False,
            "seconds": Seconds(queued=0.1, started=0.2, executed=0.3, checked=0.5),
            "peak_memory_bytes": 1000,
        }
        candidate = Candidate(student, notebook, Path("/in") / "ngram.ipynb", None, sha256, NOON, attempt)
        return Graded(candidate=candidate, **values | rest)

    return make


@pytest.fixture
def on_small_disk(tmp_path: Path) -> Callable[[str], str]:
    """Runs Python code in an empty file system of 400 KiB, mounted at `disk`; returns what it printed."""
    if not shutil.which("unshare") or subprocess.run([*NAMESPACE, "true"], capture_output=True).returncode:
        pytest.skip("no user namespaces here, so no small disk to fill")
    disk = tmp_path / "disk"
    disk.mkdir()

    def execute(code: str) -> str:
        prelude = f"""
            import subprocess
            from pathlib import Path
            from harness.errors import BaremeError
            from harness.gradebook import Gradebook
            disk = Path({str(disk)!r})
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "none", disk], check=True)
        """
        script = textwrap.dedent(prelude) + textwrap.dedent(code)
        done = subprocess.run([*NAMESPACE, sys.executable, "-c", script], capture_output=True, text=True, check=False)
        assert not done.stderr
        return done.stdout

    return execute
