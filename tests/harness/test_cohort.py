"""The cohort's own rules: one run a folder, seeds, and what counts as done."""

import multiprocessing
from pathlib import Path

import pytest

from harness import cohort
from harness.cli import bundled_course
from harness.cohort import claimed, environment, fingerprint, fresh_seed
from harness.errors import UsageError
from harness.fork_servers import NoServer
from harness.orders import Order
from harness.records import Text
from harness.runners.local import LocalRunner


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


def test_what_the_oracle_answers_is_its_owners_and_ends_with_the_run(tmp_path: Path) -> None:
    killed = tmp_path / f"{cohort.ANSWERS}killed"
    killed.mkdir()
    (killed / "answer").touch()
    with cohort._answers(tmp_path) as folder:
        assert list(tmp_path.iterdir()) == [folder]
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "answer").touch()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_fewer_jobs_than_asked_are_told_once_and_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.runners.room.available_bytes", lambda: 2**20)
    submissions = tmp_path / "submissions"
    for student in ("ada", "alan"):
        (submissions / student).mkdir(parents=True)
        (submissions / student / "ngram.ipynb").write_bytes(b"{")
    course = bundled_course()
    order = Order(course, course.assignment("ngram"), submissions, tmp_path / "out", "cpu", "cpu", jobs=8)
    told: list[Text] = []
    marked = cohort.mark(order, LocalRunner(8), NoServer(), lambda _: None, told.append)
    assert [warning.en.split(".")[0] for warning in told] == ["Submissions marked side by side: 1 instead of 2"]
    assert told[0].fr.startswith("Copies corrigées en même temps")
    assert marked.run.jobs == 1
    assert len(marked.results) == 2
    assert not list(order.out.glob(f"{cohort.ANSWERS}*"))
