"""Is one system better than another? The same queries, a paired randomization test, Holm over all pairs.

Not covered: ranks of many submissions (`leaderboard`).
"""

import re
from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Any

import numpy as np

from harness.errors import ConfigurationError
from harness.metrics.contract import Measurement
from harness.metrics.retrieval.quality import DEFAULT_K, Search, rank
from harness.metrics.retrieval.ranking import Secret
from harness.metrics.retrieval.scoring import names, score
from harness.metrics.retrieval.topics import topics
from harness.metrics.retrieval.uncertainty import interval
from harness.records import Better, Fact, Text
from harness.statistics import holm, paired_randomization

NAME = re.compile(r"[A-Za-z0-9_]+")
ADJUSTED = Text("Probabilité p corrigée (Holm)", "p-value, adjusted (Holm)")
RAW = Text("Probabilité p (permutation appariée)", "p-value (paired randomization)")


def compare(
    systems: Mapping[str, Search],
    *,
    rng: np.random.Generator,
    documents: Iterable[Any],
    queries: Mapping[Any, Any],
    qrels: Mapping[Any, Mapping[Any, int]],
    k: int = DEFAULT_K,
) -> tuple[Measurement, ...]:
    """For each pair of systems, the mean difference in nDCG@10 of the later one from the earlier one.

    Ties are ordered alike for all, so that equal runs differ by exactly 0. The interval is that of one pair by itself;
    the adjusted p-values hold for all pairs together. With n queries no p-value is below 2^(1 - n): six are the least
    with which anything can be told apart at 5 %.

    Args:
        systems: name -> what `measure` takes, two or more; names are letters, digits and "_".
        rng: secret; shuffles the queries, orders ties, draws swaps and bootstrap.
        documents: as for `measure`, and so are `queries`, `qrels` and `k`.
        queries: id -> arguments.
        qrels: judgments.
        k: rows a query at most.

    Returns:
        One measurement a pair, named "ndcg@10.LATER-EARLIER".

    Raises:
        Refused: an answer that is no ranking.
        ConfigurationError: fewer than two systems, an impossible name, and what `measure` raises.
    """
    if len(systems) < 2 or not all(NAME.fullmatch(name) for name in systems):
        raise ConfigurationError(
            f"systems cannot be compared: {sorted(systems)}", remedy="Name two or more with letters, digits and '_'."
        )
    asked = topics(documents, queries, qrels, k)
    secret = Secret.drawn(asked, rng)
    headline = names(k)[0]
    ndcg = {
        name: score(rank(search, asked, secret=secret, rng=rng), asked)[headline] for name, search in systems.items()
    }
    pairs = list(combinations(ndcg, 2))
    p_values = np.array([paired_randomization(ndcg[first], ndcg[second], rng=rng) for first, second in pairs])
    return tuple(
        _difference(headline, pair, (ndcg[pair[0]], ndcg[pair[1]]), (float(raw), float(adjusted)), rng)
        for pair, raw, adjusted in zip(pairs, p_values, holm(p_values), strict=True)
    )


def _difference(
    headline: str,
    pair: tuple[str, str],
    values: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]],
    p_values: tuple[float, float],
    rng: np.random.Generator,
) -> Measurement:
    (first, second), differences = pair, values[1] - values[0]
    sure = interval(differences, rng=rng, lowest=-1.0)
    means = [
        Fact(Text(f"nDCG@10, {name}", f"nDCG@10, {name}"), float(np.mean(of)))
        for name, of in zip(pair, values, strict=True)
    ]
    return Measurement(
        name=f"{headline}.{second}-{first}",
        title=Text(f"nDCG@10 : {second} moins {first}", f"nDCG@10: {second} minus {first}"),
        value=float(np.mean(differences)),
        unit="",
        low=sure.low,
        high=sure.high,
        better=Better.HIGHER,
        facts=(*means, Fact(RAW, p_values[0]), Fact(ADJUSTED, p_values[1])),
    )
