"""Kernels started cold or warm: what is marked comes out the same to the last bit."""

import shutil
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
ENDLESS = {"ngram": ("student-12",), "attention": ("student-12", "student-13")}  # run into limits, for minutes


@pytest.mark.parametrize("slug", ENDLESS)
def test_cold_and_warm_give_equal_results(slug: str, bareme: Any, seed: int, tmp_path: Path) -> None:
    submissions = tmp_path / "submissions"
    shutil.copytree(bareme.cohort(slug), submissions, ignore=shutil.ignore_patterns(*ENDLESS[slug], "expected.toml"))
    found = {}
    for kernels in ("cold", "warm"):
        out = tmp_path / kernels
        done = bareme("grade", slug, submissions, "--out", out, "--kernels", kernels, "--jobs", 2, "--seed", seed)
        assert done.returncode == 0, done.stderr
        found[kernels] = bareme.comparable(out)
    assert len(found["cold"]["submissions"]) >= 20
    assert found["warm"] == found["cold"]
