"""Files beside the notebook: what comes along, and what does not."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import intake
from harness.course import Policy
from harness.intake import extras
from harness.intake.files import Folder
from harness.records import Submission

Make = Callable[..., bytes]
Submit = Callable[..., Submission]


def test_files_keep_their_folders(submit: Submit, as_bytes: Make) -> None:
    beside = {"util.py": b"u", "data/a/b.bin": b"\x00", "data.csv": b"1,2"}
    submission = submit(as_bytes("1"), beside=beside)
    assert dict(submission.extras) == beside
    assert submission.notices == ()


@pytest.mark.parametrize(
    "name",
    ["torch.py", "numpy/__init__.py", "sitecustomize.py", "usercustomize.py", "conftest.py", "ipykernel_launcher.py",
     "random.py", "IPython.py", "json.so", "random.cpython-311-x86_64-linux-gnu.so", "typing_extensions.py"],
)  # fmt: skip
def test_files_that_would_stand_in_for_a_module(name: str, submit: Submit, as_bytes: Make) -> None:
    submission = submit(as_bytes("1"), beside={name: b"x = 1", "torch.txt": b"kept"})
    assert dict(submission.extras) == {"torch.txt": b"kept"}
    assert [notice.code for notice in submission.notices] == ["extra-shadows"]
    assert name in submission.notices[0].text.en


@pytest.mark.parametrize("names", [("Data.txt", "data.txt"), ("é.txt", "e\u0301.txt"), ("D/a", "d/b")])
def test_names_that_collide(names: tuple[str, str], submit: Submit, as_bytes: Make) -> None:
    submission = submit(as_bytes("1"), beside=dict.fromkeys(names, b"x"))
    assert len(submission.extras) == 1
    assert [notice.code for notice in submission.notices] == ["extra-collides"]


@pytest.mark.parametrize("name", ["a\nb.txt", "a\\b", "/".join("abcdefghij"), "\u202e.txt"])
def test_names_not_usable_everywhere(name: str, submit: Submit, as_bytes: Make) -> None:
    submission = submit(as_bytes("1"), beside={name: b"x"})
    assert not submission.extras
    assert [notice.code for notice in submission.notices] == ["extra-name"]


def test_too_many(submit: Submit, as_bytes: Make) -> None:
    submission = submit(as_bytes("1"), beside={f"{i:03}.txt": b"" for i in range(203)})
    assert len(submission.extras) == 200
    assert submission.notices[0].text.en.startswith("3 files")


def test_too_large_in_total(submit: Submit, as_bytes: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "TOTAL_BYTES", 2 * 2**20)
    submission = submit(as_bytes("1"), beside={"a": b"a" * 2**20, "b": b"b" * (2**20 + 1), "c": b"c"})
    assert sorted(submission.extras) == ["a", "c"]
    assert [notice.code for notice in submission.notices] == ["extra-too-large"]
    assert "2 MiB" in submission.notices[0].text.en


def test_links_and_pipes(tmp_path: Path, as_bytes: Make) -> None:
    folder = tmp_path / "in" / "ann"
    folder.mkdir(parents=True)
    (folder / "n.ipynb").write_bytes(as_bytes("1"))
    (tmp_path / "secret").write_text("canary")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "up").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    (candidate,) = intake.find(tmp_path / "in", "ngram")
    submission = intake.read(candidate, policy=Policy())
    assert not submission.extras
    assert [notice.code for notice in submission.notices] == ["extra-left-out"] * 3
    assert "est un lien" in submission.notices[0].text.fr


def test_a_file_cannot_also_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")  # an archive may hold both a and a/b
    loaded = extras.load(Folder(tmp_path), "", ["a", "a/b"], importable=())
    assert loaded.contents == {"a": b"1"}
    assert [notice.code for notice in loaded.notices] == ["extra-collides"]
