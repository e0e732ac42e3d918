"""The choice of device, and what the doctor finds."""

import pytest

from harness import doctor
from harness.cli import bundled_course
from harness.errors import SandboxUnavailable, UsageError

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
    assert {"sandbox", "machine", "gpu", "package torch"} <= {finding.name for finding in findings}


def test_a_missing_sandbox_blocks_and_says_what_to_do(monkeypatch):
    def refuse(name):
        raise SandboxUnavailable("user namespaces are forbidden", remedy="sysctl kernel.something=1.")

    monkeypatch.setattr(doctor.sandbox, "choose", refuse)
    [blocking] = [finding for finding in doctor.examine(bundled_course()) if finding.blocks]
    assert blocking.detail == "user namespaces are forbidden"
    assert "sysctl" in blocking.remedy.fr
