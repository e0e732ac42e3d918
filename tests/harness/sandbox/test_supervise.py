"""Removing a folder that student code has been in."""

import pytest

from harness.sandbox.supervise import remove


def test_folders_without_rights_are_removed(tmp_path):
    locked = tmp_path / "folder" / "locked"
    locked.mkdir(parents=True)
    (locked / "file").write_text("x")
    locked.chmod(0o000)
    remove(tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


@pytest.mark.parametrize("mode", [0o500, 0o755])
def test_links_are_not_followed(tmp_path, mode):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("x")
    outside.chmod(mode)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "link").symlink_to(outside)
    remove(tmp_path / "folder")
    assert (outside / "kept").read_text() == "x"
    assert outside.stat().st_mode & 0o777 == mode


def test_a_folder_that_is_gone_is_no_error(tmp_path):
    remove(tmp_path / "gone")
