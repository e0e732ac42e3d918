"""A tiny course and a cohort for it: honest notebooks, wrong ones, and 5 % that attack the machine they run on.

Not covered: attacks on the verdict or on secrets (tests/hostile).
"""

import json
import random
from dataclasses import dataclass
from pathlib import Path

HOSTILE_SHARE = 0.05
WRONG_SHARE = 0.10
SLUG = "soak"

COURSE = """
slug = "soak"
language = "en"
title = { fr = "Endurance", en = "Endurance" }
"""
ASSIGNMENT = """
slug = "soak"
oracle = "soak_oracle"
points = 4
title = { fr = "Deux fonctions", en = "Two functions" }
description = { fr = "De quoi tenir longtemps.", en = "Something to last." }

[limits]
wall_s = 30.0
cell_s = 1.0
call_s = 1.0
cpu_s = 30.0
memory_bytes = 268_435_456
processes = 32
disk_bytes = 16_777_216

[policy]
packages = []
forbidden = []

[[entry_points]]
name = "double"
signature = "double(n)"
takes = { fr = "n : entier", en = "n: integer" }
returns = { fr = "2n", en = "2n" }

[[entry_points]]
name = "locate"
signature = "locate(text, letter)"
takes = { fr = "text : chaîne ; letter : un caractère", en = "text: string; letter: one character" }
returns = { fr = "indices de letter dans text", en = "indices of letter in text" }
"""
ORACLE = '''"""The right answers."""


def double(n):
    """2n."""
    return n + n


def locate(text, letter):
    """Where `letter` stands in `text`."""
    return [index for index, each in enumerate(text) if each == letter]
'''
CHECKS = '''"""Fresh inputs in every run."""

from harness.checks import check


@check(points=2, fr="Double", en="Double")
def test_double(submission, oracle, rng, compare):
    for n in rng.integers(-1000, 1000, size=3).tolist():
        compare(submission.double(n), oracle.double(n), exact=True)


@check(points=2, fr="Indices", en="Indices")
def test_locate(submission, oracle, rng, compare):
    for _ in range(3):
        text = "".join(rng.choice(list("abc"), size=8).tolist())
        compare(submission.locate(text, "a"), oracle.locate(text, "a"), exact=True)
'''

HONEST = """
def double(n):
    return 2 * n
"""
LOCATE = """
def locate(text, letter):
    return [index for index, each in enumerate(text) if each == letter]
"""


@dataclass(frozen=True)
class Kind:
    """Notebooks of one kind: their cells, and what must become of each check."""

    cells: tuple[str, ...]
    double: str = "passed"
    locate: str = "passed"


def attacking(body: str, outcome: str) -> Kind:
    """The function `double` does `body`; the rest is honest."""
    source = "import ctypes, os, signal\ndef double(n):\n" + "\n".join(f"    {line}" for line in body.splitlines())
    return Kind((source, LOCATE), double=outcome)


ORDINARY = {
    "honest": Kind((HONEST, LOCATE)),
    "wrong": Kind(("def double(n):\n    return n", LOCATE), double="failed"),
}
HOSTILE = {
    "exits in a cell": Kind(("import os\nos._exit(0)", HONEST, LOCATE)),
    "kills itself": attacking("os.kill(os.getpid(), signal.SIGKILL)", "crashed"),
    "kills all it sees": attacking(
        """for number in [-1, *(int(name) for name in os.listdir("/proc") if name.isdigit())]:
    try:
        os.kill(number, signal.SIGKILL)
    except OSError:
        pass
os.abort()""",
        "crashed",
    ),
    "segfaults": attacking("ctypes.string_at(0)", "crashed"),
    "loops": attacking("while True: pass", "timeout"),
    "fork bomb": attacking(
        """while True:
    try:
        os.fork()
    except OSError:
        pass""",
        "timeout",
    ),
    "memory bomb": attacking("hoard = []\nwhile True: hoard.append(bytearray(b'x' * 10_000_000))", "memory"),
    "fills descriptors": attacking(
        """globals().setdefault("hoard", [])
try:
    while True: hoard.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    return 2 * n""",
        "passed",
    ),
    "fills the disk": attacking(
        """for folder in ("/tmp", "/dev/shm", os.path.expanduser("~"), "/run"):
    try:
        with open(folder + "/full", "ab") as file:
            while True:
                file.write(b"x" * 100_000)
                file.flush()
    except OSError:
        pass
return 2 * n""",
        "passed",
    ),
}
KINDS = {**ORDINARY, **HOSTILE}


def draw(submissions: int, seed: int) -> dict[str, str]:
    """Student -> kind, in random order; every hostile kind as often as the others, give or take one."""
    hostile = [list(HOSTILE)[number % len(HOSTILE)] for number in range(round(submissions * HOSTILE_SHARE))]
    wrong = ["wrong"] * round(submissions * WRONG_SHARE)
    kinds = [*hostile, *wrong, *["honest"] * (submissions - len(hostile) - len(wrong))]
    random.Random(seed).shuffle(kinds)
    return {f"student-{number:05d}": kind for number, kind in enumerate(kinds)}


def write_course(folder: Path) -> None:
    """The course, with its oracle."""
    (folder / SLUG).mkdir(parents=True)
    (folder / "course.toml").write_text(COURSE, encoding="utf-8")
    (folder / "soak_oracle.py").write_text(ORACLE, encoding="utf-8")
    (folder / SLUG / "assignment.toml").write_text(ASSIGNMENT, encoding="utf-8")
    (folder / SLUG / "checks.py").write_text(CHECKS, encoding="utf-8")


def write_cohort(folder: Path, students: dict[str, str]) -> None:
    """One folder with one notebook for each student."""
    for student, kind in students.items():
        (folder / student).mkdir(parents=True)
        cells = [
            {"cell_type": "code", "id": f"c{number}", "metadata": {}, "execution_count": None, "outputs": [],
             "source": source}
            for number, source in enumerate(KINDS[kind].cells)
        ]  # fmt: skip
        notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        (folder / student / f"{SLUG}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
