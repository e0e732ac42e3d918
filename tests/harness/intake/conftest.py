"""Notebooks built from the sources of their cells."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness import intake
from harness.course import Policy
from harness.records import Submission

KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


def notebook(*sources: str, **changes: Any) -> dict[str, Any]:
    """A valid format 4.5 notebook of code cells, as JSON values."""
    cells = [
        {"cell_type": "code", "id": f"c{i}", "metadata": {}, "execution_count": None, "outputs": [], "source": source}
        for i, source in enumerate(sources)
    ]
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": KERNEL, "cells": cells} | changes


def as_bytes(*sources: str, **changes: Any) -> bytes:
    return json.dumps(notebook(*sources, **changes)).encode()


@pytest.fixture(name="as_bytes")
def _as_bytes() -> Callable[..., bytes]:
    """Make a notebook file from the sources of its cells; keywords replace top-level keys."""
    return as_bytes


@pytest.fixture
def submit(tmp_path: Path) -> Callable[..., Submission]:
    """Read notebook content (bytes) with files beside it, as one student's folder."""

    def read(
        content: bytes,
        *,
        name: str = "notebook.ipynb",
        beside: dict[str, bytes] | None = None,
        forbidden: Sequence[str] = (),
        entry_points: Sequence[str] = (),
    ) -> Submission:
        folder = tmp_path / "in" / "ann"
        for path, data in {name: content, **(beside or {})}.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        (candidate,) = intake.find(tmp_path / "in", "ngram")
        return intake.read(candidate, policy=Policy(forbidden=tuple(forbidden)), entry_points=entry_points)

    return read
