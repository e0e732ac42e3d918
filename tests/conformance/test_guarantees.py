"""Both sandboxes speak of the same promises, and say of each whether they keep it."""

from harness.sandbox.bubblewrap import Bubblewrap
from harness.sandbox.plain import Plain

ONLY_BUBBLEWRAP = {"root", "privileges", "network", "filesystem", "disk"}


def test_same_promises_in_the_same_order():
    assert [each.name for each in Bubblewrap.guarantees] == [each.name for each in Plain.guarantees]


def test_plain_does_not_promise_what_only_namespaces_keep():
    assert {each.name for each in Plain.guarantees if not each.covered} == {*ONLY_BUBBLEWRAP, "linux"}


def test_bubblewrap_covers_all_but_linux_itself():
    assert {each.name for each in Bubblewrap.guarantees if not each.covered} == {"linux"}


def test_every_promise_is_explained():
    assert all(each.detail for each in (*Bubblewrap.guarantees, *Plain.guarantees))
