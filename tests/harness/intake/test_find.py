"""Layouts on disk: who handed in what, in which order."""

import hashlib
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness import intake
from harness.course import Policy
from harness.errors import InfrastructureError, UnreadableSubmission, UsageError
from harness.records import Candidate

Make = Callable[..., bytes]


@pytest.fixture
def put(tmp_path: Path, as_bytes: Make) -> Callable[..., Path]:
    """Write notebooks (or other files) under one folder, each a second later than the one before."""

    def write(*paths: str) -> Path:
        for second, path in enumerate(paths):
            file = tmp_path / "in" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(as_bytes(f"x = {path!r}") if path.endswith(".ipynb") else b"x = 1\n")
            os.utime(file, (1_800_000_000 + second,) * 2)
        return tmp_path / "in"

    return write


def seen(candidates: tuple[Candidate, ...]) -> list[tuple[str, int, str]]:
    return [(candidate.student, candidate.attempt, candidate.notebook) for candidate in candidates]


def test_folder_of_students(put: Callable[..., Path]) -> None:
    root = put("bob/notebook.ipynb", "ann/notebook.ipynb", "ann/lib/util.py", "ann/data.txt", "expected.toml")
    ann, bob = intake.find(root, "ngram")
    assert (ann.student, ann.notebook, ann.extras) == ("ann", "ann/notebook.ipynb", ("ann/data.txt", "ann/lib/util.py"))
    assert ann.location == root / "ann/notebook.ipynb"
    assert ann.sha256 == hashlib.sha256(ann.location.read_bytes()).hexdigest()
    assert ann.submitted_at == datetime.fromtimestamp(1_800_000_001, UTC)
    assert (bob.student, bob.extras, bob.member) == ("bob", (), None)


def test_flat_files(put: Callable[..., Path]) -> None:
    root = put("ann_ngram.ipynb", "bob_ngram.py", "ann_attention.ipynb", "carl_attention.ipynb", "readme.txt")
    assert seen(intake.find(root, "ngram")) == [
        ("ann", 1, "ann_ngram.ipynb"),
        ("bob", 1, "bob_ngram.py"),
        ("carl", 1, "carl_attention.ipynb"),  # misnamed or of another assignment: shown, not lost
    ]


def test_flat_files_without_the_assignment(put: Callable[..., Path]) -> None:
    assert seen(intake.find(put("ann.ipynb", "jean_roy.ipynb"), "ngram")) == [
        ("ann", 1, "ann.ipynb"),
        ("jean_roy", 1, "jean_roy.ipynb"),
    ]


def test_attempts_by_number_then_time_then_name(put: Callable[..., Path]) -> None:
    root = put("ann_ngram (2).ipynb", "ann_ngram (1).ipynb", "ann_ngram.ipynb", "bob/b.ipynb", "bob/a.ipynb")
    assert [path for _, _, path in seen(intake.find(root, "ngram"))] == [
        "ann_ngram.ipynb",
        "ann_ngram (1).ipynb",
        "ann_ngram (2).ipynb",
        "bob/b.ipynb",
        "bob/a.ipynb",
    ]


def test_time_in_the_name_wins_over_the_file(put: Callable[..., Path]) -> None:
    root = put("ann_ngram_2027-02-01T10-00-00.ipynb", "ann_ngram_2027-01-15T10-00-00.ipynb")
    first, last = intake.find(root, "ngram")
    assert first.submitted_at == datetime(2027, 1, 15, 10, tzinfo=UTC)
    assert last.submitted_at == datetime(2027, 2, 1, 10, tzinfo=UTC)


def test_attempts_in_folders_of_their_own(put: Callable[..., Path]) -> None:
    root = put("ann/attempt2/n.ipynb", "ann/attempt1/n.ipynb", "ann/attempt2/x.csv", "bob/n.ipynb")
    first, second, _ = intake.find(root, "ngram")
    assert (first.notebook, first.extras) == ("ann/attempt1/n.ipynb", ())
    assert (second.notebook, second.extras) == ("ann/attempt2/n.ipynb", ("ann/attempt2/x.csv",))


def test_select(put: Callable[..., Path]) -> None:
    candidates = intake.find(put("ann/1.ipynb", "ann/2.ipynb", "bob/1.ipynb"), "ngram")
    assert seen(intake.select(candidates, "last")) == [("ann", 2, "ann/2.ipynb"), ("bob", 1, "bob/1.ipynb")]
    assert seen(intake.select(candidates, "first")) == [("ann", 1, "ann/1.ipynb"), ("bob", 1, "bob/1.ipynb")]
    assert intake.select(candidates, "best") == candidates


def test_the_assignment_chooses_among_a_students_notebooks(put: Callable[..., Path]) -> None:
    root = put("ann/attention.ipynb", "ann/ngram.ipynb", "bob/ngram/n.ipynb", "bob/attention/n.ipynb")
    assert [path for _, _, path in seen(intake.find(root, "ngram"))] == ["ann/ngram.ipynb", "bob/ngram/n.ipynb"]


