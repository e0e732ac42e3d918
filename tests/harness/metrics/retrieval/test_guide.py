"""The examples of docs/metrics/retrieval.md run, and its table of reasons is the code's."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from harness.metrics import retrieval
from harness.metrics.contract import Reading, Timing

ROOT = next(folder for folder in Path(__file__).parents if (folder / "pyproject.toml").exists())
GUIDE = (ROOT / "docs/metrics/retrieval.md").read_text(encoding="utf-8")
SOURCES = "".join(
    path.read_text(encoding="utf-8") for path in sorted((ROOT / "harness/metrics/retrieval").glob("*.py"))
)


class Index:
    """Exact search in this process, timed by a clock that ticks once a call."""

    ticks = 0.0

    def __init__(self, function: Any) -> None:
        self.function = function

    def __call__(self, *args: Any) -> Any:
        return self.function(*args)

    def timed(self, *args: Any) -> Timing:
        Index.ticks += 1
        return Timing(self.function(*args), 1.0)

    def reading(self) -> Reading:
        return Reading(cpu_s=Index.ticks, waited_s=0.0, peak_memory_bytes=1, start=1)


def nearest(index, queries, k, setting):
    return np.argsort(((queries[:, None] - index[None]) ** 2).sum(axis=-1), axis=1)[:, :k]


def without_scale(function):
    """As the fixture does: the run's generator comes in, the scale is used elsewhere."""
    return lambda *args, scale, **options: function(*args, rng=np.random.default_rng(1), **options)


def test_the_examples_run(student):
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL):
        exec(compile(block, "docs/metrics/retrieval.md", "exec"), names)
    texts = names["DOCUMENTS"]
    search = student(
        lambda query, k: [(name, len({*query.split()} & {*text.split()})) for name, text in texts.items()][:k]
    )
    submission = SimpleNamespace(
        search=search,
        bm25_search=student(lambda query, k: []),
        dense_search=search,
        build=Index(lambda vectors: vectors),
        search_index=Index(nearest),
    )
    measured = []

    class Fixture:
        compare = staticmethod(
            lambda *args, **options: measured.append(without_scale(retrieval.compare)(*args, **options))
        )
        ann = staticmethod(lambda *args, **options: measured.append(without_scale(retrieval.ann)(*args, **options)))

        def __call__(self, *args, **options):
            measured.append(without_scale(retrieval.measure)(*args, **options))

    names["test_search"](submission, Fixture())
    names["test_dense"](submission, Fixture())
    names["test_index"](submission, Fixture(), np.random.default_rng(1))
    assert [one[0].name for one in measured] == ["ndcg@10", "ndcg@10.dense-bm25", "qps@recall0.9"]
    assert measured[2][1].value == 1.0


def test_the_reasons_are_those_of_the_code():
    table = GUIDE.partition("| reason | refused |")[2].partition("\n\n")[0]
    documented = {*re.findall(r"`([a-z_]+)`", table)} - {"k"}
    ranking = {*re.findall(r'return Refused\(\n +"(\w+)"', SOURCES)} - {"not_neighbours"}
    assert documented == ranking
