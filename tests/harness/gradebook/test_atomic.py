"""A file is the old one or the new one, never a part of either."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import ExitCode, InfrastructureError
from harness.gradebook import atomic

OVER_THE_LIMIT = """
import resource, sys
from pathlib import Path
from harness.errors import BaremeError
from harness.gradebook import atomic
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    atomic.write(Path(sys.argv[1]), b"n" * 100_000)
except BaremeError as error:
    print(error)
"""


def test_it_replaces_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "grades.csv"
    atomic.write(path, b"old")
    atomic.write(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_who_reads_the_old_file_reads_it_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "grades.csv"
    atomic.write(path, b"old content")
    with path.open("rb", buffering=0) as reader:
        assert reader.read(3) == b"old"
        atomic.write(path, b"new")
        assert reader.read() == b" content"


def test_the_umask_decides_who_may_read(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        atomic.write(tmp_path / "grades.csv", b"")
    finally:
        os.umask(before)
    assert (tmp_path / "grades.csv").stat().st_mode & 0o777 == 0o640


def test_content_is_flushed_before_it_gets_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "grades.csv"
    atomic.write(path, b"old")
    seen = []
    sync = os.fsync

    def watching(descriptor: int) -> None:
        sync(descriptor)
        seen.append((Path(f"/proc/self/fd/{descriptor}").readlink() == tmp_path, path.read_bytes()))

    monkeypatch.setattr(os, "fsync", watching)
    atomic.write(path, b"new")
    assert seen == [(False, b"old"), (True, b"new")]  # the file under its first name, then the folder


def test_what_does_not_fit_leaves_the_old_file_and_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "grades.csv"
    path.write_bytes(b"old")
    done = subprocess.run([sys.executable, "-c", OVER_THE_LIMIT, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"{path} cannot be written (File too large). Raise the limit")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.slow
def test_a_full_disk_leaves_the_old_file_and_says_what_to_do(on_small_disk: Callable[[str], str]) -> None:
    said = on_small_disk("""
        from harness.gradebook import atomic
        path = disk / "results.json"
        atomic.write(path, b"old")
        try:
            atomic.write(path, b"n" * 1_000_000)
        except BaremeError as error:
            print(error)
        print(path.read_text(), len(list(disk.iterdir())))
    """)
    problem, left = said.splitlines()
    assert problem.endswith(
        "results.json cannot be written (No space left on device). Free some space on that disk, "
        "then run bareme report."
    )
    assert left == "old 1"


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    path = tmp_path / "absent" / "grades.csv"
    with pytest.raises(InfrastructureError, match=r"absent/grades\.csv cannot be written .*folder exist") as caught:
        atomic.write(path, b"")
    assert caught.value.exit_code is ExitCode.INFRASTRUCTURE


def test_a_folder_in_its_place_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "grades.csv"
    path.mkdir()
    with pytest.raises(InfrastructureError, match="Is a directory"):
        atomic.write(path, b"new")
    assert list(tmp_path.iterdir()) == [path]
