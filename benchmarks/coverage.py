"""Do intervals hold the truth as often as they say? Prints the share of repeated experiments for each case.

    python benchmarks/coverage.py [--only means medians ratios blocks slopes strengths elo] [--draws 2000]

Nominal are 95 %. Shares of 2,000 experiments are within 1.3 % of the truth with probability 0.99; those of Elo, whose
experiments take fifty times as long, are of a quarter as many and within 2.5 %. All of it takes about two minutes
on one core. docs/metrics/statistics.md quotes it.
"""

import argparse
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy.special import expit

from harness.statistics import (
    ELO_PER_NAT,
    bca_interval,
    bradley_terry_ratings,
    elo_ratings,
    fit_slope,
    hierarchical_interval,
    median_interval,
    percentile_interval,
    ratio_interval,
)

N_RESAMPLES = 500  # enough here, where the errors of single intervals average out
N_FAR = 1500  # where few units cut off a thousandth at each end: of fewer resamples that is the outermost one
ELO_SHARE = 4  # of the draws one in so many: an experiment is a thousand runs of all games
Experiment = Callable[[np.random.Generator], tuple[Any, Any]]  # found (an interval, or one a player), and the truth
SHAPES: dict[str, tuple[Callable[..., Any], float, float]] = {  # draws, mean, median
    "normal": (lambda rng, size: rng.standard_normal(size), 0.0, 0.0),
    "t3": (lambda rng, size: rng.standard_t(3, size=size), 0.0, 0.0),
    "Laplace": (lambda rng, size: rng.laplace(size=size), 0.0, 0.0),
    "Cauchy": (lambda rng, size: rng.standard_cauchy(size=size), np.nan, 0.0),
    "uniform": (lambda rng, size: rng.random(size=size), 0.5, 0.5),
    "exponential": (lambda rng, size: rng.exponential(size=size), 1.0, np.log(2)),
    "lognormal": (lambda rng, size: rng.lognormal(size=size), np.exp(0.5), 1.0),
    "two humps": (lambda rng, size: rng.choice([-1, 1], size=size) + 0.3 * rng.standard_normal(size), 0.0, 0.0),
}


def means() -> Iterator[tuple[str, Experiment]]:
    for interval in (percentile_interval, bca_interval):
        for shape in ("normal", "exponential"):
            for n in (5, 7, 10, 20, 50, 200):
                draw, mean, _ = SHAPES[shape]
                yield (
                    f"{interval.__name__}, mean of {n}, {shape}",
                    lambda rng, interval=interval, draw=draw, n=n, mean=mean: (
                        interval(draw(rng, n), rng=rng, n_resamples=N_FAR),
                        mean,
                    ),
                )


def medians() -> Iterator[tuple[str, Experiment]]:
    for shape, (draw, _, median) in SHAPES.items():
        for n in (*range(5, 16), 20, 31):
            yield (
                f"median_interval, {n}, {shape}",
                lambda rng, draw=draw, n=n, median=median: (median_interval(draw(rng, n)), median),
            )


def ratios() -> Iterator[tuple[str, Experiment]]:
    kinds: dict[str, tuple[Callable[..., Any], Callable[[float], float]]] = {
        "normal rates": (lambda noise, _log: 2 + 0.3 * noise, lambda _spread: 2.0),
        "long steadier": (lambda noise, log: 2 + 0.3 * noise / np.exp(log / 2), lambda _spread: 2.0),
        "long easier": (lambda noise, log: 2 - 0.1 * log + 0.3 * noise, lambda spread: 2 - 0.1 * spread**2),
        "lognormal rates": (
            lambda noise, _log: 1.7 + 0.3 * np.exp(0.7 * noise),
            lambda _spread: 1.7 + 0.3 * np.exp(0.245),
        ),
    }
    for kind, (rates, truth) in kinds.items():
        for spread in (0.5, 1.0, 1.5):
            for n in (2, 3, 5, 7, 8, 20, 50):
                yield (
                    f"ratio_interval, {n}, sizes spread by {spread}, {kind}",
                    lambda rng, n=n, spread=spread, rates=rates, truth=truth: (
                        _ratio(rng, n, spread, rates),
                        truth(spread),
                    ),
                )


def _ratio(rng: np.random.Generator, n: int, spread: float, rates: Callable[..., Any]) -> Any:
    log = spread * rng.standard_normal(n)
    sizes = 2000 * np.exp(log)
    return ratio_interval(sizes * rates(rng.standard_normal(n), log), sizes, rng=rng, n_resamples=N_RESAMPLES)


def blocks() -> Iterator[tuple[str, Experiment]]:
    for statistic in (np.mean, np.median):
        for n in (5, 10, 20):
            for between, within in ((1.0, 0.2), (1.0, 1.0), (0.0, 1.0)):
                yield (
                    f"hierarchical_interval, {statistic.__name__}, {n} blocks of 5 calls, σ {between}, τ {within}",
                    lambda rng, statistic=statistic, n=n, between=between, within=within: (
                        hierarchical_interval(
                            between * rng.standard_normal((n, 1)) + within * rng.standard_normal((n, 5)),
                            statistic,
                            rng=rng,
                            n_resamples=N_FAR,
                        ),
                        0.0,
                    ),
                )


