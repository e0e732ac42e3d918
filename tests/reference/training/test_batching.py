"""Windows and padding against loops over Python lists, and the frequencies of random starts."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils.rnn import pad_sequence

from reference.training import IGNORED, cross_entropy, evaluation_windows, pad, random_windows

lists = st.lists(st.integers(0, 99), max_size=20)
repeatable = settings(derandomize=True, deadline=None, max_examples=100)


def test_random_windows_are_slices_of_the_text(proof, generator: torch.Generator) -> None:
    tokens = torch.randperm(50, generator=generator)  # every token tells its position
    inputs, targets = random_windows(tokens, batch_size=200, length=7, generator=generator)
    text = tokens.tolist()
    starts = [text.index(row[0]) for row in inputs.tolist()]
    expected = ([text[s : s + 7] for s in starts], [text[s + 1 : s + 8] for s in starts])
    proof(random_windows, "brute force").equal((inputs.tolist(), targets.tolist()), expected)
    assert set(starts) == set(range(43))  # all starts, the first and the last included


def test_starts_are_uniform(proof, generator: torch.Generator) -> None:
    n_draws, length = 40_000, 3
    inputs, _ = random_windows(torch.arange(9), batch_size=n_draws, length=length, generator=generator)
    shares = torch.bincount(inputs[:, 0], minlength=6).double() / n_draws
    # Hoeffding, see test_corruption
    bound = math.sqrt(math.log(2e9) / (2 * n_draws))
    proof(random_windows, "exact probabilities, statistical").close(shares, [1 / 6] * 6, within=bound)


def test_the_same_state_gives_the_same_windows() -> None:
    drawn = [
        random_windows(torch.arange(99), batch_size=4, length=5, generator=torch.Generator().manual_seed(seed))[0]
        for seed in (1, 1, 2)
    ]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


@pytest.mark.parametrize(
    ("n", "batch_size", "length", "message"),
    [
        (5, 1, 5, "tokens: expected 6 or more, for a window and its targets, got 5"),
        (0, 1, 1, "tokens: expected 2 or more"),
        (5, 0, 1, "batch_size: expected 1 or more"),
        (5, 1, 0, "length: expected 1 or more"),
    ],
)
def test_random_windows_refuse(generator: torch.Generator, n: int, batch_size: int, length: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        random_windows(torch.arange(n), batch_size=batch_size, length=length, generator=generator)


@repeatable
@given(lists, st.integers(1, 8))
def test_evaluation_windows_hold_every_pair_once_in_order(text: list[int], length: int) -> None:
    windows = evaluation_windows(torch.tensor(text, dtype=torch.int64), length=length)
    pairs = [pair for x, y in windows for pair in zip(x.tolist(), y.tolist(), strict=True)]
    assert pairs == list(pairwise(text))
    assert all(len(x) == length for x, _ in windows[:-1])
    assert all(1 <= len(x) <= length for x, _ in windows)


@pytest.mark.parametrize("n", [0, 1, 2, 8, 9, 10, 17])
def test_evaluation_windows_equal_a_loop(proof, n: int) -> None:
    ours = [(x.tolist(), y.tolist()) for x, y in evaluation_windows(torch.arange(n), length=4)]
    expected = []
    for start in range(0, n, 4):
        stop = min(start + 4, n - 1)
        if start < stop:
            expected.append((list(range(start, stop)), list(range(start + 1, stop + 1))))
    proof(evaluation_windows, "brute force").equal(ours, expected)


def test_evaluation_windows_refuse_length_zero() -> None:
    with pytest.raises(ValueError, match="length: expected 1 or more, got 0"):
        evaluation_windows(torch.arange(3), length=0)


@pytest.mark.parametrize("sizes", [[1], [0], [3, 1, 2], [0, 0], [2, 0, 5]])
@pytest.mark.parametrize("pad_id", [0, 7, IGNORED])
def test_padding_equals_torch(proof, sizes: list[int], pad_id: int) -> None:
    sequences = [torch.arange(size) + 1 for size in sizes]
    batch, own = pad(sequences, pad_id=pad_id)
    theirs = pad_sequence(sequences, batch_first=True, padding_value=pad_id)
    proof(pad, "torch.nn.utils.rnn.pad_sequence").equal((batch.shape, batch.tolist()), (theirs.shape, theirs.tolist()))
    assert [row.tolist() for row in own] == [[position < size for position in range(max(sizes))] for size in sizes]


def test_padded_targets_do_not_count() -> None:
    sequences = [torch.tensor([1, 2, 3]), torch.tensor([4])]
    batch, _ = pad(sequences, pad_id=IGNORED)
    logits = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    own = torch.cat([logits[0], logits[1, :1]])
    assert torch.equal(cross_entropy(logits, batch), cross_entropy(own, torch.cat(sequences)))


def test_padding_refuses_no_sequence() -> None:
    with pytest.raises(ValueError, match="sequences: expected at least one, got none"):
        pad([], pad_id=0)
    with pytest.raises(TypeError):
        pad([torch.zeros(2)], pad_id=0)


def test_windows_are_the_callers_own() -> None:
    tokens = torch.arange(6)
    for window in evaluation_windows(tokens, length=3):
        for part in window:
            part.fill_(99)
    assert tokens.tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("bad", [torch.ones(1, dtype=torch.int32), torch.ones(1), torch.ones(1, 1, dtype=torch.int64)])
def test_padding_looks_at_every_sequence(bad: torch.Tensor) -> None:
    for place in range(20):
        sequences = [torch.tensor([1])] * 20
        sequences[place] = bad
        with pytest.raises(TypeError):
            pad(sequences, pad_id=0)
