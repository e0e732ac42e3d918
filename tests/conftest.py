"""For all tests: those that need a GPU say so, and are skipped with a reason where there is none."""

import pytest

from harness.doctor import gpu


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked and gpu() is None:
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="needs a GPU: nvidia-smi finds none"))
