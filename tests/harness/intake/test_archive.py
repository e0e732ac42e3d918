"""Archives, honest and hostile; nothing is ever unpacked to disk."""

import io
import struct
import zipfile
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness import intake
from harness.course import Policy
from harness.errors import UnreadableSubmission, UsageError
from harness.records import Candidate

Make = Callable[..., bytes]


def info(name: str, mode: int = 0o100644) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, (2027, 1, 15, 10, 0, 0))
    member.external_attr = mode << 16
    member.compress_type = zipfile.ZIP_DEFLATED
    return member


@pytest.fixture
def pack(tmp_path: Path) -> Callable[..., tuple[Candidate, ...]]:
    """Zip (member, content) pairs and find what is in it."""

    def write(*members: tuple[zipfile.ZipInfo | str, bytes]) -> tuple[Candidate, ...]:
        with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
            for name, content in members:
                archive.writestr(info(name) if isinstance(name, str) else name, content)
        return intake.find(tmp_path / "in.zip", "ngram")

    return write


def reason(candidate: Candidate) -> str:
    with pytest.raises(UnreadableSubmission) as caught:
        intake.read(candidate, policy=Policy())
    assert caught.value.reason.fr != caught.value.reason.en
    return caught.value.reason.en


def test_folders_in_an_archive(pack: Callable[..., tuple[Candidate, ...]], as_bytes: Make, tmp_path: Path) -> None:
    members = [("ann/n.ipynb", as_bytes("x = 1")), ("ann/data/t.txt", b"t"), ("bob/n.ipynb", as_bytes("y = 1"))]
    ann, bob = pack(*members, ("__MACOSX/ann/._n.ipynb", b"junk"), ("bob/.ipynb_checkpoints/n.ipynb", b"old"))
    assert (ann.student, ann.member, ann.location) == ("ann", "ann/n.ipynb", tmp_path / "in.zip")
    assert ann.submitted_at == datetime(2027, 1, 15, 10, tzinfo=UTC)
    assert intake.read(ann, policy=Policy()).extras == {"data/t.txt": b"t"}
    assert [cell.source for cell in intake.read(bob, policy=Policy()).cells] == ["y = 1"]


def test_flat_archive_with_a_folder_around(pack: Callable[..., tuple[Candidate, ...]], as_bytes: Make) -> None:
    found = pack(("in/ann_ngram.ipynb", as_bytes("1")), ("in/bob_ngram.ipynb", as_bytes("2")))
    assert [candidate.student for candidate in found] == ["ann", "bob"]


def test_names_in_utf8_without_the_flag(tmp_path: Path, as_bytes: Make) -> None:
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        archive.writestr("Zo__/n.ipynb", as_bytes("1"))
        archive.writestr("Ren_/n.ipynb", as_bytes("1"))
    raw = (tmp_path / "in.zip").read_bytes()
    raw = raw.replace(b"Zo__", "Zoé".encode()).replace(b"Ren_", "René".encode("cp437"))
    (tmp_path / "in.zip").write_bytes(raw)
    assert [candidate.student for candidate in intake.find(tmp_path / "in.zip", "ngram")] == ["René", "Zoé"]


def test_backslashes_separate_folders(pack: Callable[..., tuple[Candidate, ...]], as_bytes: Make) -> None:
    (ann,) = pack(("ann\\n.ipynb", as_bytes("1")))
    assert ann.student == "ann"
    assert intake.read(ann, policy=Policy()).cells


@pytest.mark.parametrize(
    "name", ["../ann/n.ipynb", "/ann/n.ipynb", "ann/../../n.ipynb", "C:/ann/n.ipynb", "..\\n.ipynb"]
)
def test_names_that_point_outside(name: str, pack: Callable[..., tuple[Candidate, ...]], as_bytes: Make) -> None:
    (candidate,) = pack((name, as_bytes("1")))
    assert "outside its archive" in reason(candidate)


