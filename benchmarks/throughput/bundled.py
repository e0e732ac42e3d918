"""The bundled assignments' own cohorts, with all that goes wrong in them, marked by bareme warm and cold."""

import json
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.throughput.peers import environment
from benchmarks.throughput.rounds import Measured, scratch
from benchmarks.throughput.tools import grade, verify
from benchmarks.throughput.watch import Failed, Lane, Usage, run
from harness.cli import bundled_course
from harness.gradebook.results import comparable

KERNELS = ("warm", "cold")
SEED = 7  # the same inputs in every run, so that results can be compared


def cohorts() -> dict[str, Path]:
    """Slug -> cohort, of every bundled assignment that has one with expected.toml."""
    folder = bundled_course().folder
    return {path.parent.parent.name: path.parent for path in sorted(folder.glob("*/cohort/expected.toml"))}


def repeat(*, jobs: int, times: int) -> dict[str, dict[str, Measured]]:
    """Slug -> "warm" or "cold" -> what the runs took; see `rounds.repeat`.

    Raises:
        Failed: a mark is not the one in expected.toml, or warm and cold differ in anything but times.
    """
    return {slug: _assignment(slug, cohort, jobs, times) for slug, cohort in cohorts().items()}


def _assignment(slug: str, cohort: Path, jobs: int, times: int) -> dict[str, Measured]:
    found: dict[str, Measured] = {}
    for turn in range(times + 1):
        results = {}
        for kernels in KERNELS:
            usage, results[kernels] = _once(slug, cohort, kernels, jobs, look=turn == 0)
            if turn == 0:
                found[kernels] = Measured(len(results[kernels]["submissions"]), usage)
            else:
                found[kernels].timed.append(usage)
        if _same(results["warm"]) != _same(results["cold"]):
            raise Failed(f"{slug}: marked warm, the results are other ones than marked cold")
    return found


def _once(slug: str, cohort: Path, kernels: str, jobs: int, *, look: bool) -> tuple[Usage, dict[str, Any]]:
    with scratch() as folder:
        line = (slug, str(cohort), "--out", "out", "--seed", str(SEED), "--no-host")
        command = grade(*line, jobs=jobs, kernels=kernels)
        usage = run([Lane([command], folder, environment(folder))], look=look)
        results = json.loads((folder / "out" / "results.json").read_text(encoding="utf-8"))
    verify(_scores(results), _expected(cohort))
    print(f"{slug} {kernels:6} {usage.wall_s:8.2f} s{'  (looked at)' if look else ''}", file=sys.stderr, flush=True)
    return usage, results


def _same(results: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in comparable(results).items() if key != "run"}


def _scores(results: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    return {submission["student"]: {"score": submission["score"]} for submission in results["submissions"]}


def _expected(cohort: Path) -> dict[str, dict[str, float]]:
    wanted = tomllib.loads((cohort / "expected.toml").read_text(encoding="utf-8"))
    return {student: {"score": entry["score"]} for student, entry in wanted.items()}
