"""A function that stands for a student's, and tasks drawn at random."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest


class Student:
    """Calls a function in this process, as a kernel would: one call for each tuple of arguments."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.asked: list[Any] = []

    def __call__(self, *args: Any) -> Any:
        return self.function(*args)

    def map(self, arguments: Any) -> list[Any]:
        self.asked = [one if isinstance(one, tuple) else (one,) for one in arguments]
        return [self.function(*one) for one in self.asked]


@pytest.fixture
def student() -> type[Student]:
    return Student


@pytest.fixture
def drawn() -> Callable[..., dict[str, Any]]:
    """Documents, queries and graded judgments: keyword arguments of `measure`."""

    def draw(rng: np.random.Generator, *, n_documents: int = 60, n_queries: int = 6) -> dict[str, Any]:
        documents = [f"d{i}" if i % 2 else i for i in rng.permutation(n_documents).tolist()]
        queries = {f"q{i}": f"question {i}" for i in range(n_queries)}
        qrels = {}
        for query in queries:
            judged = rng.choice(n_documents, size=rng.integers(1, min(25, n_documents)), replace=False).tolist()
            grades = rng.integers(0, 4, size=len(judged)).tolist()
            grades[0] = int(rng.integers(1, 4))
            qrels[query] = {documents[i]: grade for i, grade in zip(judged, grades, strict=True)}
        return {"documents": documents, "queries": queries, "qrels": qrels}

    return draw
