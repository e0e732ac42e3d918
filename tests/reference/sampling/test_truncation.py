"""Temperature, top-k, top-p and penalty against transformers' processors and loops; the order of a strategy's parts."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from reference.sampling import (
    Strategy,
    choose,
    draw,
    greedy,
    next_distribution,
    repetition_penalty,
    token_probabilities,
    top_k,
    top_p,
    with_temperature,
)

INF = math.inf


def double(*rows: object) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def kept(logits: Tensor) -> list:
    return (logits > -INF).tolist()


@pytest.mark.parametrize("temperature", [1e-3, 0.1, 0.7, 1.0, 2.5, 1e6])
@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_temperature_equals_transformers(proof, normal, temperature: float, scale: float) -> None:
    logits = scale * normal(6, 20)
    logits[0, 3] = -INF
    theirs = TemperatureLogitsWarper(temperature)(torch.zeros(6, 1, dtype=torch.int64), logits)
    ours = with_temperature(logits, temperature)
    held = proof(with_temperature, "transformers TemperatureLogitsWarper")
    held.close(ours, theirs - theirs.amax(-1, keepdim=True), within=1e-15)
    # at 1e-3 an exponent of 5e5 is rounded by 5e5 · 2^-53 ≈ 6e-11, but only exponents above -40 leave a probability
    held.close(torch.softmax(ours, -1), torch.softmax(theirs, -1), within=1e-9 if temperature < 0.1 else 1e-12)


@pytest.mark.parametrize(
    ("row", "temperature", "expected"),
    [
        ([1.0, 3.0, 3.0], 0, [-INF, 0.0, -INF]),
        ([1.0, 3.0, 3.0], 5e-324, [-INF, 0.0, 0.0]),
        ([1e308, -1e308], 1e-300, [0.0, -INF]),
        ([1e308, -1e308], 1e308, [0.0, -2.0]),
        ([1e308, -1e308], 0, [0.0, -INF]),
        ([-INF, 5.0], 0, [-INF, 0.0]),
        ([-INF, 5.0], 1e308, [-INF, 0.0]),
        ([7.0], 3, [0.0]),
        ([5e-324, 0.0], 5e-324, [0.0, -1.0]),
        ([5e-324, 0.0, 1.5e-323], 1, [-1e-323, -1.5e-323, 0.0]),
    ],
)
def test_extreme_temperatures(row: list[float], temperature: float, expected: list[float]) -> None:
    assert with_temperature(double(*row), temperature).tolist() == expected


@pytest.mark.parametrize("k", [1, 2, 19, 20])
def test_top_k_equals_transformers(proof, normal, k: int) -> None:
    logits = normal(30, 20)
    theirs = TopKLogitsWarper(k)(torch.zeros(30, 1, dtype=torch.int64), logits)
    proof(top_k, "transformers TopKLogitsWarper").equal(top_k(logits, k).tolist(), theirs.tolist())


def sorted_ids(row: list[float]) -> list[int]:
    return sorted(range(len(row)), key=lambda token: (-row[token], token))


@pytest.mark.parametrize("k", [1, 2, 4, 6])
def test_top_k_with_ties_equals_a_loop(proof, generator: torch.Generator, k: int) -> None:
    logits = torch.randint(3, (60, 6), generator=generator).double()
    logits[::5, 2] = -INF
    expected = []
    for row in logits.tolist():
        chosen = set(sorted_ids(row)[:k])
        expected.append([logit if token in chosen else -INF for token, logit in enumerate(row)])
    proof(top_k, "brute force").equal(top_k(logits, k).tolist(), expected)


def test_top_1_is_greedy(generator: torch.Generator) -> None:
    logits = torch.randint(3, (60, 6), generator=generator).double()
    assert torch.equal(top_k(logits, 1).argmax(-1), greedy(logits))
    assert (token_probabilities(top_k(logits, 1)).amax(-1) == 1).all()


@pytest.mark.parametrize("p", [0.0, 1e-9, 0.1, 0.5, 0.9, 0.999, 1.0])
@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_top_p_equals_transformers(proof, normal, p: float, scale: float) -> None:
    logits = scale * normal(30, 20)
    theirs = TopPLogitsWarper(p)(torch.zeros(30, 1, dtype=torch.int64), logits)
    proof(top_p, "transformers TopPLogitsWarper").equal(top_p(logits, p).tolist(), theirs.tolist())


@pytest.mark.parametrize("eighths", range(9))
def test_top_p_with_ties_equals_a_loop(proof, generator: torch.Generator, eighths: int) -> None:
    """Probabilities are eighths, so every mass is exact and reaches p or does not."""
    rows = [[4, 2, 1, 1], [1, 1, 2, 4], [2, 2, 2, 2], [0, 8, 0, 0], [4, 4, 0, 0], [1, 4, 1, 2]]
    expected = []
    for row in rows:
        mass, flags = 0, [False] * 4
        for rank, token in enumerate(sorted_ids(row)):
            flags[token] = rank == 0 or mass < eighths
            mass += row[token]
        expected.append([flag and count > 0 for flag, count in zip(flags, row, strict=True)])
    proof(top_p, "brute force").equal(kept(top_p((double(*rows) / 8).log(), eighths / 8)), expected)


def test_kept_tokens_keep_their_logits(normal) -> None:
    logits = normal(9)
    for truncated in (top_k(logits, 4), top_p(logits, 0.7)):
        inside = truncated > -INF
        assert torch.equal(truncated[inside], logits[inside])
        assert 1 <= inside.sum() < 9


def test_top_p_of_one_keeps_what_rounding_would_drop() -> None:
    """Before the last token the mass is 1 in float64 already."""
    logits = double(0.0, -50.0, -100.0, -INF)
    assert kept(top_p(logits, 1)) == [True, True, True, False]
    assert kept(top_p(logits, 1 - 2**-53)) == [True, False, False, False]


def test_a_vocabulary_of_one_token() -> None:
    logits = double(-3.0)
    assert top_k(logits, 1).tolist() == top_p(logits, 0.5).tolist() == top_p(logits, 0).tolist() == [-3.0]


@pytest.mark.parametrize("penalty", [0.3, 1.0, 1.2, 5])
@pytest.mark.parametrize("length", [0, 1, 9])
def test_penalty_equals_transformers(proof, normal, generator: torch.Generator, penalty: float, length: int) -> None:
    logits, ids = 3 * normal(8, 6), torch.randint(6, (8, length), generator=generator)
    logits[0, 0], logits[1, 1] = 0.0, -INF
    theirs = RepetitionPenaltyLogitsProcessor(float(penalty))(ids, logits)
    proof(repetition_penalty, "transformers RepetitionPenaltyLogitsProcessor").close(
        repetition_penalty(logits, ids, penalty), theirs, within=0
    )


def test_a_penalty_counts_each_token_once_and_changes_nothing_in_place() -> None:
    logits = double([8.0, -8.0, 8.0])
    assert repetition_penalty(logits, torch.tensor([[0, 0, 0, 1, 1]]), 2).tolist() == [[4.0, -16.0, 8.0]]
    assert logits.tolist() == [[8.0, -8.0, 8.0]]


def theirs_for(strategy: Strategy, logits: Tensor, ids: Tensor) -> Tensor:
    """The distribution of transformers' processors, in the order in which its `generate` applies them."""
    processors = LogitsProcessorList([RepetitionPenaltyLogitsProcessor(float(strategy.penalty))])
    processors.append(TemperatureLogitsWarper(float(strategy.temperature)))
    if strategy.top_k is not None:
        processors.append(TopKLogitsWarper(strategy.top_k))
    processors.append(TopPLogitsWarper(strategy.top_p))
    return torch.softmax(processors(ids, logits), -1)


