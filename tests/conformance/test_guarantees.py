"""Both sandboxes speak of the same promises, and say of each whether they keep it."""

import pytest

from harness.sandbox import landlock
from harness.sandbox.bubblewrap import Bubblewrap, second_wall
from harness.sandbox.contract import Guarantee
from harness.sandbox.plain import Plain

ONLY_BUBBLEWRAP = {"root", "privileges", "landlock", "network", "filesystem", "disk"}


def test_same_promises_in_the_same_order():
    assert [each.name for each in Bubblewrap.guarantees] == [each.name for each in Plain.guarantees]


def test_plain_does_not_promise_what_only_namespaces_keep():
    assert {each.name for each in Plain.guarantees if not each.covered} == {*ONLY_BUBBLEWRAP, "linux"}


def test_bubblewrap_covers_all_but_linux_itself():
    lacking = {"landlock"} if landlock.version() < landlock.OLDEST else set()
    assert {each.name for each in Bubblewrap.guarantees if not each.covered} == {"linux"} | lacking


@pytest.mark.parametrize(
    ("version", "covered", "said"),
    [
        (0, False, "Linux does not offer it; the namespaces hold alone"),
        (1, False, "version 1 would refuse to move files between folders; the namespaces hold alone"),
        (2, True, "version 2: a second wall around what is written"),
        (5, True, "version 5: a second wall around what is written"),
        (6, True, "version 6: a second wall around what is written; signals and abstract sockets stay inside"),
    ],
)
def test_what_landlock_adds_depends_on_linux(version, covered, said):
    assert second_wall(version) == Guarantee("landlock", covered, said)


def test_every_promise_is_explained():
    assert all(each.detail for each in (*Bubblewrap.guarantees, *Plain.guarantees))
