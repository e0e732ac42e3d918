"""How long does the oracle's HNSW take, and how good is it beside faiss? Prints a table; under two minutes.

    python benchmarks/rag.py

10,000 vectors of a normal distribution, width 16 and 64, M = 16, efConstruction = 40 (what faiss takes by itself). All
times are of the CPU, one thread. Of two builds each time is shown; latencies are medians over 500 queries, one at a
time, with the range from the first to the ninth decile; recall is of the 10 nearest. faiss is compiled and computes in
float32: it shows what the graph is worth, not how fast Python could be.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"

from collections.abc import Callable
from statistics import quantiles
from time import process_time
from typing import TypeVar

import faiss
import numpy as np

from reference.rag import FastHNSW, inner_product_search

T = TypeVar("T")
N_VECTORS, N_QUERIES, K = 10_000, 500, 10
M, EF_CONSTRUCTION = 16, 40


def main() -> None:
    faiss.omp_set_num_threads(1)
    for width in (16, 64):
        compare(width)


def compare(width: int) -> None:
    rng = np.random.default_rng(0)
    vectors, queries = rng.normal(size=(N_VECTORS, width)), rng.normal(size=(N_QUERIES, width))
    ours, our_times = timed(lambda: build_ours(vectors))
    theirs, their_times = timed(lambda: build_theirs(vectors))
    truth = nearest(queries, vectors)
    print(f"\n{N_VECTORS} vectors of width {width}, M = {M}, efConstruction = {EF_CONSTRUCTION}")
    print(f"build: ours {seconds(our_times)}, faiss {seconds(their_times)}")
    print(f"{'ef':>4}  {'recall ours':>11}  {'faiss':>6}  {'latency ours':>24}  {'faiss':>20}")
    for ef in (16, 32, 64, 128):
        theirs.hnsw.efSearch = ef
        found, our_latency = each(lambda query, ef=ef: ours.search(query, K, ef=ef)[0], queries)
        other, their_latency = each(lambda query: theirs.search(query, K)[1], queries.astype(np.float32))
        print(
            f"{ef:>4}  {recall(found, truth):>11.4f}  {recall(other, truth):>6.4f}"
            f"  {microseconds(our_latency):>24}  {microseconds(their_latency):>20}"
        )
    _, exact = each(lambda query: inner_product_search(query, vectors, K)[0], queries[:100])
    print(f"exact search, all {N_VECTORS}: {microseconds(exact)}")


def build_ours(vectors: np.ndarray) -> FastHNSW:
    return FastHNSW(vectors, m=M, ef_construction=EF_CONSTRUCTION, rng=np.random.default_rng(1))


def build_theirs(vectors: np.ndarray) -> faiss.IndexHNSWFlat:
    index = faiss.IndexHNSWFlat(vectors.shape[1], M)
    index.hnsw.efConstruction = EF_CONSTRUCTION
    index.add(vectors.astype(np.float32))
    return index


def timed(build: Callable[[], T]) -> tuple[T, list[float]]:
    times = []
    for _ in range(2):
        start = process_time()
        built = build()
        times.append(process_time() - start)
    return built, times


def each(search: Callable[[np.ndarray], np.ndarray], queries: np.ndarray) -> tuple[list[np.ndarray], list[float]]:
    """What was found for each query, asked alone, and how long it took in seconds."""
    found, times = [], []
    for query in queries:
        start = process_time()
        found.append(search(query[None])[0])
        times.append(process_time() - start)
    return found, times


def nearest(queries: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    index = faiss.IndexFlatL2(vectors.shape[1])
    index.add(vectors.astype(np.float32))
    return index.search(queries.astype(np.float32), K)[1]


def recall(found: list[np.ndarray], truth: np.ndarray) -> float:
    return float(np.mean([len({*row} & {*true}) / K for row, true in zip(found, truth, strict=True)]))


def seconds(times: list[float]) -> str:
    return " and ".join(f"{time:.2f} s" for time in times)


def microseconds(times: list[float]) -> str:
    low, *_, high = quantiles(times, n=10)
    return f"{np.median(times) * 1e6:.0f} µs ({low * 1e6:.0f} to {high * 1e6:.0f})"


if __name__ == "__main__":
    main()