@pytest.mark.parametrize(
    "strategy",
    [
        Strategy(temperature=1),
        Strategy(temperature=0.7, top_k=5, top_p=0.8, penalty=1.3),
        Strategy(temperature=3.0, top_k=3, top_p=0.5, penalty=0.5),
        Strategy(temperature=0.5, top_p=0.9),
    ],
)
def test_strategy_equals_transformers(proof, normal, generator: torch.Generator, strategy: Strategy) -> None:
    logits, ids = 2 * normal(40, 12), torch.randint(12, (40, 5), generator=generator)
    ours = next_distribution(logits, ids, strategy)
    theirs = theirs_for(strategy, logits, ids)
    for component in (next_distribution, Strategy):
        proof(component, "transformers logits processors").close(ours, theirs, within=1e-14)
    state = generator.get_state()
    chosen = choose(logits, ids, strategy, generator)
    generator.set_state(state)
    proof(choose, "transformers logits processors, the same draw").equal(
        chosen.tolist(), draw(theirs, generator).tolist()
    )


def test_temperature_zero_is_greedy_after_the_penalty(proof, normal, generator: torch.Generator) -> None:
    logits, ids = normal(40, 5), torch.randint(5, (40, 3), generator=generator)
    expected = greedy(repetition_penalty(logits, ids, 3)).tolist()
    for strategy in (Strategy(penalty=3), Strategy(penalty=3, top_k=2), Strategy(penalty=3, top_p=0.3)):
        proof(choose, "greedy").equal(choose(logits, ids, strategy).tolist(), expected)
        assert next_distribution(logits, ids, strategy).amax(-1).tolist() == [1.0] * 40


