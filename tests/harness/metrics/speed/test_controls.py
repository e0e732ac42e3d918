"""The controls pass, and each fails when what it holds is off."""

import time

import pytest

from harness.errors import InfrastructureError
from harness.metrics.speed import controls, estimate


def test_controls_pass():
    controls.check()


def test_a_clock_that_does_not_see_other_processes_is_found(monkeypatch):
    monkeypatch.setattr(time, "clock_gettime", lambda clock: 0.0)
    with pytest.raises(InfrastructureError, match="CPU time of another process"):
        controls.check()


def test_null_calls_that_are_not_subtracted_are_found(monkeypatch):
    logs = estimate._logs
    monkeypatch.setattr(estimate, "_logs", lambda subject, baseline, null_s: logs(subject, baseline, 0.0))
    with pytest.raises(InfrastructureError, match="ratio of known times"):
        controls.check()
