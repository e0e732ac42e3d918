"""From a wheel installed elsewhere, with the source tree out of sight, the demo works; what it marks: `test_cohort`."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from harness.cli import bundled_course

pytestmark = pytest.mark.slow


def test_nothing_of_the_source_tree_is_seen(elsewhere: Path) -> None:
    where = "import harness, reference, reports as r; print(*(m.__file__ for m in (harness, reference, r)))"
    python = elsewhere / "venv" / "bin" / "python"
    done = subprocess.run([python, "-c", where], cwd=elsewhere, capture_output=True, text=True, check=True)
    assert all(path.startswith(str(elsewhere)) for path in done.stdout.split())


def test_the_demo(demo: Any) -> None:
    assert demo.done.returncode == 0, demo.done.stderr
    assert demo.done.stdout.strip() == str(demo.out / "index.html")
    index = (demo.out / "index.html").read_text(encoding="utf-8")
    for slug in bundled_course().assignments:
        assert f'href="{slug}/index.html"' in index


def test_nothing_is_left_running_and_nothing_lies_outside_out(demo: Any) -> None:
    assert demo.new_processes == []
    assert demo.new_files == []