def test_moodle_and_canvas(put: Callable[..., Path]) -> None:
    root = put("Zoé Roy_12_assignsubmission_file_/n.ipynb", "doejane_LATE_34_56_ngram.ipynb")
    assert [student for student, _, _ in seen(intake.find(root, "ngram"))] == ["doejane_34", "Zoé Roy_12"]


def test_folder_around_everything(put: Callable[..., Path]) -> None:
    assert len(intake.find(put("wrapper/ann/n.ipynb", "wrapper/bob/n.ipynb"), "ngram")) == 2


def test_caches_and_hidden_files_are_not_submissions(put: Callable[..., Path]) -> None:
    root = put("ann/n.ipynb", "ann/.ipynb_checkpoints/n.ipynb", "__MACOSX/ann/n.ipynb", "ann/.DS_Store", ".git/x.ipynb")
    (ann,) = intake.find(root, "ngram")
    assert ann.extras == ()


def test_folder_without_a_notebook_is_a_student_who_hears_of_it(put: Callable[..., Path]) -> None:
    ann, bob = intake.find(put("ann/report.pdf", "bob/n.ipynb"), "ngram")
    assert (ann.student, ann.notebook) == ("ann", "ann")
    with pytest.raises(UnreadableSubmission, match="no notebook"):
        intake.read(ann, policy=Policy())
    assert intake.read(bob, policy=Policy()).cells


def test_other_kinds_of_file_under_the_assignments_name(put: Callable[..., Path]) -> None:
    root = put("ann_ngram.ipynb", "bob_ngram.zip", "shared/data.txt")
    _, bob = intake.find(root, "ngram")
    with pytest.raises(UnreadableSubmission, match="no notebook"):
        intake.read(bob, policy=Policy())


def test_folders_whose_names_collide_stay_apart(put: Callable[..., Path]) -> None:
    root = put("Ann/n.ipynb", "ann/n.ipynb", "Zo\u00e9/n.ipynb", "Zoe\u0301/n.ipynb")
    candidates = intake.find(root, "ngram")
    assert sorted(candidate.student for candidate in candidates) == ["Ann", "Zoé", "Zoé~2", "ann~2"]
    assert len({candidate.location for candidate in candidates}) == 4


def test_single_notebook_brings_what_lies_beside_it(put: Callable[..., Path]) -> None:
    root = put("ngram.ipynb", "helper.py", "data/x.txt", "other.ipynb")
    (candidate,) = intake.find(root / "ngram.ipynb", "ngram")
    assert (candidate.student, candidate.extras) == ("ngram", ("data/x.txt", "helper.py"))
    assert intake.read(candidate, policy=Policy()).extras == {"helper.py": b"x = 1\n", "data/x.txt": b"x = 1\n"}


def test_single_notebook_of_a_flat_cohort_brings_nothing_of_others(put: Callable[..., Path]) -> None:
    (candidate,) = intake.find(put("ann_ngram.ipynb", "bob_ngram.py") / "ann_ngram.ipynb", "ngram")
    assert (candidate.student, candidate.extras) == ("ann", ())


def test_script_alone_and_among_modules(put: Callable[..., Path]) -> None:
    root = put("ann/work.py", "bob/notebook.py", "bob/util.py", "carl/a.py", "carl/b.py")
    ann, bob, carl = intake.find(root, "ngram")
    assert (ann.notebook, bob.notebook, bob.extras) == ("ann/work.py", "bob/notebook.py", ("bob/util.py",))
    with pytest.raises(UnreadableSubmission, match="no notebook"):
        intake.read(carl, policy=Policy())


def test_links_and_pipes_are_never_followed(put: Callable[..., Path], tmp_path: Path) -> None:
    root = put("ann/helper.txt", "bob/helper.txt")
    secret = tmp_path / "secret.ipynb"
    secret.write_bytes((root / "ann/helper.txt").read_bytes())
    (root / "ann/n.ipynb").symlink_to(secret)
    os.mkfifo(root / "bob/n.ipynb")
    (root / "carl").symlink_to(tmp_path)
    reasons = {"ann": "is a link", "bob": "not a regular file", "carl": "is a link"}
    for candidate in intake.find(root, "ngram"):
        with pytest.raises(UnreadableSubmission, match=reasons.pop(candidate.student)):
            intake.read(candidate, policy=Policy())
    assert not reasons


def test_nothing_there(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(UsageError, match=r"STUDENT/notebook\.ipynb"):
            intake.find(path, "ngram")


def test_a_file_of_another_kind(put: Callable[..., Path]) -> None:
    with pytest.raises(UsageError, match="not a notebook"):
        intake.find(put("report.pdf") / "report.pdf", "ngram")


def test_no_permission_is_our_side(put: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    root = put("ann/n.ipynb")

    def refuse(path: object) -> None:  # root may read anything, so the refusal itself is made
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InfrastructureError, match="Permission denied"):
        intake.find(root, "ngram")
