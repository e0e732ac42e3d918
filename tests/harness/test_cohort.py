"""The cohort's own rules: one run a folder, seeds, and what counts as done."""

import multiprocessing
from pathlib import Path

import pytest

from harness.cohort import claimed, environment, fingerprint, fresh_seed
from harness.errors import UsageError


def test_a_folder_is_held_by_one_run(tmp_path: Path) -> None:
    with claimed(tmp_path / "out"), pytest.raises(UsageError, match="another run is busy"), claimed(tmp_path / "out"):
        pass
    with claimed(tmp_path / "out"):
        pass


def test_a_claim_ends_with_its_process(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    process = context.Process(target=lambda: claimed(tmp_path).__enter__())
    process.start()
    process.join()
    with claimed(tmp_path):
        pass


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(UsageError, match="--out"), claimed(tmp_path / "out"):
        pass


def test_seeds_are_large_and_their_names_tell_nothing() -> None:
    assert fresh_seed() != fresh_seed()
    assert fresh_seed().bit_length() > 96
    assert fingerprint(7) == fingerprint(7) != fingerprint(8)
    assert "7" * 3 not in fingerprint(7777)


def test_the_environment_says_what_a_mark_depends_on() -> None:
    assert {"python", "torch", "numpy", "sandbox"} <= set(environment("bubblewrap"))