def slopes() -> Iterator[tuple[str, Experiment]]:
    kinds: dict[str, Callable[..., Any]] = {
        "lognormal": lambda rng, s, r: 0.1 * rng.standard_normal((s, r)),
        "t3": lambda rng, s, r: 0.1 * rng.standard_t(3, size=(s, r)),
        "one-sided": lambda rng, s, r: 0.1 * rng.exponential(size=(s, r)),
        "shared by a size": lambda rng, s, r: 0.1 * rng.standard_normal((s, r)) + 0.1 * rng.standard_normal((s, 1)),
        "ten times as large at the smallest size": lambda rng, s, r: (
            rng.standard_normal((s, r)) * np.geomspace(0.3, 0.03, s)[:, None]
        ),
    }
    for kind, noise in kinds.items():
        for n in (5, 8, 12):
            sizes = 100 * 2.0 ** np.arange(n)
            yield (
                f"fit_slope, {n} sizes, 3 repetitions, noise {kind}",
                lambda rng, sizes=sizes, n=n, noise=noise: (
                    fit_slope(sizes, sizes[:, None] ** 1.5 * np.exp(noise(rng, n, 3))),
                    1.5,
                ),
            )


def _played(rng: np.random.Generator, strengths: Any, pairs: Any, draws: float) -> list[tuple[int, int, float]]:
    chance = expit(strengths[pairs[:, 0]] - strengths[pairs[:, 1]])
    drawn = draws * 2 * np.minimum(chance, 1 - chance)
    luck = rng.random(len(pairs))
    scores = np.where(luck < drawn, 0.5, np.where(luck < chance + drawn / 2, 1.0, 0.0))
    return [(i, j, score) for (i, j), score in zip(pairs.tolist(), scores.tolist(), strict=True)]


def strengths() -> Iterator[tuple[str, Experiment]]:
    for n, games, draws in (
        (4, 5, 0.0),
        (4, 10, 0.0),
        (4, 10, 0.5),
        (6, 4, 0.0),
        (6, 6, 0.3),
        (8, 20, 0.2),
        (3, 100, 0),
    ):
        truth = np.linspace(-0.6, 0.6, n)
        pairs = np.repeat(np.stack(np.triu_indices(n, 1), axis=1), games, axis=0)

        def experiment(
            rng: np.random.Generator, truth: Any = truth, pairs: Any = pairs, draws: float = draws
        ) -> tuple[Any, Any]:
            while True:
                try:
                    return bradley_terry_ratings(_played(rng, truth, pairs, draws), len(truth)), truth
                except ValueError:  # no maximum: a board would not be shown
                    continue

        yield f"bradley_terry_ratings, {n} players, {games} games a pair, draws {draws}", experiment


def _pairings(rng: np.random.Generator, n: int, size: tuple[int, ...]) -> tuple[Any, Any]:
    first = rng.integers(n, size=size)
    return first, (first + rng.integers(1, n, size=size)) % n


def _average_elo(rng: np.random.Generator, truth: Any, games: int, k: float) -> Any:
    runs = np.arange(20_000)
    ratings = np.full((len(runs), len(truth)), 1500.0)
    for _ in range(games):
        i, j = _pairings(rng, len(truth), (len(runs),))
        won = rng.random(len(runs)) < expit(truth[i] - truth[j])
        moved = k * (won - expit((ratings[runs, i] - ratings[runs, j]) / ELO_PER_NAT))
        ratings[runs, i] += moved
        ratings[runs, j] -= moved
    return ratings.mean(axis=0)


def elo() -> Iterator[tuple[str, Experiment]]:
    for n, games, k in ((4, 60, 32.0), (4, 300, 32.0), (4, 300, 8.0), (8, 200, 16.0)):
        truth = np.linspace(-0.6, 0.6, n)
        average = _average_elo(np.random.default_rng(1), truth, games, k)
        yield (
            f"elo_ratings, {n} players, {games} games, k {k:g}",
            lambda rng, n=n, games=games, k=k, truth=truth, average=average: (
                elo_ratings(_played(rng, truth, np.stack(_pairings(rng, n, (games,)), axis=1), 0.0), n, rng=rng, k=k),
                average,
            ),
        )


CASES = {case.__name__: case for case in (means, medians, ratios, blocks, slopes, strengths, elo)}


def covered(experiment: Experiment, draws: int) -> float:
    rng = np.random.default_rng(2026)
    held = []
    for _ in range(draws):
        found, truth = experiment(rng)
        ends = found if isinstance(found, tuple) else (found,)
        held.append(
            np.mean([one.low <= true <= one.high for one, true in zip(ends, np.atleast_1d(truth), strict=True)])
        )
    return float(np.mean(held))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=tuple(CASES), default=tuple(CASES))
    parser.add_argument("--draws", type=int, default=2000)
    options = parser.parse_args()
    for name in options.only:
        for words, experiment in CASES[name]():
            draws = options.draws // ELO_SHARE if name == "elo" else options.draws
            print(f"{covered(experiment, draws):6.1%}  {words}", flush=True)


if __name__ == "__main__":
    main()
