"""The choice of device, and what the doctor finds."""

import pytest

from harness import doctor, sandbox
from harness.cli import bundled_course
from harness.errors import SandboxUnavailable, UsageError
from harness.records import Text
from harness.sandbox import landlock, obstacles

GPU = "NVIDIA H200, 580.00, 143771 MiB"


@pytest.mark.parametrize(
    ("asked", "allowed", "found", "chosen"),
    [
        ("auto", "cpu", GPU, "cpu"),
        ("cpu", "cpu", GPU, "cpu"),
        ("auto", "any", GPU, "cuda"),
        ("auto", "any", None, "cpu"),
        ("cpu", "any", GPU, "cpu"),
        ("cuda", "any", GPU, "cuda"),
        ("auto", "cuda", GPU, "cuda"),
        ("cuda", "cpu", GPU, "runs on CPU only"),
        ("cpu", "cuda", GPU, "needs a GPU"),
        ("cuda", "any", None, "no GPU was found"),
        ("auto", "cuda", None, "no GPU was found"),
    ],
)
def test_the_device_follows_from_what_is_asked_allowed_and_there(asked, allowed, found, chosen, monkeypatch):
    monkeypatch.setattr(doctor, "gpu", lambda: found)
    if " " in chosen:
        with pytest.raises(UsageError, match=chosen):
            doctor.device(asked, allowed)
    else:
        assert doctor.device(asked, allowed) == chosen


def test_results_name_the_gpu(monkeypatch):
    monkeypatch.setattr(doctor, "gpu", lambda: GPU)
    assert (doctor.device_name("cuda"), doctor.device_name("cpu")) == (GPU, "cpu")


def test_here_nothing_blocks():
    findings = doctor.examine(bundled_course())
    assert [finding for finding in findings if finding.blocks] == []
    names = {"sandbox", "seccomp", "warm kernels", "sandbox: landlock", "machine", "gpu", "package torch"}
    assert names <= {finding.name for finding in findings}


def test_here_kernels_start_warm():
    [warm] = [finding for finding in doctor.examine(bundled_course()) if finding.name == "warm kernels"]
    assert (warm.fine, warm.remedy) == (True, None), warm.detail


class NeverReady:
    """A fork server whose last words are `words`."""

    def __init__(self, words):
        self.error = SandboxUnavailable(
            f"The nested sandbox cannot be built: Traceback\n{words}", remedy=obstacles.remedy(words).en
        )
        self.closed = False

    def wait(self):
        raise self.error

    def close(self):
        self.closed = True


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("PermissionError: [Errno 1] Operation not permitted: 'mount /proc'", obstacles.COVERED),
        ("OSError: [Errno 28] No space left on device: 'unshare'", obstacles.TOO_MANY),
    ],
)
def test_where_kernels_only_start_cold_nothing_blocks_and_the_change_is_named(monkeypatch, words, advice):
    server = NeverReady(words)
    monkeypatch.setattr(sandbox, "serve", lambda warmth: server)
    findings = doctor.examine(bundled_course())
    [warm] = [finding for finding in findings if finding.name == "warm kernels"]
    assert (warm.fine, warm.blocks, warm.detail) == (False, False, words)
    assert warm.remedy.fr.endswith(advice.fr)
    assert warm.remedy.en == f"Kernels start cold, which costs seconds a notebook. {advice.en}"
    assert server.closed
    assert not any(finding.blocks for finding in findings)


def test_a_remedy_that_is_not_known_is_passed_on(monkeypatch):
    def refuse(name):
        raise SandboxUnavailable("setpriv is missing", remedy="Install util-linux.")

    monkeypatch.setattr(doctor.sandbox, "choose", refuse)
    [blocking] = [finding for finding in doctor.examine(bundled_course()) if finding.blocks]
    assert blocking.remedy == Text(fr="Install util-linux.", en="Install util-linux.")


def test_without_a_sandbox_no_warm_one_is_tried(monkeypatch):
    def refuse(name):
        raise SandboxUnavailable("none", remedy=obstacles.CONTAINER.en)

    monkeypatch.setattr(doctor.sandbox, "choose", refuse)
    monkeypatch.setattr(sandbox, "serve", None)
    assert "warm kernels" not in {finding.name for finding in doctor.examine(bundled_course())}


def test_landlock_is_explained_where_it_is_not_used(monkeypatch):
    monkeypatch.setattr(landlock, "version", lambda: 0)
    [found] = [finding for finding in doctor.examine(bundled_course()) if finding.name == "sandbox: landlock"]
    assert not found.blocks
    assert found.remedy == obstacles.NEWER_LANDLOCK


def test_a_linux_without_filters_blocks(monkeypatch):
    monkeypatch.setattr(obstacles, "filters_remedy", lambda: obstacles.NO_FILTERS)
    [blocking] = [finding for finding in doctor.examine(bundled_course()) if finding.blocks]
    assert (blocking.name, blocking.remedy) == ("seccomp", obstacles.NO_FILTERS)


def test_a_missing_sandbox_blocks_and_says_what_to_do(monkeypatch):
    def refuse(name):
        raise SandboxUnavailable("user namespaces are forbidden", remedy="sysctl kernel.something=1.")

    monkeypatch.setattr(doctor.sandbox, "choose", refuse)
    [blocking] = [finding for finding in doctor.examine(bundled_course()) if finding.blocks]
    assert blocking.detail == "user namespaces are forbidden"
    assert "sysctl" in blocking.remedy.fr
