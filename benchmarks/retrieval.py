"""What does measuring retrieval itself cost, and what does a curve of recall against speed look like? Under a minute.

    python benchmarks/retrieval.py

First the grader's own time for 1,000 queries with 100 rows each out of 20,000 documents: median and range of nine runs,
a search that takes no time. Then `ann` on an HNSW of faiss (M = 16, efConstruction = 40) over 20,000 normal vectors of
width 32, in this very process, so that nothing of a kernel or a sandbox is in the figures.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import resource
import time
from collections.abc import Callable, Iterable
from statistics import median
from typing import Any

import faiss
import numpy as np

from harness.metrics.contract import Reading, Timing
from harness.metrics.retrieval import Neighbours, ann, check, measure

N_DOCUMENTS, N_QUERIES, K, RUNS = 20_000, 1000, 100, 9
N_VECTORS, WIDTH, N_SEARCHES = 20_000, 32, 10_000
EF = [10, 20, 40, 80, 160, 320]


class Here:
    """A function of this process in place of one in a kernel."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self, *args: Any) -> Any:
        return self.function(*args)

    def map(self, arguments: Iterable[Any]) -> list[Any]:
        return [self.function(*one) for one in arguments]

    def timed(self, *args: Any) -> Timing:
        start = time.perf_counter()
        value = self.function(*args)
        return Timing(value, time.perf_counter() - start)

    def reading(self) -> Reading:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return Reading(time.process_time(), 0.0, used.ru_maxrss * 1024, 1)


def main() -> None:
    faiss.omp_set_num_threads(1)
    check()  # imports what the next lines would wait for
    controls = [seconds(check) for _ in range(RUNS)]
    print(f"controls: {spread(controls)}")
    for name, run in {"untied scores": untied(), "constant scores": constant()}.items():
        times = [seconds(lambda run=run: measure_once(run)) for _ in range(RUNS)]
        print(f"{N_QUERIES:,} queries of {K} rows, {name}: {spread(times)}")
    curve()


def untied() -> list[list[tuple[int, float]]]:
    rng = np.random.default_rng(0)
    rows = [rng.choice(N_DOCUMENTS, size=K, replace=False).tolist() for _ in range(N_QUERIES)]
    return [list(zip(documents, rng.random(K).tolist(), strict=True)) for documents in rows]


def constant() -> list[list[tuple[int, float]]]:
    return [[(document, 1.0) for document, _ in rows] for rows in untied()]


def measure_once(run: list[list[tuple[int, float]]]) -> None:
    queries = {query: (query,) for query in range(N_QUERIES)}
    qrels = {query: {query + i: 1 + i % 3 for i in range(10)} for query in queries}
    measure(
        Here(lambda query: run[query]),
        rng=np.random.default_rng(0),
        documents=range(N_DOCUMENTS),
        queries=queries,
        qrels=qrels,
    )


def curve() -> None:
    rng = np.random.default_rng(0)
    task = Neighbours(
        rng.normal(size=(N_VECTORS, WIDTH)).astype(np.float32), rng.normal(size=(N_SEARCHES, WIDTH)).astype(np.float32)
    )
    headline, *points = ann(Here(build), Here(search), rng=np.random.default_rng(1), task=task, settings=EF)
    print(f"\nfaiss HNSW, {N_VECTORS:,} vectors of width {WIDTH}")
    for fact in headline.facts:
        print(f"{fact.name.en}: {fact.value:,.2f} {fact.unit}")
    print(f"{headline.title.en}: {headline.value:,.0f} ({headline.low:,.0f} to {headline.high:,.0f})")
    print(f"{'ef':>5}  {'recall@10 (95 % interval)':>26}  {'1/s, processor':>15}  {'1/s, wall':>10}")
    for ef, point in zip(EF, points, strict=True):
        shown = f"{point.value:.4f} ({point.low:.4f} to {point.high:.4f})"
        print(f"{ef:>5}  {shown:>26}  {point.facts[0].value:>15,.0f}  {point.facts[1].value:>10,.0f}")


def build(vectors: np.ndarray) -> faiss.IndexHNSWFlat:
    index = faiss.IndexHNSWFlat(vectors.shape[1], 16)
    index.hnsw.efConstruction = 40
    index.add(vectors)
    return index


def search(index: faiss.IndexHNSWFlat, queries: np.ndarray, k: int, ef: int) -> np.ndarray:
    index.hnsw.efSearch = ef
    return index.search(queries, k)[1]


def seconds(function: Callable[[], None]) -> float:
    start = time.process_time()
    function()
    return time.process_time() - start


def spread(times: list[float]) -> str:
    return f"{median(times):.3f} s of processor time ({min(times):.3f} to {max(times):.3f})"


if __name__ == "__main__":
    main()