def test_temperature_zero_draws_nothing(generator: torch.Generator, normal) -> None:
    state = generator.get_state()
    choose(normal(2, 3), torch.zeros(2, 1, dtype=torch.int64), Strategy(), generator)
    assert torch.equal(generator.get_state(), state)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: with_temperature(x, -0.1), "temperature: expected a finite number, 0 or more, got -0.1"),
        (lambda x: with_temperature(x, math.nan), "temperature"),
        (lambda x: with_temperature(x, INF), "temperature"),
        (lambda x: with_temperature(x, 10**400), "temperature: expected a finite number"),
        (lambda x: top_k(x, 0), "k: expected 1 to 3, the vocabulary, got 0"),
        (lambda x: top_k(x, 4), "k: expected 1 to 3, the vocabulary, got 4"),
        (lambda x: top_p(x, -0.1), "p: expected a mass from 0 to 1, got -0.1"),
        (lambda x: top_p(x, 1.1), "p: expected"),
        (lambda x: top_p(x, math.nan), "p: expected"),
        (lambda x: repetition_penalty(x, torch.tensor([[0]]), 0), "penalty: expected a finite number above 0, got 0"),
        (lambda x: repetition_penalty(x, torch.tensor([[0]]), -1.0), "penalty"),
        (lambda x: repetition_penalty(x, torch.tensor([[0]]), math.nan), "penalty"),
        (lambda x: repetition_penalty(x, torch.tensor([[0]]), INF), "penalty"),
        (lambda x: repetition_penalty(x, torch.tensor([[0]]), 10**400), "penalty: expected a finite number above 0"),
        (lambda x: repetition_penalty(1e308 * x[:, 2:], torch.tensor([[0]]), 10), "logits under the penalty: expected"),
        (lambda x: repetition_penalty(x, torch.tensor([[3]]), 2), "ids: expected token ids from 0 to 2, got 3"),
        (lambda x: repetition_penalty(x, torch.tensor([[-1]]), 2), "ids: expected token ids"),
        (lambda x: repetition_penalty(1e308 * x, torch.tensor([[1]]), 0.1), "logits under the penalty: expected"),
        (
            lambda x: choose(x, torch.tensor([[0]]), Strategy(temperature=1)),
            "generator: expected one to draw from at temperature 1, got None",
        ),
    ],
)
def test_settings_out_of_range_are_refused(call: Callable[[Tensor], Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(double([0.0, 1.0, -1.0]))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: with_temperature(x, 1.0),
        lambda x: top_k(x, 1),
        lambda x: top_p(x, 0.5),
        lambda x: repetition_penalty(x, torch.zeros(1, 0, dtype=torch.int64), 1.5),
    ],
)
@pytest.mark.parametrize("row", [[math.nan, 0.0], [INF, 0.0], [-INF, -INF], []])
def test_rows_that_are_no_logits_are_refused(function: Callable[[Tensor], Tensor], row: list[float]) -> None:
    with pytest.raises(ValueError, match=r"logits|vocabulary"):
        function(double(row))


def test_a_strategy_of_wrong_types_is_refused() -> None:
    with pytest.raises(TypeError):
        Strategy(temperature="warm")
    with pytest.raises(TypeError):
        Strategy(top_k=2.5)


@pytest.mark.parametrize("p", [0.0, 0.5, 1.0])
def test_top_p_takes_the_floats_of_numpy(normal, p: float) -> None:
    logits = normal(3, 5)
    assert torch.equal(top_p(logits, np.float64(p)), top_p(logits, p))
