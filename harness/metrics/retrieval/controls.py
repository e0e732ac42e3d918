"""Runs whose values are known beforehand: if they do not come out, retrieval is broken and nothing may be marked.

Not covered: what students can try; that is in the tests.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.errors import InfrastructureError
from harness.metrics.contract import Refused
from harness.metrics.retrieval.quality import rank
from harness.metrics.retrieval.ranking import Secret
from harness.metrics.retrieval.scoring import Values, chance, names, score
from harness.metrics.retrieval.topics import Topics, topics

EXACT = 1e-12  # a sum of ten terms below 1 in float64
STANDARD_ERRORS = 6.0  # a right grader is stopped once in 500 million runs
N_DOCUMENTS, N_QUERIES, K = 300, 200, 100
GRADES = {0: 3, 7: 1, 20: 2, 41: 1}  # of every query: ideal order 3, 2, 1, 1

Run = Mapping[Any, Any]


def check() -> None:
    """Perfect runs score 1, empty ones 0, one computed by hand its value, constant scores what chance gives.

    Raises:
        InfrastructureError: one of them does not, or NaN is let through.
        ConfigurationError: ir_measures is not installed.

    Cost: 0.1 s.
    """
    queries = range(N_QUERIES)
    asked = topics(range(N_DOCUMENTS), dict.fromkeys(queries), dict.fromkeys(queries, GRADES), K)
    perfect = _values(asked, {query: list(GRADES.items()) for query in queries})
    known = _values(asked, {query: {7: 4.0, 299: 3.0, 0: 2.0, 298: 1.0} for query in queries})
    constant = _values(asked, {query: np.zeros(N_DOCUMENTS) for query in queries})
    ideal = 3 + 2 / math.log2(3) + 1 / math.log2(4) + 1 / math.log2(5)
    _hold("a perfect run", perfect, (1.0, 1.0, 1.0))
    _hold("an empty run", _values(asked, {}), (0.0, 0.0, 0.0))
    _hold("a run computed by hand", known, ((1 + 3 / math.log2(4)) / ideal, 0.5, 1.0))
    for name, expected in chance(asked).items():
        error = float(np.std(constant[name])) / math.sqrt(N_QUERIES)
        if abs(float(np.mean(constant[name])) - expected) > STANDARD_ERRORS * error:
            raise _broken(f"{name} of constant scores", expected, float(np.mean(constant[name])))
    _refuses_nan(asked)


def _values(asked: Topics, run: Run) -> Mapping[str, Values]:
    rng = np.random.default_rng(0)  # nothing to keep secret: no student answers here
    return score(rank(run, asked, secret=Secret.drawn(asked, rng), rng=rng), asked)


def _hold(what: str, values: Mapping[str, Values], expected: tuple[float, float, float]) -> None:
    for name, value in zip(names(K), expected, strict=True):
        worst = values[name][np.argmax(np.abs(values[name] - value))]
        if not abs(worst - value) <= EXACT:
            raise _broken(f"{name} of {what}", value, float(worst))


def _refuses_nan(asked: Topics) -> None:
    try:
        _values(asked, {0: {0: math.nan}})
    except Refused:
        return
    raise _broken("a score of NaN", "a refusal", "a value")


def _broken(what: str, expected: object, found: object) -> InfrastructureError:
    return InfrastructureError(
        f"the controls of retrieval do not come out: {what} should be {expected}, and is {found}",
        remedy="Reinstall ir_measures and pytrec_eval ('bareme[metrics]'), and mark again.",
    )
