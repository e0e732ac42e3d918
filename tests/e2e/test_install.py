"""From a wheel installed elsewhere, with the source tree out of sight, the demo works."""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Any

import pytest

from harness.cli import bundled_course

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
SLUGS = sorted(bundled_course().assignments)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment that holds the wheel; what the wheel requires is lent by the environment of the tests."""
    place = tmp_path_factory.mktemp("elsewhere")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", place, ROOT]
    subprocess.run([*pip, *map(str, build)], check=True, cwd=place)
    venv.create(place / "venv")
    python = place / "venv" / "bin" / "python"
    [wheel] = place.glob("*.whl")
    subprocess.run([*pip, "--python", python, "install", "--no-deps", "--no-index", wheel], check=True, cwd=place)
    # a line of a .pth file is a path and no more: other .pth files there, such as the source tree's, are not read
    site = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    (place / "venv" / site / "lent.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    return place


def test_nothing_of_the_source_tree_is_seen(elsewhere: Path) -> None:
    where = "import harness, reference, reports as r; print(*(m.__file__ for m in (harness, reference, r)))"
    python = elsewhere / "venv" / "bin" / "python"
    done = subprocess.run([python, "-c", where], cwd=elsewhere, capture_output=True, text=True, check=True)
    assert all(path.startswith(str(elsewhere)) for path in done.stdout.split())


def test_the_demo(elsewhere: Path, bareme: Any) -> None:
    command = [elsewhere / "venv" / "bin" / "bareme", "demo", "--out", "marks"]
    done = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("marks/index.html")
    out = elsewhere / "marks"
    for slug in SLUGS:
        assert f'href="{slug}/index.html"' in (out / "index.html").read_text(encoding="utf-8")
        found = {item["student"]: item["score"] for item in bareme.results(out / slug)["submissions"]}
        assert found == {student: entry["score"] for student, entry in bareme.expected(slug).items()}
