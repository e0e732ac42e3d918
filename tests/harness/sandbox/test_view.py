"""What of the host is shown, and that a secret is noticed before anything starts."""

import os
import sys
from pathlib import Path, PurePosixPath

import pytest

from harness.errors import SandboxUnavailable
from harness.sandbox.view import PACKAGES, Bind, View, host_view, python_path

LIBRARY = Path(os.__file__).parent


@pytest.fixture(scope="module")
def view():
    return host_view(["numpy"], secrets=())


@pytest.mark.parametrize("path", [python_path(), LIBRARY / "json" / "__init__.py", Path("/usr/bin/env")])
def test_python_and_the_system_are_visible(view, path):
    assert view.visible(path)


@pytest.mark.parametrize("path", ["/home", "/etc/shadow", "/etc/hostname", "/var", "/root", "/proc/1", "/usr/src"])
def test_the_rest_of_the_host_is_not(view, path):
    assert not view.visible(Path(path))


def test_of_installed_packages_only_those_asked_for():
    import numpy

    site = Path(numpy.__file__).parent.parent
    view = host_view(["numpy"], secrets=())
    assert view.visible(site / "numpy")
    assert not view.visible(site / "pytest")
    assert not view.visible(site)


def test_packages_of_the_base_python_are_covered(view):
    covered = {PurePosixPath(LIBRARY, "site-packages"), PurePosixPath("/usr/lib/python3/dist-packages")}
    present = {path for path in covered if Path(path).is_dir()}
    assert present <= set(view.covers)


def test_parents_come_before_children(view):
    inside = [bind.inside for bind in view.binds]
    assert inside == sorted(inside)


def test_a_cover_hides_what_lies_under_it(tmp_path):
    (tmp_path / "site-packages" / "harness").mkdir(parents=True)
    bind = Bind(tmp_path, PurePosixPath("/python"))
    view = View("", (bind,), (), (PurePosixPath("/python/site-packages"),))
    assert view.visible(tmp_path / "json")
    assert not view.visible(tmp_path / "site-packages" / "harness")


def test_a_link_to_a_visible_place_is_no_way_round(tmp_path):
    (tmp_path / "link").symlink_to(LIBRARY)
    assert host_view([], secrets=()).visible(tmp_path / "link")


@pytest.mark.parametrize("secret", [LIBRARY, LIBRARY / "json", Path("/usr/bin")])
def test_a_secret_in_view_is_refused(secret):
    with pytest.raises(SandboxUnavailable, match="would be visible to student code"):
        host_view([], secrets=[secret])


def test_secrets_out_of_view_are_fine(tmp_path):
    host_view(["numpy"], secrets=[tmp_path, Path(__file__).parents[3] / "reference", Path.home()])


def test_asking_for_a_package_of_ours_is_refused():
    import numpy

    with pytest.raises(SandboxUnavailable):
        host_view(["numpy"], secrets=[Path(numpy.__file__).parent])


def test_packages_have_a_folder_of_their_own(view):
    numpy = next(bind for bind in view.binds if bind.inside == PACKAGES / "numpy")
    assert numpy.source.name == "numpy"


def test_the_interpreter_is_the_base_one():
    assert python_path().is_relative_to(sys.base_prefix)
    assert not (python_path().parent.parent / "pyvenv.cfg").exists()
