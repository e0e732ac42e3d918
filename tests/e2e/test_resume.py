"""The grader killed at random moments: what was finished is kept, `--resume` does the rest, to the same results."""

import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
KILLS = 20
SLUG = "ngram"


def _students(bareme: Any) -> list[str]:
    """Quick submissions of several outcomes: what is tested here is the grader's death, not the sandbox's limits."""
    slow = {"timeout", "memory"}
    entries = bareme.expected(SLUG).items()
    return [name for name, entry in entries if not slow & set(entry["checks"].values())][:6]


@pytest.fixture(scope="module")
def folder(bareme: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bareme.few(SLUG, _students(bareme), tmp_path_factory.mktemp("few"))


@pytest.fixture(scope="module")
def undisturbed(bareme: Any, folder: Path, seed: int, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, float]:
    out = tmp_path_factory.mktemp("undisturbed")
    before = time.monotonic()
    bareme("grade", SLUG, folder, "--out", out, "--jobs", 2, "--seed", seed)
    return bareme.comparable(out), time.monotonic() - before


def test_twenty_kills(
    bareme: Any, folder: Path, undisturbed: tuple[Any, float], seed: int, orphans: Any, tmp_path: Path
) -> None:
    wanted, took_s = undisturbed
    moments = random.Random(seed)
    arguments = ["grade", SLUG, folder, "--out", tmp_path, "--jobs", 2]
    for kill in range(KILLS):
        # each new try starts the run afresh or resumes it; both are killed at any moment of their life
        resumed = (tmp_path / "gradebook.sqlite").is_file() and kill % 5 != 0
        more = ["--resume"] if resumed else ["--seed", seed]
        grader = subprocess.Popen(
            bareme.line(*arguments, *more), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        time.sleep(moments.uniform(0.0, took_s))
        grader.send_signal(signal.SIGKILL)
        grader.wait()
    done = bareme(*arguments, "--resume")
    assert done.returncode == 0, done.stderr
    assert bareme.comparable(tmp_path) == wanted
    assert orphans() == []


def test_ctrl_c_keeps_what_is_finished_and_says_how_to_go_on(
    bareme: Any, folder: Path, undisturbed: tuple[Any, float], seed: int, orphans: Any, tmp_path: Path
) -> None:
    wanted, _ = undisturbed
    grader = subprocess.Popen(
        bareme.line("grade", SLUG, folder, "--out", tmp_path, "--jobs", 2, "--seed", seed, "--lang", "en"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )  # fmt: skip
    first = grader.stderr.readline()
    grader.send_signal(signal.SIGINT)
    _, errors = grader.communicate(timeout=60)
    assert first.startswith("1/")
    assert "--resume" in errors
    assert grader.returncode == 130
    assert orphans() == []
    assert bareme("grade", SLUG, folder, "--out", tmp_path, "--resume").returncode == 0
    assert bareme.comparable(tmp_path) == wanted
