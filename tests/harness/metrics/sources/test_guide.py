"""The examples of docs/metrics/sources.md run, one after the other."""

import re
from pathlib import Path
from typing import Any

from harness.metrics.sources import bits_per_byte

GUIDE = Path(__file__).parents[4] / "docs" / "metrics" / "sources.md"


def test_the_guides_examples_run() -> None:
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL):
        exec(block, names)
    floor = bits_per_byte(names["SOURCE"], names["documents"])
    assert floor < names["scale"].anchors[0].value
    assert names["SMALL"].log_probability("a.\n") < 0
