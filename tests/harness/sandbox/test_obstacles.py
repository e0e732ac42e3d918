"""What is advised where a sandbox does not work. The words are those that really were a sandbox's last."""

import pytest

from harness.sandbox import landlock, obstacles
from harness.sandbox.obstacles import CONTAINER, COVERED, ONE_USER, OTHER, TOO_MANY

NESTED = 'Traceback (most recent call last):\n  File "/bareme/warm/nest.py", line 59, in _ending_here\n    yield\n'


@pytest.fixture(autouse=True)
def settings(tmp_path, monkeypatch):
    """A machine whose settings forbid nothing; the test may write others."""
    monkeypatch.setattr(obstacles, "SETTINGS", tmp_path)
    for name in ("kernel", "user"):
        (tmp_path / name).mkdir()
    (tmp_path / "user/max_user_namespaces").write_text("96365\n")
    return tmp_path


@pytest.mark.parametrize(
    ("setting", "value", "change"),
    [
        ("kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1"),
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "sysctl kernel.apparmor_restrict_unprivileged_userns=0"),
        ("user/max_user_namespaces", "0", "sysctl user.max_user_namespaces=10000"),
    ],
)
def test_the_setting_that_forbids_is_named(settings, setting, value, change):
    (settings / setting).write_text(f"{value}\n")
    advice = obstacles.remedy("bwrap: setting up uid map: Permission denied")
    assert advice.fr == f"Autorisez les espaces de noms d'utilisateur : {change}."
    assert advice.en == f"Allow user namespaces: {change}."


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("bwrap: Creating new namespace failed: Operation not permitted", CONTAINER),
        ("bwrap: No permissions to create new namespace, likely because the kernel does not allow it", CONTAINER),
        ("bwrap: setting up uid map: Permission denied", CONTAINER),
        (f"{NESTED}PermissionError: [Errno 1] Operation not permitted: 'unshare'", CONTAINER),
        ("bwrap: Can't mount proc on /newroot/proc: Operation not permitted", COVERED),
        (f"{NESTED}PermissionError: [Errno 1] Operation not permitted: 'mount /proc'", COVERED),
        ("bwrap: unshare user ns: No space left on device", TOO_MANY),
        (
            "bwrap: Creating new namespace failed: nesting depth or /proc/sys/user/max_*_namespaces exceeded (ENOSPC)",
            TOO_MANY,
        ),
        (f"{NESTED}OSError: [Errno 28] No space left on device: 'unshare'", TOO_MANY),
        ("setpriv: setresuid failed: Invalid argument", ONE_USER),
        (f"{NESTED}OSError: [Errno 28] No space left on device: '/home/student/data'", OTHER),
        ("no answer within 30 s", OTHER),
    ],
)
def test_last_words_say_what_to_do(words, advice):
    assert obstacles.remedy(f"The sandbox cannot be built: {words}") == advice


def test_a_covered_proc_is_the_cause_whatever_the_settings_are(settings):
    (settings / "kernel/apparmor_restrict_unprivileged_userns").write_text("1\n")
    assert obstacles.remedy("bwrap: Can't mount proc on /newroot/proc: Operation not permitted") == COVERED


@pytest.mark.parametrize(("version", "mended"), [(0, True), (1, True), (2, False), (7, False)])
def test_landlock_needs_its_second_version(monkeypatch, version, mended):
    monkeypatch.setattr(landlock, "version", lambda: version)
    assert (obstacles.landlock_remedy() is not None) == mended


def test_linux_takes_filters_here():
    assert obstacles.filters_remedy() is None


def test_a_linux_without_filters(monkeypatch):
    monkeypatch.setattr(obstacles, "SECCOMP_MODE_FILTER", 99)  # a mode that no Linux has
    assert "CONFIG_SECCOMP_FILTER" in obstacles.filters_remedy().fr
