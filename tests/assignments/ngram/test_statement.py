"""What the statement of `ngram` says in numbers, computed: worked examples, shares, and what its recipe reaches.

Its given cells, too: they run whatever kinds of arrays the student's functions return, and pass NumPy arrays on."""

import importlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from harness.course import Assignment, Course
from harness.metrics.sources import MarkovSource, bits_per_byte

checks = importlib.import_module("assignments.ngram.checks")
oracle = importlib.import_module("reference.first_names")
TINY = {"C": [[0], [1]], "H": [[1, -1]], "d": [0], "U": [[1], [2]], "b": [0, 1]}
SEEDS = range(3)
KINDS: dict[str, Callable[[Any], Any]] = {
    "tensors": torch.as_tensor,
    "tensors with gradients": lambda array: torch.as_tensor(array).requires_grad_(array.dtype.kind == "f"),
    "32 bits": lambda array: array.astype(np.int32) if array.dtype.kind == "i" else array,
    "8 bits": lambda array: array.astype(np.int8) if array.max(initial=0) < 40 and array.dtype.kind == "i" else array,
}


@pytest.fixture
def ngram(course: Course) -> Assignment:
    return course.assignment("ngram")


@pytest.fixture
def names(ngram: Assignment, solve: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    return solve(ngram)


def test_the_worked_examples_of_the_networks(names: dict[str, Any]) -> None:
    assert [len(part) for part in names["split_names"](list(map(str, range(25))), 1)] == [21, 2, 2]
    assert [len(part) for part in names["split_names"](list(map(str, range(9))), 1)] == [9, 0, 0]
    contexts, targets = names["context_windows"](["ab"], 2)
    assert (contexts.tolist(), targets.tolist()) == ([[0, 0], [0, 1], [1, 2]], [1, 2, 0])
    loss, gradient = names["linear_loss"](np.array([[0, math.log(3)], [0, 0]]), np.array([0]), np.array([1]))
    assert round(loss, 3) == 0.288
    assert np.allclose(gradient, [[0.25, -0.25], [0, 0]], atol=1e-15)
    parameters = {name: np.array(values, dtype=np.float64) for name, values in TINY.items()}
    scores = names["mlp_logits"](parameters, np.array([[1, 0]]))
    assert [round(score, 3) for score in scores[0].tolist()] == [0.762, 2.523]


def test_bits_per_byte_are_those_that_models_are_judged_by(names: dict[str, Any]) -> None:
    assert round(names["bits_per_byte"](["éa"], math.log(40)), 2) == 3.99
    table = checks.random_table(np.random.default_rng(1))
    words = ["éa", "zoé", "b"]
    model = MarkovSource(checks.SYMBOLS, table)
    text = ".".join(["", *words, ""])
    nats = model.log_probability(".") - model.log_probability(text)  # the first boundary is not predicted
    expected = nats / math.log(2) / (len(text.encode()) - 1)
    assert names["bits_per_byte"](words, names["average_nll"](words, table)) == pytest.approx(expected)


def test_the_shares_of_n_grams_that_were_seen(names: dict[str, Any]) -> None:
    shares, known = {}, {}
    for n in (2, 5):
        grams = [[("." * (n - 1) + name + ".")[i : i + n] for i in range(len(name) + 1)] for name in names["NAMES"]]
        known[n] = {gram for place, found in enumerate(grams) if place % 10 for gram in found}
        aside = [gram for found in grams[::10] for gram in found]
        shares[n] = sum(gram in known[n] for gram in aside) / len(aside)
    assert shares[2] > 0.95  # nearly all
    assert 1 / 2 < shares[5] < 2 / 3
    assert 40**5 > 100e6
    assert 2000 < len(known[5]) < 9000  # a few thousand


@pytest.mark.parametrize("seed", SEEDS)
def test_thirty_steps_of_descent(names: dict[str, Any], seed: int) -> None:
    train, _, _ = names["split_names"](names["NAMES"], seed)
    contexts, targets = names["context_windows"](train, 1)
    weights, losses = np.zeros((40, 40)), []
    for _ in range(30):
        loss, gradient = names["linear_loss"](weights, contexts[:, 0], targets)
        losses.append(loss)
        weights -= 50 * gradient
    assert (round(losses[0], 1), round(losses[-1], 1)) == (3.7, 2.5)
    assert round(names["average_nll"](train, names["bigram_model"](train, 0)), 1) == 2.4


@pytest.mark.parametrize("kind", KINDS)
def test_given_cells_run_whatever_kind_of_array_functions_return(
    ngram: Assignment, solve: Callable[..., dict[str, Any]], kind: str
) -> None:
    """The functions themselves are those of the model answer, in a notebook of their own."""
    whole = solve(ngram)
    entries = [entry.name for entry in ngram.file.entry_points]
    asked: set[str] = set()

    def other_kinds(scope: dict[str, Any]) -> None:
        for name in entries:
            if name in scope:
                scope[name] = returning(whole[name], KINDS[kind], asked)

    solve(ngram, watch=other_kinds)
    assert asked == set(entries)


def returning(function: Callable[..., Any], kind: Callable[[Any], Any], asked: set[str]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        asked.add(function.__name__)
        given = [one for arg in args for one in (arg.values() if isinstance(arg, dict) else [arg])]
        assert not any(isinstance(one, torch.Tensor) for one in given)
        assert all(one.dtype in (np.int64, np.float64) for one in given if isinstance(one, np.ndarray))
        return in_kind(function(*args, **kwargs), kind)

    return call


def in_kind(answer: Any, kind: Callable[[Any], Any]) -> Any:
    if isinstance(answer, np.ndarray | torch.Tensor):
        return kind(np.asarray(answer))
    if isinstance(answer, tuple):
        return tuple(in_kind(part, kind) for part in answer)
    if isinstance(answer, dict):
        return {key: in_kind(value, kind) for key, value in answer.items()}
    return answer


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_the_recipe_costs_some_8_percent_less_than_bigrams(names: dict[str, Any], seed: int) -> None:
    rng = np.random.default_rng(seed)
    language = checks.invented_language(oracle, rng)
    learned = checks.names_of(language, rng, length=20_000)
    assert 2300 < len(learned) - 300 < 2700  # some 2,500
    scores = checks.next_scores(names["train_mlp"](learned[300:], learned[:300], seed))
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    model = MarkovSource(checks.SYMBOLS, weights / weights.sum(axis=-1, keepdims=True))
    letters, bigrams = checks.expected_bits(oracle, language, learned, rng)
    found = bits_per_byte(model, language.sample(rng, documents=400, length=200))
    print(f"letters {letters:.3f}, bigrams {bigrams:.3f}, recipe {found:.3f}, {found / bigrams - 1:.1%}")
    assert 0.90 < found / bigrams < 0.94
    assert bigrams < 0.9 * letters


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_the_best_parameters_are_below_the_bound_and_the_last_above_it(
    ngram: Assignment, solve: Callable[..., dict[str, Any]], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    learned = checks.names_of(checks.invented_language(oracle, rng), rng)
    few, unseen = learned[:100], learned[100:300]
    best, last = (
        checks.mean_nll(oracle, solve(ngram, slip)["train_mlp"](few, unseen, seed), unseen)
        for slip in (("", ""), ("if loss < smallest:", "if loss:"))
    )
    print(f"best {best:.2f}, last {last:.2f}")
    assert best < 3.3  # 3.5 asked for
    assert last > 4