def test_one_bad_member_does_not_stop_the_others(pack: Callable[..., tuple[Candidate, ...]], as_bytes: Make) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        ann, bob, carl = pack(
            ("ann/n.ipynb", as_bytes("1")),
            ("ann/n.ipynb", as_bytes("2")),
            (info("bob/n.ipynb", 0o120777), b"/etc/passwd"),
            ("carl/n.ipynb", as_bytes("3")),
        )
    assert "twice" in reason(ann)
    assert "link" in reason(bob)
    assert intake.read(carl, policy=Policy()).cells


def test_device(pack: Callable[..., tuple[Candidate, ...]]) -> None:
    assert "regular" in reason(pack((info("ann/n.ipynb", 0o020666), b""))[0])


def test_bomb(pack: Callable[..., tuple[Candidate, ...]]) -> None:
    (ann,) = pack(("ann/n.ipynb", bytes(20 * 2**20)))
    assert "proportion" in reason(ann)


def test_gigantic_notebook(tmp_path: Path, as_bytes: Make) -> None:
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:  # stored: no ratio gives it away
        archive.writestr("ann/n.ipynb", as_bytes("#" * (33 * 2**20)))
    assert "32 MiB" in reason(intake.find(tmp_path / "in.zip", "ngram")[0])


def test_password(tmp_path: Path, pack: Callable[..., tuple[Candidate, ...]], as_bytes: Make) -> None:
    pack(("ann/n.ipynb", as_bytes("1")))
    raw = bytearray((tmp_path / "in.zip").read_bytes())
    raw[6] |= 1
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "in.zip").write_bytes(raw)
    assert "password" in reason(intake.find(tmp_path / "in.zip", "ngram")[0])


def test_member_with_a_wrong_checksum(
    tmp_path: Path, pack: Callable[..., tuple[Candidate, ...]], as_bytes: Make
) -> None:
    pack(("ann/n.ipynb", as_bytes("1")))
    raw = bytearray((tmp_path / "in.zip").read_bytes())
    at = raw.index(b"PK\x01\x02") + 16
    raw[at : at + 4] = struct.pack("<I", 1)
    (tmp_path / "in.zip").write_bytes(raw)
    assert "damaged" in reason(intake.find(tmp_path / "in.zip", "ngram")[0])


@pytest.mark.parametrize("size", [0, 10, 0.5, 0.95])
def test_truncated_archive(
    size: float, tmp_path: Path, pack: Callable[..., tuple[Candidate, ...]], as_bytes: Make
) -> None:
    pack(("ann/n.ipynb", as_bytes("1")))
    raw = (tmp_path / "in.zip").read_bytes()
    (tmp_path / "in.zip").write_bytes(raw[: size if isinstance(size, int) else int(len(raw) * size)])
    with pytest.raises(UsageError, match="not a complete zip archive"):
        intake.find(tmp_path / "in.zip", "ngram")


def test_empty_archive(pack: Callable[..., tuple[Candidate, ...]]) -> None:
    with pytest.raises(UsageError, match="holds no notebook"):
        pack()


def _archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(info("ann/n.ipynb"), b'{"nbformat": 4, "cells": []}')
        archive.writestr(info("ann/data.txt"), b"data" * 20)
    return buffer.getvalue()


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(_archive()) - 1), st.integers(0, 255)), min_size=1, max_size=4))
@example(damage=[(251, 121)])  # an offset before the start of the file
def test_any_damage_ends_in_a_known_error(
    tmp_path_factory: pytest.TempPathFactory, damage: list[tuple[int, int]]
) -> None:
    raw = bytearray(_archive())
    for place, byte in damage:
        raw[place] = byte
    path = tmp_path_factory.mktemp("zip") / "in.zip"
    path.write_bytes(raw)
    with suppress(UsageError, UnreadableSubmission):
        for candidate in intake.find(path, "ngram"):
            assert intake.read(candidate, policy=Policy()).candidate is candidate
